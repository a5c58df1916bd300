// What is legal in unit files and surely not meant. Warnings refuse nothing. Pure.
#pragma once

#include <vector>

#include "base/time.h"
#include "config/load.h"

namespace husk::config {

// PID 1 gives all units together so long to stop before it ends what is left
// (init/shutdown_state.h).
inline constexpr Duration kLongestShutdown = std::chrono::seconds(100);
// Less is hardly enough for the pages, page tables and kernel stack that one process starts with.
inline constexpr uint64_t kLeastMemory = 256 << 10;

// Adds warnings to units, of their own keys and of what two of them write to.
void WarnOfOddities(std::vector<LoadedUnit>& units);

}  // namespace husk::config
