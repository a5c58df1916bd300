#include "supervisor/unit_folder.h"

#include <cstdlib>
#include <fcntl.h>
#include <limits.h>
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sys.h"
#include "base/text.h"
#include "config/ini_reader.h"
#include "supervisor/crash_log.h"

namespace husk::supervisor {
namespace {

constexpr std::string_view kPendingName = "/.pending", kRevertedName = "/.reverted";
constexpr std::string_view kDropInSuffix = ".container.d";
constexpr size_t kMaxMarkerSize = 4096;
constexpr int kMostLinks = 8;
constexpr size_t kMostFiles = 50'000;

bool Exists(const std::string& path) {
    struct stat info {};
    return ::lstat(path.c_str(), &info) == 0;
}

std::string ParentOf(const std::string& path) {
    const size_t slash = path.rfind('/');
    return slash == 0 || slash == path.npos ? "/" : path.substr(0, slash);
}

// Without links, or nothing where it is not there.
std::optional<std::string> RealPath(const std::string& path) {
    char real[PATH_MAX];
    if (::realpath(path.c_str(), real) == nullptr) return std::nullopt;
    return std::string(real);
}

Result<std::string> ReadLink(const std::string& path) {
    char target[PATH_MAX];
    const ssize_t size = ::readlink(path.c_str(), target, sizeof target);
    if (size < 0) return FailErrno("read link ", Quote(path));
    return std::string(target, static_cast<size_t>(size));
}

bool IsInside(const std::string& path, const std::string& folder) {
    return path == folder || (path.starts_with(folder) && path[folder.size()] == '/') ||
           folder == "/";
}

// What a person can do where the folder cannot be written to or exchanged.
Error WithAdvice(Error error, const std::string& active) {
    const char* advice = nullptr;
    switch (error.code()) {
        case EROFS:
        case EINVAL:
        case ENOSYS:
        case EBUSY:
        case EXDEV:
            advice =
                "it has to lie on a writable file system that can exchange folders, and be no "
                "mount point: make it a link to such a folder";
            break;
        case ENOSPC:
        case EDQUOT: advice = "make room first"; break;
        default: return error;
    }
    return Error::Because(Cat(error.text(), " (", Quote(active), ": ", advice, ")"));
}

// Copies one folder of units, with its drop-ins.
class Copy {
  public:
    Status Folder(const std::string& from, const std::string& to, int depth);

  private:
    Status Entry(const std::string& from, const std::string& to, int depth);
    Status File(const std::string& from, const std::string& to, mode_t mode);
    Status Link(const std::string& from, const std::string& to, int depth);

