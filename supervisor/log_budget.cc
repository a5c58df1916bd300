#include "supervisor/log_budget.h"

#include <algorithm>

#include "supervisor/log_store.h"

namespace husk::supervisor {

uint64_t LogLevel(std::span<const uint64_t> uses, uint64_t most) {
    uint64_t low = 0, high = 0;
    for (uint64_t use : uses) high = std::max(high, use);
    while (low < high) {
        const uint64_t level = low + (high - low + 1) / 2;
        uint64_t sum = 0;
        for (uint64_t use : uses) sum += std::min(use, level);
        if (sum <= most)
            low = level;
        else
            high = level - 1;
    }
    return low;
}

uint64_t LogBudget::Use() const {
    uint64_t sum = 0;
    for (const UnitLog* log : logs_) sum += log->use();
    return sum;
}

void LogBudget::Keep() {
    // One more Drain() may come before the next look.
    const uint64_t limit = most_ - std::min<uint64_t>(most_ / 4, UnitLog::kMostAtOnce);
    if (Use() <= limit) return;
    std::vector<uint64_t> uses;
    for (const UnitLog* log : logs_) uses.push_back(log->use());
    // Some more than need be, so that a flood does not cut with every piece that it brings.
    const uint64_t level = LogLevel(uses, limit - limit / 8);
    for (UnitLog* log : logs_)
        if (log->use() > level) log->ShrinkTo(level);
}

}  // namespace husk::supervisor
