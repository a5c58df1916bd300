// Every value that a unit has, and where it comes from: what `husk show` prints. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/load.h"

namespace husk::config {

struct ShownKey {
    enum class Source { kFile, kSystem, kDefault };

    std::string_view section, key;
    std::string value;  // specifiers expanded; a list key has an entry for each assignment
    Source source = Source::kDefault;
    Location at;  // of kFile and kSystem
};

// In the order of the reference. `unit` and `system` were loaded with their assignments. Keys that
// are not carried out, and twins that were not given (Memory= of MemoryMax=), are left out; a
// [Manager] key Default… of system.conf stands for the default that it replaces.
std::vector<ShownKey> ShowUnit(const LoadedUnit& unit, const LoadedSystemConfig& system);

}  // namespace husk::config
