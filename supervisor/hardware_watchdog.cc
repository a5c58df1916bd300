#include "supervisor/hardware_watchdog.h"

#include <cstring>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/watchdog.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "supervisor/last_end.h"

namespace husk::supervisor {
namespace {

using namespace std::chrono_literals;

constexpr Duration kLongestPause = 5s;
// The name of its last words among those of units, and none of a unit.
constexpr const char* kCrashName = "(watchdog)";

int Seconds(Duration time) {
    return static_cast<int>(std::clamp<int64_t>((time + 999ms) / 1s, 1, INT32_MAX));
}

// A write that has to reach the disk, over the same bytes each time.
int WriteAndSync(const std::string& path) {
    const OwnedFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) return errno;
    const int64_t now = RealtimeNow();
    if (::pwrite(file.get(), &now, sizeof now, 0) < 0 || ::fdatasync(file.get()) != 0) return errno;
    return 0;
}

// A device that has no storage for state is no worse off than it was built.
bool IsOnWritableDisk(const std::string& folder) {
    struct statfs file_system {};
    return ::statfs(folder.c_str(), &file_system) == 0 && file_system.f_type != TMPFS_MAGIC &&
           file_system.f_type != RAMFS_MAGIC && (file_system.f_flags & ST_RDONLY) == 0;
}

int WriteOver(const std::string& path, const std::string& text) {
    const OwnedFd file(::open(path.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW));
    if (!file || !WriteAll(file.get(), text, path)) return errno;
    (void)::fdatasync(file.get());
    // A reset is near, and units have data as well.
    if (!text.empty()) ::sync();
    return 0;
}

}  // namespace

HardwareWatchdog::HardwareWatchdog(EventLoop& loop, InitLink& init,
                                   const config::SystemConfig& system, std::string state_directory,
                                   CrashLog& crash_log)
    : loop_(loop),
      init_(init),
      system_(system),
      state_directory_(std::move(state_directory)),
      crash_log_(crash_log),
      probe_(loop),
      reason_(loop) {}

HardwareWatchdog::~HardwareWatchdog() { loop_.CancelTimer(timer_); }

Status HardwareWatchdog::Open(bool first) {
    const bool off = system_.runtime_watchdog == kInfinite;
    auto device = init_.Fetch(kWatchdogSlot);
    const bool kept = bool(device);
    if (off && kept)
        LogWarning("RuntimeWatchdogSec=off: the hardware watchdog runs; off from the next boot on");
    if (!kept) {
        if (off) return {};
        device = OpenFile(system_.watchdog_device, O_RDWR | O_NOCTTY);
        if (!device && device.error().code() == ENOENT) return {};
        if (!device)
            return Fail(std::move(device).error().Wrap(
                "the hardware watchdog is another's, or not to be had; RuntimeWatchdogSec=off "
                "leaves it alone"));
    }
    HUSK_TRY(Configure(device->get()));
    if (!kept) HUSK_TRY(init_.StoreAs(kWatchdogSlot, device->get()));
    open_ = true;
    LogInfo("hardware watchdog ", Quote(identity_), ", ", FormatDuration(timeout_));
    if (first) Vouch(true);
    reason_is_old_ = !first;  // an earlier supervisor's
    return {};
}

Status HardwareWatchdog::Configure(int device) {
    watchdog_info info{};
    if (::ioctl(device, WDIOC_GETSUPPORT, &info) != 0)
        return FailErrno("ask ", Quote(system_.watchdog_device), " what it is");
    const auto* identity = reinterpret_cast<const char*>(info.identity);
    identity_.assign(identity, ::strnlen(identity, sizeof info.identity));
    int status = 0;
    has_reset_ = ::ioctl(device, WDIOC_GETBOOTSTATUS, &status) == 0 && (status & WDIOF_CARDRESET);
    SetTimeout(device);
    if (system_.runtime_watchdog_pre != kInfinite) {
        int pre = Seconds(system_.runtime_watchdog_pre);
        if (::ioctl(device, WDIOC_SETPRETIMEOUT, &pre) != 0)
            LogWarning(Error::FromErrno(Cat("RuntimeWatchdogPreSec=",
                                            FormatDuration(system_.runtime_watchdog_pre),
                                            ": the hardware watchdog does not take it"))
                           .text());
    }
    SetGovernor();
    return {};
}

void HardwareWatchdog::SetGovernor() {
    const std::string& governor = system_.runtime_watchdog_pre_governor;
    if (governor.empty()) return;
    const std::string name = system_.watchdog_device.substr(system_.watchdog_device.rfind('/') + 1);
    if (Status set =
            WriteAttribute(Cat("/sys/class/watchdog/", name, "/pretimeout_governor"), governor);
        !set)
        LogWarning("RuntimeWatchdogPreGovernor=", governor, ": ", set.error().text());
}

