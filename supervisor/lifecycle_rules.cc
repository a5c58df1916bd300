// What the lifecycle knows about states and delays, apart from its transitions.
#include <algorithm>

#include "supervisor/lifecycle.h"

namespace husk::supervisor {
namespace {

using config::ServiceType;

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

}  // namespace

const char* StateName(State state) {
    switch (state) {
        case State::kInactive: return "inactive";
        case State::kWaiting: return "waiting";
        case State::kStarting: return "starting";
        case State::kRunning: return "running";
        case State::kExited: return "exited";
        case State::kStopping: return "stopping";
        case State::kCleaning: return "stopping";
        case State::kBackoff: return "backoff";
        case State::kFailed: return "failed";
    }
    return "unknown";
}

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
    policy.kill_mode = service.kill_mode;
    policy.kill_signal = service.kill_signal;
    policy.send_sigkill = service.send_sigkill;
    return policy;
}

bool IsSettled(State state) {
    switch (state) {
        case State::kInactive:
        case State::kRunning:
        case State::kExited:
        case State::kBackoff:
        case State::kFailed: return true;
        case State::kWaiting:
        case State::kStarting:
        case State::kStopping:
        case State::kCleaning: return false;
    }
    return false;
}

bool HasProcesses(State state) {
    switch (state) {
        case State::kStarting:
        case State::kRunning:
        case State::kStopping:
        case State::kCleaning: return true;
        case State::kInactive:
        case State::kWaiting:
        case State::kExited:
        case State::kBackoff:
        case State::kFailed: return false;
    }
    return false;
}

bool IsUp(State state) { return state == State::kRunning || state == State::kExited; }

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
