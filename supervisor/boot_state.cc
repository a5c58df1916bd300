#include "supervisor/boot_state.h"

#include <algorithm>

namespace husk::supervisor {
namespace {

// Of a unit by itself; kWaiting is looked at by its order.
Progress ProgressOf(const BootUnit& unit) {
    if (unit.standing.refused || unit.standing.held_up) return Progress::kTrouble;
    switch (unit.standing.state) {
        case State::kFailed:
        case State::kBackoff: return Progress::kTrouble;
        case State::kRunning:
        case State::kReloading:
        case State::kExited: return Progress::kSettled;
        case State::kInactive:
            return unit.standing.wanted && !unit.standing.done ? Progress::kMoving
                                                               : Progress::kSettled;
        case State::kWaiting:
        case State::kCondition:
        case State::kStartPre:
        case State::kStarting:
        case State::kStartPost:
        case State::kStopCommand:
        case State::kStopping:
        case State::kCleaning:
        case State::kStopPost:
            if (!unit.standing.wanted) return Progress::kSettled;
            return unit.has_failed ? Progress::kTrouble : Progress::kMoving;
    }
    return Progress::kSettled;
}

// A unit that waits is held up where everything that it waits for is itself in trouble.
bool IsHeldUp(const std::vector<Order::Index>& waits_for, const std::vector<Progress>& progress) {
    return !waits_for.empty() && std::all_of(waits_for.begin(), waits_for.end(), [&](auto other) {
        return progress[other] == Progress::kTrouble;
    });
}

}  // namespace

const char* BootStateName(BootState state) {
    switch (state) {
        case BootState::kStarting: return "starting";
        case BootState::kRunning: return "running";
        case BootState::kDegraded: return "degraded";
        case BootState::kStopping: return "stopping";
    }
    return "unknown";
}

std::vector<Progress> ProgressOfAll(const Order& order, std::span<const BootUnit> units) {
    std::vector<Standing> standings;
    standings.reserve(units.size());
    for (const BootUnit& unit : units) standings.push_back(unit.standing);

    // In the order's own order, so that trouble is known before it is asked for.
    std::vector<Progress> progress(units.size(), Progress::kMoving);
    for (const Order::Index unit : order.Sorted()) {
        progress[unit] = ProgressOf(units[unit]);
        if (progress[unit] == Progress::kMoving && standings[unit].state == State::kWaiting &&
            IsHeldUp(order.WaitsFor(unit, standings), progress))
            progress[unit] = Progress::kTrouble;
    }
    return progress;
}

BootState OverallState(const Order& order, std::span<const BootUnit> units, bool booted,
                       bool shutting_down) {
    if (shutting_down) return BootState::kStopping;
    const std::vector<Progress> progress = ProgressOfAll(order, units);
    const auto any = [&](Progress one) { return std::ranges::count(progress, one) > 0; };
    if (!booted && any(Progress::kMoving)) return BootState::kStarting;
    return any(Progress::kTrouble) ? BootState::kDegraded : BootState::kRunning;
}

}  // namespace husk::supervisor