// Many boards count to 16 s only.
void HardwareWatchdog::SetTimeout(int device) {
    const bool off = system_.runtime_watchdog == kInfinite;
    const int wanted = Seconds(off ? Duration(30s) : system_.runtime_watchdog);
    int seconds = wanted;
    const bool taken = !off && ::ioctl(device, WDIOC_SETTIMEOUT, &seconds) == 0;
    if (!taken && ::ioctl(device, WDIOC_GETTIMEOUT, &seconds) != 0) seconds = wanted;
    if (seconds != wanted && !off)
        LogWarning("RuntimeWatchdogSec=", FormatDuration(system_.runtime_watchdog),
                   ": the hardware watchdog does not take it, and counts to ",
                   std::to_string(seconds), " s");
    timeout_ = std::chrono::seconds(std::max(seconds, 1));
}

void HardwareWatchdog::Begin(std::function<std::vector<CriticalUnit>()> units) {
    if (!open_) return;
    units_ = std::move(units);
    // For PID 1, which may have to write it where the supervisor cannot.
    if (auto file = OpenFile(ResetReasonFile(state_directory_), O_WRONLY | O_NOFOLLOW))
        if (Status kept = init_.StoreAs(kResetReasonSlot, file->get()); !kept)
            LogWarning(kept.error().text());
    probes_ = system_.watchdog_probe != kInfinite && IsOnWritableDisk(state_directory_);
    next_probe_ = MonotonicNow();
    ArmTick();
}

Duration HardwareWatchdog::Pause() const { return std::min(timeout_ / 6, kLongestPause); }

void HardwareWatchdog::ArmTick() {
    timer_ = loop_.StartTimer(MonotonicNow() + Pause(), [this] {
        Tick();
        ArmTick();
    });
}

void HardwareWatchdog::Tick() {
    const Instant now = MonotonicNow();
    Probe(now);
    Tell(going_down_ ? std::vector<Veto>() : Judge(now));
    if (reason_is_old_) WriteReason();
    Vouch(vetoes_.empty());
}

// As long as the hardware waits, the supervisor may be silent as well.
void HardwareWatchdog::Vouch(bool healthy) {
    const int last = system_.reboot_watchdog == kInfinite ? 0 : Seconds(system_.reboot_watchdog);
    const auto told = init_.TrustWatchdog(healthy ? timeout_ : Duration{}, timeout_ / 3, last);
    if (!told && !std::exchange(failed_, true)) LogError(told.error().text());
    if (!told) return;
    failed_ = false;
    if (*told || !healthy) return;
    LogInfo("the hardware watchdog is fed again");
    reason_is_old_ = true;  // PID 1 has written that the supervisor was silent
}

void HardwareWatchdog::Probe(Instant now) {
    if (!probes_ || probe_.running() || now < next_probe_) return;
    next_probe_ = now + system_.watchdog_probe;
    const Status begun =
        probe_.Run([path = state_directory_ + "/probe"] { return WriteAndSync(path); },
                   [this](int status) { storage_error_ = status; });
    if (!begun) LogWarning(begun.error().text());  // tried again
}

std::vector<Veto> HardwareWatchdog::Judge(Instant now) {
    std::vector<Veto> vetoes = critical_.Judge(units_(), now);
    StorageState storage{.error = storage_error_};
    if (probe_.running()) storage.unanswered = now - probe_.began();
    const MemoryState memory =
        ParseMemoryState(ReadFile("/proc/pressure/memory", 4096).value_or(""),
                         ReadFile("/proc/meminfo", 16384).value_or(""));
    for (auto& veto :
         {JudgeStorage(storage, timeout_), JudgeMemory(memory, system_.watchdog_memory_pressure)})
        if (veto) vetoes.push_back(*veto);
    return vetoes;
}

void HardwareWatchdog::Tell(std::vector<Veto> vetoes) {
    const std::vector<Veto> before = std::exchange(vetoes_, std::move(vetoes));
    reason_is_old_ |= !std::ranges::equal(before, vetoes_, {}, &Veto::about, &Veto::about);
    if (vetoes_.empty() && !before.empty()) LogInfo("the hardware watchdog is fed again");
    for (const Veto& veto : vetoes_) {
        if (std::ranges::find(before, veto.about, &Veto::about) != before.end()) continue;
        const std::string words = Cat(veto.text, kNotFed);
        LogError(words, ", and resets the device in ", FormatDuration(timeout_));
        crash_log_.Tell(kCrashName, words, {});
    }
}

void HardwareWatchdog::WriteReason() {
    std::vector<std::string> texts;
    for (const Veto& veto : vetoes_) texts.push_back(veto.text);
    const Status begun = reason_.Run([path = ResetReasonFile(state_directory_),
                                      text = Join(texts, "; ")] { return WriteOver(path, text); },
                                     [](int) {});
    if (begun) reason_is_old_ = false;
}

void HardwareWatchdog::GoDown() {
    going_down_ = true;
    if (open_) Tick();
}

}  // namespace husk::supervisor
