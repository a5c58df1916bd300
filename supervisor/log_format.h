// How a unit's log lies in memory: two sparse files without a name (memfd_create(2)), which PID 1
// keeps open, so that they outlive the supervisor.
//
// text: exactly the bytes that the unit wrote, each at its absolute offset since the log began.
//   The supervisor moves them in by splice(2) at the file's own position: the kernel takes them out
//   of the pipe and moves the position in one call, so that no death of the supervisor between two
//   instructions can lose or repeat a byte. What falls out of the window is punched out
//   (fallocate(2)): the log is a ring whose wrapping the kernel does. Its end is the file's size,
//   its beginning is lseek(SEEK_DATA) from 0.
// marks: an array of LogMark, in order of offset. Advisory: a mark that is missing costs a time
//   stamp, never text.
//
// Readers get both files read-only over the control socket ("logs") and read at their own pace;
// inotify(7) on /proc/self/fd/N tells them of more. A slow reader hinders nobody.
#pragma once

#include <cstdint>

namespace husk::supervisor {

enum class LogMarkKind : uint32_t {
    kText = 0,     // from `offset` on, text arrived at this time
    kStarted = 1,  // a process was started; pid is its pid
    kExited = 2,   // it ended; status as waitpid(2) gives it
};

struct LogMark {
    uint64_t offset = 0;
    int64_t realtime = 0;   // nanoseconds since 1970
    int64_t monotonic = 0;  // nanoseconds of CLOCK_MONOTONIC
    LogMarkKind kind = LogMarkKind::kText;
    int32_t pid = 0;
    int32_t status = 0;
    int32_t reserved = 0;
};
static_assert(sizeof(LogMark) == 40);

}  // namespace husk::supervisor
