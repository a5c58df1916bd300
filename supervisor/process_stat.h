// The text of /proc/PID/status (proc_pid_status(5)). Pure.
#pragma once

#include <string_view>

namespace husk::supervisor {

// What stands behind `field`, "TracerPid:", without blanks around it; empty where there is none.
std::string_view StatusField(std::string_view status, std::string_view field);

// Whether the signal does what it does by default: it is neither handled, nor blocked (as
// signalfd(2) and sigwaitinfo(2) want it), nor ignored.
bool HasDefaultAction(std::string_view status, int signal);

}  // namespace husk::supervisor
