// What the lifecycle knows about states and delays, apart from its transitions.
#include <signal.h>

#include <algorithm>

#include "supervisor/lifecycle.h"

namespace husk::supervisor {
namespace {

using config::ServiceType;

struct StateFacts {
    const char *name, *sub_name;
    bool settled, processes, up;
};
constexpr StateFacts kFacts[kStates] = {
    {"inactive", "inactive", true, false, false},  {"waiting", "waiting", false, false, false},
    {"starting", "condition", false, true, false}, {"starting", "start-pre", false, true, false},
    {"starting", "starting", false, true, false},  {"starting", "start-post", false, true, false},
    {"running", "running", true, true, true},      {"reloading", "reloading", true, true, true},
    {"exited", "exited", true, false, true},       {"stopping", "stop-command", false, true, false},
    {"stopping", "stopping", false, true, false},  {"stopping", "cleaning", false, true, false},
    {"stopping", "stop-post", false, true, false}, {"backoff", "backoff", true, false, false},
    {"failed", "failed", true, false, false},
};
const StateFacts& FactsOf(State state) { return kFacts[static_cast<int>(state)]; }

constexpr Duration kLeastRepeatedDelay = std::chrono::milliseconds(10);

double Count(Duration span) { return static_cast<double>(span.count()); }
Duration Times(Duration span, double factor) {
    return Duration(static_cast<int64_t>(Count(span) * factor));
}

double Power(double base, int exponent) {
    double power = 1;
    while (exponent-- > 0) power *= base;
    return power;
}

// The factor that makes `ratio` in so many steps, from below. By bisection: pow() brings 8 KB.
double StepFactor(double ratio, int steps) {
    double low = 1, high = ratio;
    for (int i = 0; i < 100; ++i) {
        const double middle = (low + high) / 2;
        (Power(middle, steps) < ratio ? low : high) = middle;
    }
    return low;
}

// A oneshot is ready when it has ended.
bool SaysReady(const config::Unit& unit) {
    const config::ServiceSection& service = unit.service;
    if (service.type == ServiceType::kOneshot) return false;
    return service.type == ServiceType::kNotify || service.type == ServiceType::kNotifyReload ||
           service.notify_fd || unit.container.notify != config::NotifyMode::kNo;
}

}  // namespace

const char* StateName(State state) { return FactsOf(state).name; }
const char* SubStateName(State state) { return FactsOf(state).sub_name; }
bool IsSettled(State state) { return FactsOf(state).settled; }
bool HasProcesses(State state) { return FactsOf(state).processes; }
bool IsUp(State state) { return FactsOf(state).up; }
bool IsEnding(State state) { return state >= State::kStopCommand && state <= State::kStopPost; }

Policy PolicyOf(const config::Unit& unit, const config::SystemConfig& system) {
    const config::ServiceSection& service = unit.service;
    Policy policy;
    policy.type = service.type;
    policy.restart = service.restart;
    policy.restart_sec = service.restart_sec;
    policy.restart_max_delay = service.restart_max_delay;
    policy.restart_steps = service.restart_steps;
    policy.restart_prevent = service.restart_prevent;
    policy.restart_force = service.restart_force;
    policy.success = service.success;
    policy.remain_after_exit = service.remain_after_exit;
    // systemd.service(5), TimeoutStartSec=: for oneshot it is off unless given.
    policy.timeout_start = service.timeout_start.value_or(
        service.type == ServiceType::kOneshot ? kInfinite : system.default_timeout_start);
    policy.timeout_stop = service.timeout_stop.value_or(system.default_timeout_stop);
    policy.timeout_abort = service.timeout_abort.value_or(policy.timeout_stop);
    policy.runtime_max = service.runtime_max;
    policy.job_timeout = unit.unit.job_timeout;
    policy.watchdog = service.watchdog == kInfinite ? Duration{} : service.watchdog;
    policy.watchdog_signal = service.watchdog_signal;
    policy.kill_mode = service.kill_mode;
    policy.kill_signal = service.kill_signal;
    policy.restart_kill_signal = service.restart_kill_signal.value_or(service.kill_signal);
    policy.final_kill_signal = service.final_kill_signal;
    policy.send_sigkill = service.send_sigkill;
    policy.send_sighup = service.send_sighup;
    const bool notify_reload = service.type == ServiceType::kNotifyReload;
    policy.reload_signal = service.reload_signal.value_or(notify_reload ? SIGHUP : 0);
    policy.says_ready = SaysReady(unit);
    policy.start_limit_interval = unit.unit.start_limit_interval;
    policy.start_limit_burst = unit.unit.start_limit_burst;
    // In the order of CommandKind.
    const List<config::ServiceCommand>* lists[] = {
        &service.exec_condition, &service.exec_start_pre, &service.exec_start_post,
        &service.exec_reload,    &service.exec_stop,      &service.exec_stop_post};
    for (int kind = 0; kind < kCommandKinds; ++kind)
        for (const auto& command : *lists[kind]) policy.commands[kind].push_back(command.may_fail);
    return policy;
}

bool CanReload(const Policy& policy) {
    return policy.reload_signal != 0 || !policy.Commands(CommandKind::kReload).empty();
}

Duration BackoffDelay(const Policy& policy, int failures_in_row, uint32_t random) {
    const Duration first = policy.restart_sec, most = policy.restart_max_delay;
    Duration delay = first;
    if (failures_in_row > 1) {
        delay = std::max(delay, kLeastRepeatedDelay);
        const bool grows = policy.restart_steps > 0 && most != kInfinite && delay < most;
        if (grows && failures_in_row > policy.restart_steps) {
            delay = most;
        } else if (grows) {
            const double factor = StepFactor(Count(most) / Count(delay), policy.restart_steps);
            delay = Times(delay, Power(factor, failures_in_row - 1));
        }
    }
    if (delay > kInfinite / 2) return delay;
    // A tenth of it at most: units that fell together do not come back all at once.
    return delay + Times(delay, random / 4294967296.0 / 10);
}

Duration StableRun(const Policy& policy) {
    const Duration longest = policy.restart_max_delay == kInfinite || policy.restart_steps == 0
                                 ? policy.restart_sec
                                 : std::max(policy.restart_sec, policy.restart_max_delay);
    return std::max<Duration>(std::chrono::seconds(10), longest);
}

}  // namespace husk::supervisor
