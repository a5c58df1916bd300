// How a unit's log lies in memory: two sparse files without a name (memfd_create(2)), which PID 1
// keeps open, so that they outlive the supervisor.
//
// text: exactly the bytes that the unit wrote, each at its absolute offset since the log began.
//   The supervisor moves them in by splice(2) at the file's own position: the kernel takes them out
//   of the pipe and moves the position in one call, so that no death of the supervisor between two
//   instructions can lose or repeat a byte. What falls out of the window is punched out
//   (fallocate(2)): the log is a ring whose wrapping the kernel does. Its end is the file's size,
//   its beginning is lseek(SEEK_DATA) from 0.
//   A unit with a rate limit is read besides: tee(2) copies what waits, the lines are counted, and
//   what is to be kept or dropped is then spliced into the file or into /dev/null.
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
    // Here `status` lines were dropped by LogRateLimitBurst=; pid is 1 where the last of them has
    // not ended, and what is written next is the rest of it.
    kLimited = 3,
};

struct LogMark {
    uint64_t offset = 0;
    int64_t realtime = 0;   // nanoseconds since 1970
    int64_t monotonic = 0;  // nanoseconds of CLOCK_MONOTONIC
    LogMarkKind kind = LogMarkKind::kText;
    int32_t pid = 0;
    int32_t status = 0;
    // In every mark: how many lines were dropped since the log began, and kMarkOpen.
    uint32_t dropped = 0;
};
// The last mark, a kLimited one whose count still grows: it is written again in its place until
// another follows. A reader that waits for more reads it again.
inline constexpr uint32_t kMarkOpen = 1u << 31;
static_assert(sizeof(LogMark) == 40);

}  // namespace husk::supervisor
