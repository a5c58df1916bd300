#include "supervisor/upgrade.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "base/socket.h"
#include "base/text.h"
#include "supervisor/process_stat.h"
#include "supervisor/signature.h"

namespace husk::supervisor {
namespace {

using namespace std::chrono_literals;

constexpr Duration kRehearsalLimit = 5s;
// For the client to get its answer before the supervisor is gone.
constexpr Duration kBeforeSwitch = 50ms;
constexpr size_t kMaxKeyFile = 64 * 1024, kMaxSignature = 4096, kMaxNote = 1 << 20;
// Rehearse() in init/init.cc.
constexpr int kRehearsalRefused = 1, kCannotExecute = 126;

Status CheckSealed(int file, const char* what) {
    const int wanted = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
    const int seals = ::fcntl(file, F_GET_SEALS);
    if (seals >= 0 && (seals & wanted) == wanted) return {};
    return Fail("the ", what, " is no sealed memory file: use 'husk upgrade' of this device");
}

// A sealed file as bytes.
class Mapping {
  public:
    explicit Mapping(int file) {
        struct stat facts {};
        if (::fstat(file, &facts) != 0 || facts.st_size <= 0) return;
        size_ = static_cast<size_t>(facts.st_size);
        address_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file, 0);
        if (address_ == MAP_FAILED) size_ = 0;
    }
    ~Mapping() {
        if (size_ != 0) (void)::munmap(address_, size_);
    }
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;
    std::span<const unsigned char> bytes() const {
        return {static_cast<const unsigned char*>(address_), size_};
    }

  private:
    void* address_ = nullptr;
    size_t size_ = 0;
};

Status CheckSignature(std::span<const unsigned char> bytes, std::string_view signature_file) {
    auto text = ReadFile(kUpgradeKeys, kMaxKeyFile);
    if (!text && text.error().code() == ENOENT)
        return Fail(
            "this device has no key to check it with: put the owner's public key (openssl "
            "pkey -in key.pem -pubout) into its image as ",
            Quote(kUpgradeKeys));
    if (!text) return Fail(std::move(text).error());
    auto keys = ParsePublicKeys(*text);
    if (!keys) return Fail(std::move(keys).error().Wrap(Quote(kUpgradeKeys)));
    auto signature = ParseSignature(signature_file);
    if (!signature) return Fail(std::move(signature).error());
    auto signer = FindSigner(bytes, *signature, *keys);
    if (!signer) return Fail(std::move(signer).error());
    return {};
}

Status CheckVersion(const HuskBinary& image, bool downgrade) {
    if (image.handover != kHandoverVersion || image.protocol != kInitProtocolVersion)
        return Fail(Describe(image),
                    " keeps the state of PID 1 in another way than this one: it cannot take over, "
                    "only be booted");
    if (!downgrade && CompareVersions(image.version, HUSK_VERSION) < 0)
        return Fail(Describe(image), " is older than this one (", HUSK_VERSION,
                    "): --downgrade takes it all the same");
    return {};
}

// In the process of the rehearsal.
int ExecuteRehearsal(int binary, int state) {
    (void)::fcntl(state, F_SETFD, 0);
    const std::string option = Cat("--rehearse=", std::to_string(state));
    const char* argv[] = {"init", option.c_str(), nullptr};
    (void)::syscall(SYS_execveat, binary, "", argv, environ, AT_EMPTY_PATH);
    return kCannotExecute;
}

Status JudgeRehearsal(int status) {
    if (status == 0) return {};
    const std::string what = "it does not work as PID 1 would need it (rehearsal): ";
    if (status == kRehearsalRefused) return Fail(what, "it cannot read the state of PID 1");
    if (status == kCannotExecute) return Fail(what, "it cannot be executed");
    return Fail(what, "it ended with status ", std::to_string(status), " or was killed");
}

bool Lives(pid_t pid) {
    const auto status = ReadFile(Cat("/proc/", std::to_string(pid), "/status"), 65536);
    return status && !StatusField(*status, "State:").starts_with('Z');
}

}  // namespace

Upgrader::Upgrader(EventLoop& loop, InitLink& init, std::string run_directory)
    : loop_(loop), init_(init), path_(std::move(run_directory) + "/upgrade") {}

Upgrader::~Upgrader() {
    loop_.CancelTimer(timer_);
    if (own_request_) loop_.Remove(own_request_.get());
}

// --- looking -------------------------------------------------------------------------------------

Result<HuskBinary> Upgrader::Examine(const std::vector<OwnedFd>& files, bool downgrade) const {
    if (files.size() != 2) return Fail("two files go along: the binary and its signature");
    HUSK_TRY(CheckSealed(files[0].get(), "binary"));
    HUSK_TRY(CheckSealed(files[1].get(), "signature"));
    const Mapping binary(files[0].get()), signature(files[1].get());
    if (binary.bytes().empty() || binary.bytes().size() > kMaxImageSize)
        return Fail("the file is empty, or too long for a husk");
    if (signature.bytes().size() > kMaxSignature) return Fail("the signature is too long");
    // Nothing of the file is looked at before.
    HUSK_TRY(CheckSignature(
        binary.bytes(),
        {reinterpret_cast<const char*>(signature.bytes().data()), signature.bytes().size()}));
    auto image = ReadHuskBinary(binary.bytes());
    if (!image) return Fail(std::move(image).error());
    HUSK_TRY(CheckVersion(*image, downgrade));
    return image;
}

