// The log of one unit: a pipe that its containers write to, and two files in memory that the bytes
// are moved to (log_format.h). One supervisor at a time drains it; its death at any moment loses
// and repeats nothing:
//
// splice(2) without an offset writes at the position of the open file description, takes the bytes
// out of the pipe and moves the position within one system call (do_splice in the kernel's
// fs/splice.c), and a fatal signal is acted upon only between system calls; one that arrives during
// it makes it shorter, not half done. Descriptors that PID 1 keeps share that description, so a new
// supervisor reads the position from it (lseek(2) with SEEK_CUR) and goes on. Hence two rules:
// never seek the text file, and never give its description to a reader.
//
// A container that lays pages of a file into its pipe which later cannot be read (EIO) stops its
// own log, and no other.
#pragma once

#include <cstddef>
#include <cstdint>

#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/time.h"
#include "supervisor/log_format.h"
#include "supervisor/log_limit.h"

namespace husk::supervisor {

// What PID 1 keeps for a unit's log.
struct LogFds {
    OwnedFd text, marks;
    OwnedFd pipe;  // the read end
};

struct LogReaders {
    OwnedFd text, marks;
};

struct Drained {
    size_t bytes = 0;
    // The pipe may hold more: it was not emptied by this call.
    bool more = false;
    // The memory file takes no more (no memory). The bytes stay in the pipe; take the pipe out of
    // the event loop and drain again after a pause, since its being readable would spin the loop.
    bool stuck = false;
};

class UnitLog {
  public:
    // The most that one Drain() moves, so that a flood in one unit holds up no other.
    static constexpr size_t kMostAtOnce = 64 * 1024;

    // `window`: bytes of text that are kept at least, beside what was written most recently; up to
    // a quarter (at least 64 KiB) more until the next punch. Marks take up to a quarter of that.
    static Result<UnitLog> Create(const std::string& unit, size_t window);
    // Goes on with what an earlier supervisor left. Refuses descriptors of the wrong type.
    static Result<UnitLog> Adopt(const std::string& unit, LogFds fds, size_t window);

    // Moves what waits in the pipe, at most `at_most` (and kMostAtOnce) bytes. An error is returned
    // once, when it first occurs; until bytes move again further ones are `stuck` only.
    Result<Drained> Drain(size_t at_most = kMostAtOnce);

    // From here on. A supervisor that is killed and followed by another loses no line and repeats
    // none here either; only the interval begins anew, and what was dropped since the last
    // Drain() began may be missing from the count.
    void SetRate(const LogRate& rate);
    // The count of dropped lines that still grows is final from here on: to be called at `when`.
    bool IsDropping() const { return open_lines_ > 0; }
    Instant DroppingEnd() const { return limiter_.window_end(); }
    // A line that is being dropped goes on being dropped to its end, by the next supervisor, too.
    void EndDropping() { EndDropping(limiter_.dropping()); }
    // By the rate limit, since the log began.
    uint64_t lines_dropped() const { return dropped_; }

    // Bytes of memory that it holds, about.
    uint64_t use() const;
    // Drops the oldest of it.
    void ShrinkTo(uint64_t bytes);

    // "A process was started", "it ended". Call Drain() until it is empty first, so that the mark
    // stands behind the last words. A line that has not ended ends here, as for who reads the log.
    Status Mark(LogMarkKind kind, int pid, int wait_status);

    // A write end for one container: a file description of its own, since a container may set
    // O_NONBLOCK on its standard output and so would change it for the next one.
    Result<OwnedFd> OpenWriter() const;
    // For readers: descriptions of their own, read-only.
    Result<LogReaders> OpenReadOnly() const;

    // The last lines, at most `lines` and 64 KiB; the last may be without its newline still.
    Result<std::vector<std::string>> Tail(size_t lines) const;

    // Readable: bytes wait. Nonblocking.
    int pipe_fd() const { return fds_.pipe.get(); }
    const LogFds& fds() const { return fds_; }
    // How many bytes were ever written.
    uint64_t end() const { return end_; }

  private:
    UnitLog() = default;
    Status OpenKeeper();
    void FindBegin();
    void ReadLastMark();
    Result<Drained> DrainLimited(size_t most);
    Result<size_t> MoveTo(int file, size_t most);
    void Stored(size_t bytes);
    void NoteDropped(uint64_t lines);
    void MarkDropped(bool in_line);
    void EndDropping(bool in_line);
    bool TextIsInLine() const;
    Status MarkText(uint64_t offset);
    Status AppendMark(LogMark mark);
    void PunchText();
    void PunchMarks();

    std::string unit_;
    LogFds fds_;
    // Our own write end: without one the pipe would hang up (EPOLLHUP) between two containers.
    OwnedFd keeper_;
    size_t window_ = 0;
    uint64_t end_ = 0, begin_ = 0;              // of text; begin_ as far as we punched
    uint64_t marks_end_ = 0, marks_begin_ = 0;  // bytes
    LogLimiter limiter_;
    OwnedFd null_;
    uint64_t dropped_ = 0, open_lines_ = 0;  // lines; of those, in the mark that is open
    Instant last_mark_{};
    bool text_marked_ = false;  // the last mark is a kText
    bool stuck_ = false;
};

}  // namespace husk::supervisor
