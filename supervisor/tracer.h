// A child that has ended can be waited for by nobody but its tracer while it has one (ptrace(2)):
// a container whose programs may trace could so keep its own ends from the supervisor.
#pragma once

#include <sys/types.h>

#include <string_view>

#include "base/time.h"

namespace husk::supervisor {

// A tracer that waits for what it traces has done so by then.
inline constexpr Duration kTracerPause = std::chrono::milliseconds(200);

// The number behind `field`, "TracerPid:", in /proc/PID/status; 0 where there is none. Pure.
pid_t PidInStatus(std::string_view status, std::string_view field);

// Of a process: whether it has ended, though nobody has waited for it.
bool HasEnded(int pidfd);

// Kills the tracer of `pid` where it is in the cgroup `leaf` or below. One from outside, a person's
// debugger, is left alone.
void EndTracer(pid_t pid, std::string_view leaf);

}  // namespace husk::supervisor
