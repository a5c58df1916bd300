// From folders of unit files to typed units: search path, masks, drop-ins, and every problem found.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "config/problem.h"
#include "config/unit.h"

namespace husk::config {

// One unit that was found, good or refused. A unit with any error is refused as a whole.
struct LoadedUnit {
    Unit unit;  // name and path are always set; the rest only where it is not refused
    Problems problems;
    bool refused = false;
};

struct LoadedFolder {
    std::vector<LoadedUnit> units;  // sorted by name
    Problems problems;              // of folders and of files that are no units
};

// In order of rising precedence; see UNITS rule 5.
const std::vector<std::string>& DefaultUnitPath();

// Reads every *.container in `folders` (a later folder's file replaces an earlier one's of the same
// name, a link to /dev/null masks it), merges NAME.container.d/*.conf in lexical order, types and
// checks each unit, then checks across units (names in After= …, ordering cycles,
// Network=NAME.container). Never fails as a whole: an unreadable folder is a problem in the result.
// A missing folder is none.
LoadedFolder LoadUnits(const std::vector<std::string>& folders);
// Single files (husk check FILE…), the same rules.
LoadedFolder LoadUnitFiles(const std::vector<std::string>& files);

// Types one unit from text: the pure heart of the above, for tests and fuzzers.
LoadedUnit ParseUnit(std::string_view name, std::string_view file, std::string_view text);

struct LoadedSystemConfig {
    SystemConfig config;
    Problems problems;
};
// A missing file gives the defaults.
LoadedSystemConfig LoadSystemConfig(const std::string& path);

}  // namespace husk::config
