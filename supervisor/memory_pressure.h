// When a unit counts as short of memory, and the words for it. Pure.
#pragma once

#include <string>
#include <vector>

#include "base/time.h"
#include "container/cgroup.h"

namespace husk::supervisor {

// Documentation/accounting/psi.rst: some process waited for memory for this long within a time, in
// microseconds. The kernel tells once for each such time.
inline constexpr const char* kPressureTrigger = "some 150000 1000000";
// What lasts is told of once in this time; `husk status` says whether it still does.
inline constexpr Duration kPressurePause = std::chrono::minutes(5);
inline constexpr Duration kPressureLasts = std::chrono::seconds(5);

// Pressure without a limit is the device's, not the unit's.
bool LimitsMemory(const container::CgroupLimits& limits);
// "short of memory: stalled for 150ms within 1s at 19.8M of MemoryMax=20.0M"
std::string DescribePressure(const container::CgroupUsage& usage);

// Where the kernel's limits are not what was asked for, and where what is in use is over them.
std::vector<std::string> DescribeLimits(const container::CgroupLimits& limits,
                                        const container::CgroupUsage& usage);

}  // namespace husk::supervisor
