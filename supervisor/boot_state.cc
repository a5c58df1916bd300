#include "supervisor/boot_state.h"

#include <algorithm>

namespace husk::supervisor {
namespace {

enum class Progress {
    kSettled,
    kMoving,   // will be settled by itself
    kTrouble,  // failed, refused, in backoff, or held up by such a one
};

// Of a unit by itself; kWaiting is looked at by its order.
Progress ProgressOf(const BootUnit& unit) {
    if (unit.standing.refused) return Progress::kTrouble;
    switch (unit.standing.state) {
        case State::kFailed:
        case State::kBackoff: return Progress::kTrouble;
        case State::kRunning:
        case State::kExited: return Progress::kSettled;
        case State::kInactive:
            return unit.standing.wanted && !unit.standing.done ? Progress::kMoving
                                                               : Progress::kSettled;
        case State::kWaiting:
        case State::kStarting:
        case State::kCleaning:
        case State::kStopping:
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

BootState OverallState(const Order& order, std::span<const BootUnit> units, bool booted,
                       bool shutting_down) {
    if (shutting_down) return BootState::kStopping;
    std::vector<Standing> standings;
    standings.reserve(units.size());
    for (const BootUnit& unit : units) standings.push_back(unit.standing);

    // In the order's own order, so that trouble is known before it is asked for.
    std::vector<Progress> progress(units.size(), Progress::kMoving);
    bool moving = false, trouble = false;
    for (const Order::Index unit : order.Sorted()) {
        progress[unit] = ProgressOf(units[unit]);
        if (progress[unit] == Progress::kMoving && standings[unit].state == State::kWaiting &&
            IsHeldUp(order.WaitsFor(unit, standings), progress))
            progress[unit] = Progress::kTrouble;
        moving |= progress[unit] == Progress::kMoving;
        trouble |= progress[unit] == Progress::kTrouble;
    }
    if (moving && !booted) return BootState::kStarting;
    return trouble ? BootState::kDegraded : BootState::kRunning;
}

}  // namespace husk::supervisor
