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
        return Fail(Cat("the supervisor sent ", std::to_string(files.size()),
                        " log files where two were to come"));
    return LogReader(OwnDescription(std::move(files[0])), OwnDescription(std::move(files[1])));
}

Status LogReader::ReadMarks() {
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
        const size_t count = *got / sizeof(LogMark);
        if (count == 0) break;
        assembler_.AddMarks(std::span(marks.data(), count));
        next_mark_ += count * sizeof(LogMark);
    }
    return {};
}

Status LogReader::ReadNew(const LogSink& sink) {
    // The size first: marks that come meanwhile tell of text that is read next time.
    auto size = SizeOf(text_.get());
    if (!size) return Fail(std::move(size).error());
    HUSK_TRY(ReadMarks());
    std::vector<char> buffer(kChunk);
    uint64_t position = std::max(assembler_.position(), BeginOf(text_.get(), *size));
    std::vector<LogEntry> entries;
    // Everything fell out of the window.
    if (position == *size && assembler_.position() < position)
        assembler_.AddText(position, {}, entries);
    while (position < *size) {
        const size_t wanted = std::min<uint64_t>(kChunk, *size - position);
        auto got = ReadAt(text_.get(), buffer.data(), wanted, position);
        if (!got) return Fail(std::move(got).error());
        if (*got == 0) break;
        // What was punched out before or while it was read shows as zeros.
        const uint64_t valid = std::max(position, BeginOf(text_.get(), *size));
        const uint64_t end = position + *got;
        if (valid < end)
            assembler_.AddText(
                valid, std::string_view(buffer.data() + (valid - position), end - valid), entries);
        position = std::max(end, valid);
        HUSK_TRY(sink(std::exchange(entries, {})));
    }
    assembler_.AddEvents(entries);
    return sink(std::move(entries));
}

Status LogReader::Finish(const LogSink& sink) {
    std::vector<LogEntry> entries;
    assembler_.Finish(entries);
    return sink(std::move(entries));
}

Result<bool> LogReader::WaitForMore(int output) {
    if (!notices_) {
        notices_.reset(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
        if (!notices_) return FailErrno("make an inotify instance");
        for (int fd : {text_.get(), marks_.get()})
            if (::inotify_add_watch(notices_.get(), PathOf(fd).c_str(), IN_MODIFY) < 0)
                return FailErrno("watch the log");
        return true;  // what came before the watch has no notice
    }
    pollfd watched[] = {{notices_.get(), POLLIN, 0}, {output, 0, 0}};
    if (::poll(watched, 2, kLookAgain) < 0 && errno != EINTR) return FailErrno("poll the log");
    char notices[4096];
    while (::read(notices_.get(), notices, sizeof notices) > 0) {
    }
    return (watched[1].revents & (POLLERR | POLLHUP)) == 0;
}

}  // namespace husk::cli
