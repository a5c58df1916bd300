#include "supervisor/memory_pressure.h"

#include <algorithm>

#include "base/text.h"

namespace husk::supervisor {

bool LimitsMemory(const container::CgroupLimits& limits) {
    return limits.memory_max.value_or(container::kNoLimit) != container::kNoLimit ||
           limits.memory_high.value_or(container::kNoLimit) != container::kNoLimit;
}

std::string DescribePressure(const container::CgroupUsage& usage) {
    std::string text = "short of memory: stalled for 150ms within 1s";
    if (!usage.memory_current || (!usage.memory_max && !usage.memory_high)) return text;
    // What it runs into first.
    const uint64_t most = usage.memory_max.value_or(UINT64_MAX);
    const uint64_t high = usage.memory_high.value_or(UINT64_MAX);
    return text +=
           Cat(" at ", FormatBytes(*usage.memory_current), " of ",
               high < most ? "MemoryHigh=" : "MemoryMax=", FormatBytes(std::min(high, most)));
}

std::vector<std::string> DescribeLimits(const container::CgroupLimits& limits,
                                        const container::CgroupUsage& usage) {
    std::vector<std::string> notes;
    auto compare = [&](const char* key, const std::optional<uint64_t>& asked,
                       const std::optional<uint64_t>& is) {
        if (!asked || *asked == container::kNoLimit) return;
        if (is && *is != *asked)
            notes.push_back(Cat(key, " is ", std::to_string(*is),
                                " bytes: the kernel counts whole "
                                "pages"));
        if (usage.memory_current && *usage.memory_current > *asked)
            notes.push_back(Cat("it uses ", FormatBytes(*usage.memory_current), ", more than ", key,
                                FormatBytes(*asked)));
    };
    compare("MemoryHigh=", limits.memory_high, usage.memory_high);
    compare("MemoryMax=", limits.memory_max, usage.memory_max);
    if (limits.tasks_max && usage.tasks_current && *usage.tasks_current > *limits.tasks_max)
        notes.push_back(Cat("it has ", std::to_string(*usage.tasks_current),
                            " tasks, more than TasksMax=", std::to_string(*limits.tasks_max),
                            ": it can make no more"));
    return notes;
}

}  // namespace husk::supervisor