void Upgrader::Rehearse(int binary, std::function<void(Status)> done) {
    auto state = init_.Snapshot();
    if (!state) return done(Fail(std::move(state).error()));
    rehearsal_ = std::make_unique<SideProcess>(loop_);
    const auto finish = [this, done](Status status) {
        loop_.CancelTimer(std::exchange(timer_, 0));
        // Not from within its own call.
        timer_ =
            loop_.StartTimer(MonotonicNow(), [this, done, status = std::move(status)]() mutable {
                timer_ = 0;
                rehearsal_.reset();
                done(std::move(status));
            });
    };
    const Status begun = rehearsal_->Execute(
        [binary, state = state->get()] { return ExecuteRehearsal(binary, state); },
        [finish](int status) { finish(JudgeRehearsal(status)); });
    if (!begun) return finish(begun);
    timer_ = loop_.StartTimer(MonotonicNow() + kRehearsalLimit, [finish] {
        finish(Fail("it does not end its rehearsal as PID 1 within ",
                    FormatDuration(kRehearsalLimit)));
    });
}

// --- the old supervisor --------------------------------------------------------------------------

Status Upgrader::Begin(OwnedFd binary, const HuskBinary& image, Duration limit,
                       std::vector<RunningUnit> units) {
    const auto own = ReadHuskBinary("/proc/self/exe");
    note_ = UpgradeNote{.begun = RealtimeNow(),
                        .version = image.version,
                        .build = image.build,
                        .from_version = own ? own->version : HUSK_VERSION,
                        .from_build = own ? own->build : "",
                        .units = std::move(units)};
    HUSK_TRY(WriteFileAtomically(path_, WriteUpgradeNote(*note_)));
    HUSK_TRY(init_.StoreAs(kBinarySlot, binary.get()));
    begun_ = true;
    LogInfo(Describe(*note_));
    timer_ = loop_.StartTimer(MonotonicNow() + kBeforeSwitch, [this, limit] { Switch(limit); });
    return {};
}

void Upgrader::Switch(Duration limit) {
    timer_ = 0;
    const Status asked = init_.BeginUpgrade(limit);
    if (asked) return;  // the end is near
    begun_ = false;
    init_.Drop(static_cast<int>(kBinarySlot));
    Conclude(UpgradeNote::Outcome::kFailed, asked.error().text());
}

// --- the new one ---------------------------------------------------------------------------------

void Upgrader::LookBack() {
    if (auto text = ReadFile(path_, kMaxNote)) note_ = ParseUpgradeNote(*text);
    auto state = init_.AskUpgrade();
    if (!state) return;  // no PID 1, or one that knows of none
    on_trial_ = state->phase == UpgradePhase::kSupervisor;
    if (on_trial_ || !note_ || note_->outcome != UpgradeNote::Outcome::kUnderWay) return;
    if (state->phase == UpgradePhase::kDone) return Conclude(UpgradeNote::Outcome::kDone, "");
    Conclude(UpgradeNote::Outcome::kFailed, !note_->why.empty() ? note_->why
                                            : state->phase == UpgradePhase::kFailed
                                                ? DescribeFailure(state->failure, state->detail)
                                                : "the supervisor ended before it had begun");
}

void Upgrader::Prove(const std::vector<RunningUnit>& units, const std::string& socket,
                     std::function<void()> concluded, std::function<void()> give_up) {
    concluded_ = std::move(concluded);
    give_up_ = std::move(give_up);
    if (!note_) return GiveUp(Cat("it does not know of the upgrade: no ", Quote(path_)));
    if (const std::string lost = FindLost(note_->units, units, Lives); !lost.empty())
        return GiveUp(Cat("the new supervisor did not take over unit ", Quote(lost)));
    // Its own socket, as any client has it.
    auto address = UnixAddress(socket);
    if (!address) return GiveUp(address.error().text());
    own_request_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    constexpr std::string_view kRequest = "{\"version\":1,\"verb\":\"list\"}\n";
    if (::connect(own_request_.get(), reinterpret_cast<const sockaddr*>(&*address),
                  sizeof *address) != 0 ||
        ::send(own_request_.get(), kRequest.data(), kRequest.size(), MSG_NOSIGNAL) < 0)
        return GiveUp(Error::FromErrno("the new supervisor cannot ask itself").text());
    if (Status added = loop_.Add(own_request_.get(), EPOLLIN, [this](uint32_t) { OnAnswer(); });
        !added)
        GiveUp(added.error().text());
}

void Upgrader::OnAnswer() {
    char answer[256];
    const ssize_t got = ::recv(own_request_.get(), answer, sizeof answer, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    loop_.Remove(own_request_.get());
    own_request_.reset();
    const std::string_view text(answer, static_cast<size_t>(std::max<ssize_t>(got, 0)));
    if (text.find("\"ok\":true") == text.npos)
        return GiveUp("the new supervisor does not answer requests");
    if (Status finished = init_.FinishUpgrade(); !finished) return GiveUp(finished.error().text());
    on_trial_ = false;
    Conclude(UpgradeNote::Outcome::kDone, "");
    concluded_();
}

void Upgrader::GiveUp(const std::string& why) {
    LogError("upgrade: ", why);
    if (note_) {
        note_->why = why;
        Save();
    }
    give_up_();
}

void Upgrader::Conclude(UpgradeNote::Outcome outcome, const std::string& why) {
    note_->outcome = outcome;
    note_->why = why;
    note_->ended = MonotonicNow();
    note_->ended_realtime = RealtimeNow();
    note_->units.clear();
    Save();
    Log(outcome == UpgradeNote::Outcome::kDone ? LogLevel::kInfo : LogLevel::kError,
        Describe(*note_));
}

void Upgrader::Save() {
    if (Status saved = WriteFileAtomically(path_, WriteUpgradeNote(*note_)); !saved)
        LogWarning(saved.error().text());
}

}  // namespace husk::supervisor