    size_t files_ = 0;
};

Status Copy::Folder(const std::string& from, const std::string& to, int depth) {
    auto names = ListDirectory(from);
    if (!names) return Fail(std::move(names).error());
    if (::mkdir(to.c_str(), 0755) != 0) return FailErrno("make directory ", Quote(to));
    for (const auto& name : *names)
        if (!name.starts_with('.'))
            HUSK_TRY(Entry(Cat(from, "/", name), Cat(to, "/", name), depth));
    return SyncDirectory(to);
}

Status Copy::Entry(const std::string& from, const std::string& to, int depth) {
    if (++files_ > kMostFiles)
        return Fail("over ", std::to_string(kMostFiles), " files: is this a folder of units?");
    struct stat info {};
    if (::lstat(from.c_str(), &info) != 0) return FailErrno("look at ", Quote(from));
    if (S_ISREG(info.st_mode)) return File(from, to, info.st_mode);
    if (S_ISLNK(info.st_mode)) return Link(from, to, depth);
    if (S_ISDIR(info.st_mode) && depth == 0 && from.ends_with(kDropInSuffix))
        return Folder(from, to, depth + 1);
    return Fail(Quote(from), " is neither a file nor a link",
                depth == 0 ? " nor a folder NAME.container.d" : "", ": move it elsewhere");
}

Status Copy::File(const std::string& from, const std::string& to, mode_t mode) {
    auto source = OpenFile(from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (!source) return Fail(std::move(source).error());
    auto text = ReadAll(source->get(), config::kMaxFileBytes, from);
    if (!text && text.error().code() == EFBIG)
        return Fail(Quote(from), " is over ", std::to_string(config::kMaxFileBytes >> 10),
                    " KiB: only unit files belong into a folder of units");
    if (!text) return Fail(std::move(text).error());
    auto copy = OpenFile(to, O_WRONLY | O_CREAT | O_EXCL, 0600 | (mode & 0044));
    if (!copy) return Fail(std::move(copy).error());
    HUSK_TRY(WriteAll(copy->get(), *text, to));
    if (::fsync(copy->get()) != 0) return FailErrno("sync ", Quote(to));
    return {};
}

Status Copy::Link(const std::string& from, const std::string& to, int depth) {
    auto target = ReadLink(from);
    if (!target) return Fail(std::move(target).error());
    if (LeadsOut(*target, depth))
        return Fail("link ", Quote(from), " leads out of its folder to ", Quote(*target),
                    ": give it an absolute path");
    if (::symlink(target->c_str(), to.c_str()) != 0) return FailErrno("make link ", Quote(to));
    return {};
}

}  // namespace

BootClock ReadBootClock() { return {.boot_id = ThisBoot(), .since_boot = TimeSinceBoot()}; }

std::string Serialize(const Pending& pending) {
    rapidjson::StringBuffer buffer;
    rapidjson::Writer<rapidjson::StringBuffer> json(buffer);
    json.StartObject();
    json.Key("version");
    json.Int(1);
    json.Key("boot_id");
    json.String(pending.boot_id.c_str());
    json.Key("deadline");
    json.Int64(pending.deadline.count());
    json.EndObject();
    return std::string(buffer.GetString()) + "\n";
}

Result<Pending> ParsePending(std::string_view text) {
    rapidjson::Document document;
    document.Parse<rapidjson::kParseIterativeFlag>(text.data(), text.size());
    if (document.HasParseError() || !document.IsObject()) return Fail("is no JSON object");
    const auto boot_id = document.FindMember("boot_id");
    const auto deadline = document.FindMember("deadline");
    if (boot_id == document.MemberEnd() || !boot_id->value.IsString() ||
        deadline == document.MemberEnd() || !deadline->value.IsInt64())
        return Fail("lacks 'boot_id' or 'deadline'");
    return Pending{boot_id->value.GetString(), Duration(deadline->value.GetInt64())};
}

Duration TimeLeft(const Pending& pending, const BootClock& now) {
    if (pending.boot_id.empty() || pending.boot_id != now.boot_id) return Duration::zero();
    return pending.deadline > now.since_boot ? pending.deadline - now.since_boot : Duration::zero();
}

bool LeadsOut(std::string_view target, int depth) {
    if (target.starts_with('/')) return false;
    for (auto part : Split(target, '/')) {
        if (part.empty() || part == ".") continue;
        depth += part == ".." ? -1 : 1;
        if (depth < 0) return true;
    }
    return false;
}

Result<UnitFolder> UnitFolder::At(const std::string& path) {
    std::string active = path;
    while (active.size() > 1 && active.ends_with('/')) active.pop_back();
    for (int links = 0; links < kMostLinks; ++links) {
        struct stat info {};
        if (::lstat(active.c_str(), &info) != 0 || !S_ISLNK(info.st_mode)) {
            // Its parent's links are of no interest, but to compare with other paths.
            auto parent = RealPath(ParentOf(active));
            const std::string name = active.substr(active.rfind('/') + 1);
            if (parent) active = Cat(*parent == "/" ? "" : *parent, "/", name);
            return UnitFolder(std::move(active));
        }
        auto target = ReadLink(active);
        if (!target) return Fail(std::move(target).error());
        active = target->starts_with('/') ? *target : Cat(ParentOf(active), "/", *target);
        while (active.size() > 1 && active.ends_with('/')) active.pop_back();
    }
    return Fail(Quote(path), ": too many links behind each other");
}

// Copying a folder into itself would not end, and clearing what is staged must not clear the
// source.
Status UnitFolder::CheckSource(const std::string& source) const {
    struct stat info {};
    auto real = RealPath(source);
    if (!real) return FailErrno("folder ", Quote(source));
    if (::stat(real->c_str(), &info) != 0 || !S_ISDIR(info.st_mode))
        return Fail(Quote(source), " is no folder");
    for (const auto& own : {active_, staged()})
        if (IsInside(*real, own) || IsInside(own, *real))
            return Fail("folder ", Quote(source), " and ", Quote(own),
                        " are the same, or one is inside the other: apply a folder elsewhere, "
                        "or write into ",
                        Quote(active_), " and use 'husk reload'");
    return {};
}

Status UnitFolder::Stage(const std::string& source) const {
    HUSK_TRY(CheckSource(source));
    Status staging = [&]() -> Status {
        HUSK_TRY(MakeDirectories(ParentOf(active_)));
        HUSK_TRY(RemoveTree(staged()));
        return Copy().Folder(source, staged(), 0);
    }();
    if (staging) return {};
    Discard();
    return Fail(WithAdvice(std::move(staging).error(), active_));
}

Status UnitFolder::Mark(const Pending& pending) const {
    Status marked = [&]() -> Status {
        const std::string path = Cat(staged(), kPendingName);
        auto file = OpenFile(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        if (!file) return Fail(std::move(file).error());
        HUSK_TRY(WriteAll(file->get(), Serialize(pending), path));
        if (::fsync(file->get()) != 0) return FailErrno("sync ", Quote(path));
        return SyncDirectory(staged());
    }();
    if (!marked) return Fail(WithAdvice(std::move(marked).error(), active_));
    return {};
}

std::span<const UnitFolder::Step> UnitFolder::SwitchSteps() {
    static constexpr Step kSteps[] = {&UnitFolder::MakeActive, &UnitFolder::Exchange,
                                      &UnitFolder::DropPrevious, &UnitFolder::KeepPrevious};
    return kSteps;
}

std::span<const UnitFolder::Step> UnitFolder::RevertSteps() {
    static constexpr Step kSteps[] = {&UnitFolder::TakePrevious, &UnitFolder::DropReverted,
                                      &UnitFolder::ExchangeBack, &UnitFolder::KeepRejected,
                                      &UnitFolder::NoteRejected};
    return kSteps;
}

Status UnitFolder::Run(std::span<const Step> steps) const {
    for (Step step : steps)
        if (Status done = (this->*step)(); !done)
            return Fail(WithAdvice(std::move(done).error(), active_));
    return {};
}

Status UnitFolder::Switch() const {
    const auto steps = SwitchSteps();
    HUSK_TRY(Run(steps.first(2)));
    // It is active now. Where the rest fails, what was active stays in staged(), where
    // TakePrevious() finds it.
    (void)Run(steps.subspan(2));
    (void)::unlink(Cat(reverted(), kRevertedName).c_str());  // old news; may not be there
    return {};
}

void UnitFolder::Discard() const {
    (void)RemoveTree(staged());  // the next Stage() tries again, and says what is wrong
}

Status UnitFolder::MakeActive() const {
    HUSK_TRY(MakeDirectories(active_));
    return SyncParent();
}

Status UnitFolder::DropPrevious() const {
    HUSK_TRY(RemoveTree(previous()));
    return SyncParent();
}

Status UnitFolder::Exchange() const { return Swap(staged()); }

Status UnitFolder::KeepPrevious() const { return Move(staged(), previous()); }

Status UnitFolder::TakePrevious() const {
    if (Exists(staged())) {
        HUSK_TRY(RemoveTree(previous()));
        HUSK_TRY(Move(staged(), previous()));
    }
    if (Exists(previous())) return {};
    // Without a way back the marker would only bring us here again at each boot.
    (void)Confirm();
    return Fail(Quote(previous()), " is gone, so what was applied stays active");
}

Status UnitFolder::DropReverted() const {
    HUSK_TRY(RemoveTree(reverted()));
    return SyncParent();
}

Status UnitFolder::ExchangeBack() const { return Swap(previous()); }

Status UnitFolder::KeepRejected() const { return Move(previous(), reverted()); }

Status UnitFolder::NoteRejected() const {
    const std::string note = Cat(reverted(), kRevertedName);
    auto file = OpenFile(note, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (!file) return Fail(std::move(file).error());
    (void)::unlink(Cat(reverted(), kPendingName).c_str());  // at a second try it is gone already
    return SyncDirectory(reverted());
}

Status UnitFolder::Move(const std::string& from, const std::string& to) const {
    if (::rename(from.c_str(), to.c_str()) != 0)
        return FailErrno("rename ", Quote(from), " to ", Quote(to));
    return SyncParent();
}

// An exchange that is not on disk for sure is taken back: an error means that nothing changed.
Status UnitFolder::Swap(const std::string& other) const {
    auto exchange = [&] {
        return sys::renameat2(AT_FDCWD, active_.c_str(), AT_FDCWD, other.c_str(),
                              sys::kRenameExchange);
    };
    if (exchange() != 0) return FailErrno("exchange ", Quote(active_), " and ", Quote(other));
    Status synced = SyncParent();
    if (!synced) (void)exchange();
    return synced;
}

Status UnitFolder::SyncParent() const { return SyncDirectory(ParentOf(active_)); }

std::optional<Pending> UnitFolder::FindPending() const {
    auto text = ReadFile(Cat(active_, kPendingName), kMaxMarkerSize);
    if (!text && text.error().code() == ENOENT) return std::nullopt;
    auto pending = text ? ParsePending(*text) : Result<Pending>(Fail(std::move(text).error()));
    return pending ? *pending : Pending{};
}

Status UnitFolder::Confirm() const {
    const std::string marker = Cat(active_, kPendingName);
    if (::unlink(marker.c_str()) != 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return Fail("nothing is to be confirmed: no 'husk apply --confirm' is pending");
        return FailErrno("remove ", Quote(marker));
    }
    return SyncDirectory(active_);
}

Status UnitFolder::Revert() const { return Run(RevertSteps()); }

Result<bool> UnitFolder::Recover() const {
    if (FindPending()) return false;
    bool found = false;
    if (Exists(Cat(previous(), kPendingName))) {
        HUSK_TRY(DropReverted());
        HUSK_TRY(KeepRejected());
        found = true;
    }
    if (Exists(Cat(reverted(), kPendingName))) {
        HUSK_TRY(NoteRejected());
        found = true;
    }
    return found;
}

std::optional<int64_t> UnitFolder::RevertedAt() const {
    struct stat info {};
    if (::stat(Cat(reverted(), kRevertedName).c_str(), &info) != 0) return std::nullopt;
    return int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
}

}  // namespace husk::supervisor
