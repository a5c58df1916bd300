#include "cli/log_files.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/file.h"
#include "base/text.h"

namespace husk::cli {
namespace {

constexpr size_t kChunk = 64 * 1024;
// Since Linux 6.14 writing to what memfd_create(2) itself returned gives no notice (writing to it
// opened again by /proc/self/fd does), so a reader must look on its own now and then.
constexpr int kLookAgain = 250;  // milliseconds

std::string PathOf(int fd) { return Cat("/proc/self/fd/", std::to_string(fd)); }

// An open file description of our own: what the supervisor sent is shared with it, or with other
// readers, and so is the position that lseek(2) moves.
OwnedFd OwnDescription(OwnedFd shared) {
    auto own = OpenFile(PathOf(shared.get()), O_RDONLY);
    return own ? std::move(*own) : std::move(shared);
}

Result<uint64_t> SizeOf(int fd) {
    struct stat info {};
    if (::fstat(fd, &info) != 0) return FailErrno("stat the log");
    return static_cast<uint64_t>(info.st_size);
}

// Where what is still there begins; `size` where nothing is.
uint64_t BeginOf(int fd, uint64_t size) {
    const off_t begin = ::lseek(fd, 0, SEEK_DATA);
    if (begin >= 0) return std::min(size, static_cast<uint64_t>(begin));
    return errno == ENXIO ? size : 0;
}

Result<size_t> ReadAt(int fd, void* buffer, size_t length, uint64_t offset) {
    for (;;) {
        const ssize_t got = ::pread(fd, buffer, length, static_cast<off_t>(offset));
        if (got >= 0) return static_cast<size_t>(got);
        if (errno != EINTR) return FailErrno("read the log");
    }
}

}  // namespace

Result<LogReader> LogReader::Create(std::vector<OwnedFd> files) {
    if (files.size() != 2)
        return Fail("the supervisor sent ", std::to_string(files.size()),
                    " log files where two were to come");
    return LogReader(OwnDescription(std::move(files[0])), OwnDescription(std::move(files[1])));
}

Status LogReader::ReadMarks(bool open_too) {
    using supervisor::LogMark;
    auto size = SizeOf(marks_.get());
    if (!size) return Fail(std::move(size).error());
    // The ring of marks is punched in pages, which cut a mark at its beginning.
    const uint64_t begin = BeginOf(marks_.get(), *size);
    const uint64_t whole = (begin + sizeof(LogMark) - 1) / sizeof(LogMark) * sizeof(LogMark);
    next_mark_ = std::max(next_mark_, whole);
    std::array<LogMark, 256> marks;
    while (next_mark_ + sizeof(LogMark) <= *size) {
        auto got = ReadAt(marks_.get(), marks.data(), sizeof marks, next_mark_);
        if (!got) return Fail(std::move(got).error());
        size_t count = *got / sizeof(LogMark);
        // One whose count still grows is the last, and is read again.
        const bool open = count > 0 && (marks[count - 1].dropped & supervisor::kMarkOpen) != 0;
        if (open && !open_too) --count;
        if (count == 0) break;
        assembler_.AddMarks(std::span(marks.data(), count), next_mark_);
        next_mark_ += count * sizeof(LogMark);
    }
    return {};
}

bool LogReader::GoOnAt(const LogAssembler::Place& place) {
    assembler_.GoOnAt(place);
    auto size = SizeOf(text_.get());
    return size && place.offset <= *size &&
           (place.offset == *size || BeginOf(text_.get(), *size) <= place.offset);
}

// A round begins, or begins anew.
Status LogReader::Look(std::vector<LogEntry>& out) {
    // The size first: marks that come meanwhile tell of text that is read next time.
    auto size = SizeOf(text_.get());
    if (!size) return Fail(std::move(size).error());
    HUSK_TRY(ReadMarks(false));
    until_ = *size;
    // Everything fell out of the window.
    const uint64_t begin = BeginOf(text_.get(), *size);
    if (begin == *size && assembler_.position() < begin) assembler_.AddText(begin, {}, out);
    return {};
}

Result<bool> LogReader::ReadPiece(std::vector<LogEntry>& out, size_t most_bytes) {
    if (!until_) {
        HUSK_TRY(Look(out));
        left_ = *until_ -
                std::min(*until_, std::max(assembler_.position(), BeginOf(text_.get(), *until_)));
    } else if (assembler_.position() >= *until_ || BeginOf(text_.get(), *until_) == *until_) {
        HUSK_TRY(Look(out));  // overtaken: on with the oldest that is still there
    }
    const uint64_t position = std::max(assembler_.position(), BeginOf(text_.get(), *until_));
    if (position < *until_) {
        std::vector<char> buffer(std::min<uint64_t>(most_bytes, *until_ - position));
        auto got = ReadAt(text_.get(), buffer.data(), buffer.size(), position);
        if (!got) return Fail(std::move(got).error());
        // What was punched out before or while it was read shows as zeros.
        const uint64_t valid = std::max(position, BeginOf(text_.get(), *until_));
        const uint64_t end = position + *got;
        if (valid < end)
            assembler_.AddText(
                valid, std::string_view(buffer.data() + (valid - position), end - valid), out);
        left_ -= std::min<uint64_t>(left_, *got);
        // At the end, what is left is what was gone.
        if (*got > 0 && left_ > 0) return true;
    }
    assembler_.AddEvents(out);
    until_.reset();
    return false;
}

Status LogReader::ReadNew(const LogSink& sink) {
    for (;;) {
        std::vector<LogEntry> entries;
        auto more = ReadPiece(entries, kChunk);
        if (!more) return Fail(std::move(more).error());
        HUSK_TRY(sink(std::move(entries)));
        if (!*more) return {};
    }
}

Status LogReader::Finish(std::vector<LogEntry>& out) {
    HUSK_TRY(ReadMarks(true));
    assembler_.Finish(out);
    return {};
}

// Without notices there is still the time after which it looks again.
void LogWatch::Add(const LogReader& reader) {
    if (!notices_) notices_.reset(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!notices_) return;
    for (int fd : {reader.text(), reader.marks()})
        (void)::inotify_add_watch(notices_.get(), PathOf(fd).c_str(), IN_MODIFY);
    looked_ = false;
}

Result<bool> LogWatch::Wait(int output) {
    if (!std::exchange(looked_, true)) return true;  // what came before the watch has no notice
    std::vector<pollfd> watched{{notices_.get(), POLLIN, 0}, {output, 0, 0}};
    for (int fd : polled_) watched.push_back({fd, POLLIN, 0});
    if (::poll(watched.data(), watched.size(), kLookAgain) < 0 && errno != EINTR)
        return FailErrno("poll the log");
    char notices[4096];
    while (notices_ && ::read(notices_.get(), notices, sizeof notices) > 0) {
    }
    return (watched[1].revents & (POLLERR | POLLHUP)) == 0;
}

}  // namespace husk::cli
