// CLOCK_MONOTONIC for the loop. Inline, as base's is not: it would lie in a page of its own, and
// every place that the loop touches keeps 64 KiB of the binary mapped (cold_memory.h).
#pragma once

#include <time.h>

#include "base/time.h"

namespace husk::init {

inline Instant Now() {
    timespec now{};
    (void)::clock_gettime(CLOCK_MONOTONIC, &now);  // cannot fail for this clock
    return {std::chrono::seconds(now.tv_sec) + Duration(now.tv_nsec)};
}

}  // namespace husk::init
