#include "supervisor/exit_info.h"

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <vector>

#include "base/text.h"

namespace husk::supervisor {
namespace {

using config::RestartPolicy;
using config::ServiceType;

bool Contains(const std::vector<int>& numbers, int number) {
    return std::find(numbers.begin(), numbers.end(), number) != numbers.end();
}

// An OOM kill is a SIGKILL, so a set that names SIGKILL means it as well.
bool Matches(const config::ExitStatusSet& set, const ExitInfo& exit) {
    switch (exit.kind) {
        case ExitKind::kExited: return Contains(set.codes, exit.code);
        case ExitKind::kSignal:
        case ExitKind::kOom: return Contains(set.signals, exit.signal);
        case ExitKind::kNone:
        case ExitKind::kStartFailed:
        case ExitKind::kTimeout:
        case ExitKind::kDamaged:
        case ExitKind::kWatchdog:
        case ExitKind::kUnhealthy:
        case ExitKind::kUnknown: return false;
    }
    return false;
}

bool IsCleanSignal(int signal) {
    return signal == SIGHUP || signal == SIGINT || signal == SIGTERM || signal == SIGPIPE;
}

// The rows of the table; its columns are the cases of WantsRestart.
enum class Row { kClean, kUncleanCode, kUncleanSignal, kAbnormal, kWatchdog };

Row RowOf(const ExitInfo& exit, const RestartRules& rules) {
    if (IsClean(exit, rules.success, rules.type)) return Row::kClean;
    switch (exit.kind) {
        case ExitKind::kSignal: return Row::kUncleanSignal;
        // For systemd an OOM kill is a result of its own, beside timeout: on-abort means crashes.
        case ExitKind::kOom:
        case ExitKind::kTimeout:
        case ExitKind::kDamaged:
        case ExitKind::kUnhealthy: return Row::kAbnormal;
        case ExitKind::kWatchdog: return Row::kWatchdog;
        case ExitKind::kNone:
        case ExitKind::kExited:
        case ExitKind::kStartFailed:
        case ExitKind::kUnknown: return Row::kUncleanCode;
    }
    return Row::kUncleanCode;
}

std::string MainWords(const ExitInfo& exit) {
    switch (exit.kind) {
        case ExitKind::kNone: return "not ended yet";
        case ExitKind::kExited: return Cat("exited with code ", std::to_string(exit.code));
        case ExitKind::kSignal:
            return Cat("killed by ", SignalName(exit.signal),
                       exit.core_dumped ? " (core dumped)" : "");
        case ExitKind::kOom: return exit.text.empty() ? OomWords(exit) : std::string(exit.text);
        case ExitKind::kStartFailed: return Cat("start failed: ", exit.text);
        case ExitKind::kTimeout:
        case ExitKind::kDamaged:
        case ExitKind::kWatchdog:
        case ExitKind::kUnhealthy: return exit.text;
        case ExitKind::kUnknown: return "ended, but its exit status was lost";
    }
    return "ended";
}

}  // namespace

ExitInfo ExitFromWaitStatus(int wait_status, uint64_t oom_kills, uint64_t memory_limit, Instant at,
                            int64_t at_realtime) {
    ExitInfo exit;
    exit.oom_kills = oom_kills;
    exit.memory_limit = memory_limit;
    exit.at = at;
    exit.at_realtime = at_realtime;
    if (WIFEXITED(wait_status)) {
        exit.kind = ExitKind::kExited;
        exit.code = WEXITSTATUS(wait_status);
    } else if (WIFSIGNALED(wait_status)) {
        exit.signal = WTERMSIG(wait_status);
        exit.core_dumped = WCOREDUMP(wait_status);
        exit.kind = exit.signal == SIGKILL && oom_kills > 0 ? ExitKind::kOom : ExitKind::kSignal;
    } else {
        // Stopped or continued (never asked for), or damage.
        exit.kind = ExitKind::kUnknown;
    }
    return exit;
}

std::string OomWords(const ExitInfo& exit) {
    if (exit.memory_limit == 0) return "killed for memory";
    return Cat("killed for memory (limit ", FormatBytes(exit.memory_limit), ")");
}

std::string Describe(const ExitInfo& exit) {
    std::string words = MainWords(exit);
    if (exit.oom_kills > 0 && exit.kind != ExitKind::kOom && exit.kind != ExitKind::kNone)
        words +=
            Cat(" (", std::to_string(exit.oom_kills),
                exit.oom_kills == 1 ? " process was " : " processes were ", OomWords(exit), ")");
    return words;
}

const char* ExitKindName(ExitKind kind) {
    switch (kind) {
        case ExitKind::kNone: return "none";
        case ExitKind::kExited: return "exited";
        case ExitKind::kSignal: return "signal";
        case ExitKind::kOom: return "oom";
        case ExitKind::kStartFailed: return "start-failed";
        case ExitKind::kTimeout: return "timeout";
        case ExitKind::kDamaged: return "damaged";
        case ExitKind::kWatchdog: return "watchdog";
        case ExitKind::kUnhealthy: return "unhealthy";
        case ExitKind::kUnknown: return "unknown";
    }
    return "unknown";
}

bool IsClean(const ExitInfo& exit, const config::ExitStatusSet& success, ServiceType type) {
    switch (exit.kind) {
        case ExitKind::kExited: return exit.code == 0 || Matches(success, exit);
        case ExitKind::kSignal:
            if (type != ServiceType::kOneshot && IsCleanSignal(exit.signal)) return true;
            return Matches(success, exit);
        case ExitKind::kNone:
        case ExitKind::kOom:
        case ExitKind::kStartFailed:
        case ExitKind::kTimeout:
        case ExitKind::kDamaged:
        case ExitKind::kWatchdog:
        case ExitKind::kUnhealthy:
        case ExitKind::kUnknown: return false;
    }
    return false;
}

bool WantsRestart(const ExitInfo& exit, const RestartRules& rules) {
    const Row row = RowOf(exit, rules);
    // systemd.service(5): "always" and "on-success" would run a oneshot for ever.
    if (rules.type == ServiceType::kOneshot && row == Row::kClean) return false;
    if (Matches(rules.prevent, exit)) return false;
    if (Matches(rules.force, exit)) return true;
    switch (rules.policy) {
        case RestartPolicy::kNo: return false;
        case RestartPolicy::kAlways: return true;
        case RestartPolicy::kOnSuccess: return row == Row::kClean;
        case RestartPolicy::kOnFailure: return row != Row::kClean;
        case RestartPolicy::kOnAbnormal:
            return row == Row::kUncleanSignal || row == Row::kAbnormal || row == Row::kWatchdog;
        case RestartPolicy::kOnAbort: return row == Row::kUncleanSignal;
        case RestartPolicy::kOnWatchdog: return row == Row::kWatchdog;
    }
    return false;
}

}  // namespace husk::supervisor
