// What it takes to start, stop or restart units: which others start and stop with them, and whether
// all of that goes together. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "supervisor/job.h"
#include "supervisor/order.h"

namespace husk::supervisor {

struct PlannedJob {
    Order::Index unit = 0;
    JobKind kind = JobKind::kNone;
    std::string why;  // what follows "started", "stopped", "restarted"
};

// A unit that was only wanted, and cannot be had.
struct LeftOut {
    Order::Index unit = 0;
    std::string text;  // "it conflicts with 'web', which is started too"
};

struct Plan {
    std::vector<PlannedJob> jobs;  // each unit once, in the order of starts
    std::vector<LeftOut> left_out;
};

enum class Asked {
    kFor,     // each of the units has to be started, or none is
    kWanted,  // as by Wants=, as at boot: those that contradict earlier ones are left out
};

// `by` is what asks: "at boot", "by 'husk start'". All that is to be refused for units that
// conflict with each other is an error that names them.
Result<Plan> PlanStart(const Order& order, std::span<const Standing> standings,
                       std::span<const Order::Index> roots, const std::string& by, Asked asked);
// Stops them and what requires them, is bound to them or is part of them; `restarts`: to start them
// again, so that who merely shares a network goes on.
Plan PlanStop(const Order& order, std::span<const Standing> standings,
              std::span<const Order::Index> roots, const std::string& by, bool restarts = false);
// Restarts them, and of those only what runs; starts what they need.
Result<Plan> PlanRestart(const Order& order, std::span<const Standing> standings,
                         std::span<const Order::Index> roots, const std::string& by);

// What a unit that is up has to do since one that it is bound to is not (BindsTo=): kNone, kStop,
// or kRestart, where that one is about to be restarted by itself. Asked again it has the same
// answer until the unit was told, so that nothing is lost with a supervisor.
PlannedJob FollowBinding(const Order& order, std::span<const Standing> standings,
                         Order::Index unit);

}  // namespace husk::supervisor
