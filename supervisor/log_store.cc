#include "supervisor/log_store.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/file.h"
#include "base/text.h"

namespace husk::supervisor {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kLeastStep = 64 * 1024;
constexpr size_t kMostTail = 64 * 1024;
constexpr int kPipeSize = 256 * 1024;
// Text within this time of the last mark shares it: a flood makes a hundred marks a second.
constexpr Duration kMarkMerge = std::chrono::milliseconds(10);

size_t StepOf(size_t window) { return std::max(kLeastStep, window / 4); }

// Another description of the same file or pipe (proc(5), /proc/PID/fd).
Result<OwnedFd> Reopen(int fd, int flags) {
    return OpenFile(Cat("/proc/self/fd/", std::to_string(fd)), flags);
}

Result<OwnedFd> MakeMemoryFile(const std::string& name) {
    OwnedFd fd(::memfd_create(name.c_str(), MFD_CLOEXEC));
    if (!fd) return FailErrno("create memory file ", Quote(name));
    // Readers get a read-only description; without this they could open it anew for writing.
    if (::fchmod(fd.get(), 0600) != 0) return FailErrno("chmod memory file ", Quote(name));
    return fd;
}

Status ExpectType(int fd, mode_t type, const char* what) {
    struct stat info {};
    if (::fstat(fd, &info) != 0) return FailErrno("stat ", what);
    if ((info.st_mode & S_IFMT) != type) return Fail(what, " is of the wrong type");
    return {};
}

Status SetNonblocking(int fd) {
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return FailErrno("make log pipe nonblocking");
    return {};
}

uint64_t BeginOf(int fd, uint64_t end) {
    auto file = Reopen(fd, O_RDONLY);  // the position of ours must not move
    const off_t begin = file ? ::lseek(file->get(), 0, SEEK_DATA) : 0;
    return begin < 0 ? end : static_cast<uint64_t>(begin);  // ENXIO: nothing but holes
}

// Gives memory back up to `offset`. Also over what was punched before: that costs nothing, and a
// new supervisor does not know how far the last one came.
bool PunchUpTo(int fd, uint64_t offset) {
    return ::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                       static_cast<off_t>(offset)) == 0;
}

}  // namespace

Result<UnitLog> UnitLog::Create(const std::string& unit, size_t window) {
    LogFds fds;
    auto text = MakeMemoryFile(Cat("husk:log:", unit));
    if (!text) return Fail(std::move(text).error());
    auto marks = MakeMemoryFile(Cat("husk:marks:", unit));
    if (!marks) return Fail(std::move(marks).error());
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return FailErrno("make log pipe");
    fds.text = std::move(*text);
    fds.marks = std::move(*marks);
    fds.pipe = OwnedFd(ends[0]);
    const OwnedFd write_end(ends[1]);
    // Best effort: the default of 64 KiB does as well, only a writer waits sooner.
    (void)::fcntl(fds.pipe.get(), F_SETPIPE_SZ, kPipeSize);
    return Adopt(unit, std::move(fds), window);
}

Result<UnitLog> UnitLog::Adopt(const std::string& unit, LogFds fds, size_t window) {
    HUSK_TRY(ExpectType(fds.text.get(), S_IFREG, "log text"));
    HUSK_TRY(ExpectType(fds.marks.get(), S_IFREG, "log marks"));
    HUSK_TRY(ExpectType(fds.pipe.get(), S_IFIFO, "log pipe"));
    HUSK_TRY(SetNonblocking(fds.pipe.get()));
    const off_t position = ::lseek(fds.text.get(), 0, SEEK_CUR);
    if (position < 0) return FailErrno("read position of log text");
    struct stat marks {};
    if (::fstat(fds.marks.get(), &marks) != 0) return FailErrno("stat log marks");

    UnitLog log;
    log.unit_ = unit;
    log.fds_ = std::move(fds);
    log.window_ = std::max(window, kPage);
    log.end_ = static_cast<uint64_t>(position);
    // A mark that its writer died within is overwritten.
    log.marks_end_ = static_cast<uint64_t>(marks.st_size) / sizeof(LogMark) * sizeof(LogMark);
    log.FindBegin();
    log.ReadLastMark();
    HUSK_TRY(log.OpenKeeper());
    return log;
}

void UnitLog::FindBegin() {
    begin_ = std::min(end_, BeginOf(fds_.text.get(), end_));
    marks_begin_ = std::min(marks_end_, BeginOf(fds_.marks.get(), marks_end_));
}

uint64_t UnitLog::use() const {
    auto pages = [](uint64_t begin, uint64_t end) {
        return (end + kPage - 1) / kPage * kPage - begin / kPage * kPage;
    };
    return pages(begin_, end_) + pages(marks_begin_, marks_end_);
}

// Marks get a quarter, as in the window.
void UnitLog::ShrinkTo(uint64_t bytes) {
    auto shrink = [](int fd, uint64_t& begin, uint64_t end, uint64_t most) {
        const uint64_t pages = most / kPage * kPage;
        const uint64_t whole = (end + kPage - 1) / kPage * kPage;
        if (whole - begin / kPage * kPage <= pages) return;
        if (PunchUpTo(fd, whole - pages)) begin = std::min(end, whole - pages);
    };
    const uint64_t marks = bytes / 4;
    shrink(fds_.marks.get(), marks_begin_, marks_end_, marks);
    shrink(fds_.text.get(), begin_, end_, bytes - marks);
}

Status UnitLog::OpenKeeper() {
    auto writer = OpenWriter();
    if (!writer) return Fail(std::move(writer).error());
    keeper_ = std::move(*writer);
    return {};
}

Result<OwnedFd> UnitLog::OpenWriter() const { return Reopen(fds_.pipe.get(), O_WRONLY); }

