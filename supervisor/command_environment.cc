#include "supervisor/command_environment.h"

#include "base/text.h"

namespace husk::supervisor {

const char* ServiceResult(const ExitInfo& exit, const config::ExitStatusSet& success,
                          config::ServiceType type) {
    switch (exit.kind) {
        case ExitKind::kNone: return "success";
        case ExitKind::kExited: return IsClean(exit, success, type) ? "success" : "exit-code";
        case ExitKind::kSignal:
            return IsClean(exit, success, type) ? "success"
                   : exit.core_dumped           ? "core-dump"
                                                : "signal";
        case ExitKind::kOom: return "oom-kill";
        case ExitKind::kTimeout: return "timeout";
        case ExitKind::kWatchdog: return "watchdog";
        case ExitKind::kUnhealthy: return "signal";
        case ExitKind::kStartFailed:
        case ExitKind::kDamaged:
        case ExitKind::kUnknown: return "resources";
    }
    return "resources";
}

namespace {

void AddResult(std::vector<std::string>& variables, const char* prefix, pid_t main_pid,
               const ExitInfo& exit, const config::ServiceSection& service) {
    // What is there of an exit while the main process runs is an earlier run's.
    const ExitInfo& ended = main_pid != 0 ? ExitInfo() : exit;
    auto add = [&](const char* name, std::string_view value) {
        variables.push_back(Cat(prefix, name, "=", value));
    };
    add("SERVICE_RESULT", ServiceResult(ended, service.success, service.type));
    if (ended.signal != 0) {
        const std::string full = SignalName(ended.signal);
        std::string_view name = full;
        if (name.starts_with("SIG")) name.remove_prefix(3);
        add("EXIT_CODE", ended.core_dumped ? "dumped" : "killed");
        add("EXIT_STATUS", name);
    } else if (ended.kind == ExitKind::kExited) {
        add("EXIT_CODE", "exited");
        add("EXIT_STATUS", std::to_string(ended.code));
    }
}

}  // namespace

std::vector<std::string> CommandEnvironment(CommandKind kind, pid_t main_pid, const ExitInfo& exit,
                                            const config::ServiceSection& service) {
    std::vector<std::string> variables;
    const bool ends = kind == CommandKind::kStop || kind == CommandKind::kStopPost;
    if (main_pid != 0 && (ends || kind == CommandKind::kStartPost || kind == CommandKind::kReload))
        variables.push_back(Cat("MAINPID=", std::to_string(main_pid)));
    if (ends) AddResult(variables, "", main_pid, exit, service);
    return variables;
}

std::vector<std::string> MonitorEnvironment(const std::string& unit, pid_t main_pid,
                                            const ExitInfo& exit,
                                            const config::ServiceSection& service) {
    std::vector<std::string> variables;
    AddResult(variables, "MONITOR_", main_pid, exit, service);
    variables.push_back("MONITOR_UNIT=" + unit);
    return variables;
}

}  // namespace husk::supervisor
