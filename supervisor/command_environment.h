// What a command of Exec…= is told of the unit in its environment: systemd.exec(5), "Environment
// Variables Set or Propagated by the Service Manager".
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "config/unit.h"
#include "supervisor/exit_info.h"
#include "supervisor/lifecycle.h"

namespace husk::supervisor {

// $SERVICE_RESULT: "success", "exit-code", "signal", "core-dump", "oom-kill", "timeout", "watchdog"
// or "resources" (it could not be started, or nobody knows).
const char* ServiceResult(const ExitInfo& exit, const config::ExitStatusSet& success,
                          config::ServiceType type);

// Pure. `main_pid` is as seen where the command runs, 0: none runs. MAINPID for start-post, reload,
// stop and stop-post; SERVICE_RESULT for stop and stop-post, with EXIT_CODE and EXIT_STATUS once
// the main process has ended.
std::vector<std::string> CommandEnvironment(CommandKind kind, pid_t main_pid, const ExitInfo& exit,
                                            const config::ServiceSection& service);

// What a unit that is started by OnFailure= or OnSuccess= is told of the unit that names it there:
// the same with MONITOR_ in front, and MONITOR_UNIT. There are no invocation ids here.
std::vector<std::string> MonitorEnvironment(const std::string& unit, pid_t main_pid,
                                            const ExitInfo& exit,
                                            const config::ServiceSection& service);

}  // namespace husk::supervisor
