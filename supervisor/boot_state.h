// How the system as a whole does, in one word: what `husk is-system-running` says.
#pragma once

#include <span>
#include <vector>

#include "supervisor/order.h"

namespace husk::supervisor {

enum class BootState {
    kStarting,  // the boot's units are not all up or given up yet
    kRunning,
    kDegraded,  // a unit failed, is refused, is in backoff or waits for one that is
    kStopping,  // the system goes down
};
const char* BootStateName(BootState state);

struct BootUnit {
    Standing standing;
    // It has failed since it was last started on request (Life::failures_in_row or restarts): then
    // it no longer holds up "starting", or a unit that crashes for ever would for ever.
    bool has_failed = false;
};

enum class Progress {
    kSettled,
    kMoving,   // will be settled by itself
    kTrouble,  // failed, refused, in backoff, or waits for nothing but such ones
};
// Of each unit; `units` in the order of `order`, here and below.
std::vector<Progress> ProgressOfAll(const Order& order, std::span<const BootUnit> units);

// `booted`: an earlier answer was other than kStarting; a restart by a person much later is not a
// boot.
BootState OverallState(const Order& order, std::span<const BootUnit> units, bool booted,
                       bool shutting_down);

}  // namespace husk::supervisor