Result<LogReaders> UnitLog::OpenReadOnly() const {
    LogReaders readers;
    auto text = Reopen(fds_.text.get(), O_RDONLY);
    if (!text) return Fail(std::move(text).error());
    auto marks = Reopen(fds_.marks.get(), O_RDONLY);
    if (!marks) return Fail(std::move(marks).error());
    readers.text = std::move(*text);
    readers.marks = std::move(*marks);
    return readers;
}

Result<Drained> UnitLog::Drain(size_t at_most) {
    const size_t most = std::min(at_most, kMostAtOnce);
    if (most == 0) return Drained{0, true, false};
    // The rest of a dropped line is dropped, also where there is no limit any more.
    if (limiter_.rate().IsSet() || limiter_.dropping()) return DrainLimited(most);
    auto moved = MoveTo(fds_.text.get(), most);
    if (!moved) {
        if (std::exchange(stuck_, true)) return Drained{0, true, true};
        return Fail(std::move(moved).error().Wrap("store log (it waits in the pipe)"));
    }
    stuck_ = false;
    if (*moved == 0) return Drained{};
    Stored(*moved);
    return Drained{*moved, *moved == most, false};
}

// One splice(2): zero where nothing waits, or no writer is there at all (not while keeper_ is).
Result<size_t> UnitLog::MoveTo(int file, size_t most) {
    ssize_t moved;
    do {
        moved = ::splice(fds_.pipe.get(), nullptr, file, nullptr, most, SPLICE_F_NONBLOCK);
    } while (moved < 0 && errno == EINTR);
    if (moved < 0 && errno == EAGAIN) return size_t{0};
    if (moved < 0) return FailErrno("splice");
    return static_cast<size_t>(moved);
}

void UnitLog::Stored(size_t bytes) {
    const uint64_t from = std::exchange(end_, end_ + bytes);
    PunchText();
    // Marks are advisory: the text is stored, so a mark that found no room is no error.
    (void)MarkText(from);
}

Status UnitLog::MarkText(uint64_t offset) {
    const Instant now = MonotonicNow();
    if (text_marked_ && now - last_mark_ < kMarkMerge) return {};
    HUSK_TRY(AppendMark({.offset = offset,
                         .realtime = RealtimeNow(),
                         .monotonic = now.since_boot.count(),
                         .kind = LogMarkKind::kText}));
    last_mark_ = now;
    text_marked_ = true;
    return {};
}

Status UnitLog::Mark(LogMarkKind kind, int pid, int wait_status) {
    text_marked_ = false;
    limiter_.GoOnIn(false, true);
    return AppendMark({.offset = end_,
                       .realtime = RealtimeNow(),
                       .monotonic = MonotonicNow().since_boot.count(),
                       .kind = kind,
                       .pid = pid,
                       .status = wait_status});
}

Status UnitLog::AppendMark(LogMark mark) {
    if (mark.kind != LogMarkKind::kLimited) EndDropping(false);
    mark.dropped |= static_cast<uint32_t>(std::min<uint64_t>(dropped_, kMarkOpen - 1));
    const ssize_t put =
        ::pwrite(fds_.marks.get(), &mark, sizeof mark, static_cast<off_t>(marks_end_));
    if (put < 0) return FailErrno("store log mark");
    // Half a mark is overwritten by the next one.
    if (put != sizeof mark) return Fail("store log mark: no room");
    if (mark.dropped & kMarkOpen) return {};
    marks_end_ += sizeof mark;
    PunchMarks();
    return {};
}

void UnitLog::PunchText() {
    if (end_ - begin_ < window_ + StepOf(window_)) return;
    const uint64_t keep_from = (end_ - window_) / kPage * kPage;
    // Where it fails there is more log than wanted, and the next call tries again.
    if (PunchUpTo(fds_.text.get(), keep_from)) begin_ = keep_from;
}

void UnitLog::PunchMarks() {
    const size_t window = std::max(kLeastStep, window_ / 4);
    if (marks_end_ - marks_begin_ < window + window / 4) return;
    const uint64_t keep_from = (marks_end_ - window) / kPage * kPage;
    if (PunchUpTo(fds_.marks.get(), keep_from)) marks_begin_ = keep_from;
}

Result<std::vector<std::string>> UnitLog::Tail(size_t lines) const {
    std::vector<std::string> tail;
    // A description of its own: SEEK_DATA moves the position, which must not happen to ours.
    auto file = Reopen(fds_.text.get(), O_RDONLY);
    if (!file) return Fail(std::move(file).error());
    off_t begin = ::lseek(file->get(), 0, SEEK_DATA);
    if (begin < 0) begin = static_cast<off_t>(end_);  // ENXIO: nothing but holes
    const uint64_t size = std::min<uint64_t>(end_ - static_cast<uint64_t>(begin), kMostTail);
    std::string text(size, '\0');
    const ssize_t got =
        ::pread(file->get(), text.data(), text.size(), static_cast<off_t>(end_ - size));
    if (got < 0) return FailErrno("read log of ", Quote(unit_));
    text.resize(static_cast<size_t>(got));

    std::string_view rest = text;
    if (rest.ends_with('\n'))
        rest.remove_suffix(1);
    else if (rest.empty())
        return tail;
    while (tail.size() < lines) {
        const size_t newline = rest.rfind('\n');
        if (newline == rest.npos) {
            // Only where the log begins is this a whole line for sure; half of one is still worth
            // showing when there is nothing else.
            if (size == end_ || tail.empty()) tail.emplace_back(rest);
            break;
        }
        tail.emplace_back(rest.substr(newline + 1));
        rest = rest.substr(0, newline);
    }
    std::reverse(tail.begin(), tail.end());
    return tail;
}

}  // namespace husk::supervisor
