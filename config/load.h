// From folders of unit files to typed units: search path, masks, drop-ins, and every problem found.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "config/keys.h"
#include "config/problem.h"
#include "config/unit.h"

namespace husk::config {

// One unit that was found, good or refused. A unit with any error is refused as a whole.
struct LoadedUnit {
    Unit unit;  // name and path are always set; the rest only where it is not refused
    Problems problems;
    Assignments assignments;  // where they were asked for
    bool refused = false;
};

// A link to /dev/null in place of a unit's file; without a path one of LoadOptions::masked.
struct MaskedUnit {
    std::string name, path;
};

// NAME.network and NAME.volume, sorted by name. Their problems stand with those of folders.
struct LoadedNetwork {
    NetworkDefinition network;
    bool refused = false;
};
struct LoadedVolume {
    VolumeDefinition volume;
    bool refused = false;  // and so is every unit that names it
};

struct LoadedFolder {
    std::vector<LoadedUnit> units;  // sorted by name
    std::vector<LoadedNetwork> networks;
    std::vector<LoadedVolume> volumes;
    std::vector<MaskedUnit> masked;
    std::vector<std::string> templates;  // "NAME@", sorted
    Problems problems;                   // of folders and of files that are no units
};

// A drop-in of a unit as it is going to be: its text counts, whether or not the file is there yet.
struct PlannedDropIn {
    std::string unit, path, text;
};

// Whether an entry of LoadOptions::masked means this unit. Pure.
bool Masks(std::string_view entry, std::string_view unit);

struct LoadOptions {
    // Instances "NAME@ARG" that are wanted where their template is there, besides those that other
    // units require, want or share the network of.
    std::vector<std::string> instances = {};
    bool keep_assignments = false;  // LoadedUnit::assignments, for `husk show`
    std::vector<PlannedDropIn> planned = {};
    // Units that count as masked, whatever their files are; "NAME@" for all instances.
    std::vector<std::string> masked = {};
};

// In order of rising precedence; see UNITS rule 5.
const std::vector<std::string>& DefaultUnitPath();
// The last of them that outlives a boot: what `husk apply` replaces.
inline constexpr const char* kActiveUnitFolder = "/etc/husk/units";

// Reads every *.container in `folders` (a later folder's file replaces an earlier one's of the same
// name, a link to /dev/null masks it), merges NAME.container.d/*.conf in lexical order, types and
// checks each unit, then checks across units (names in After= …, ordering cycles,
// Network=NAME.container). Never fails as a whole: an unreadable folder is a problem in the result.
// A missing folder is none. NAME@ARG.container is a unit of its own (often a link to
// NAME@.container); an instance without a file is made of the template where it is wanted, and does
// not start at boot by itself.
LoadedFolder LoadUnits(const std::vector<std::string>& folders, const LoadOptions& options = {});
// Single files (husk check FILE…), the same rules.
LoadedFolder LoadUnitFiles(const std::vector<std::string>& files, const LoadOptions& options = {});

// Types one unit from text: the pure heart of the above, for tests and fuzzers.
LoadedUnit ParseUnit(std::string_view name, std::string_view file, std::string_view text);
// What is wrong with the text of a NAME.network, and of a NAME.volume. Pure.
Problems CheckNetworkText(std::string_view name, std::string_view file, std::string_view text);
Problems CheckVolumeText(std::string_view name, std::string_view file, std::string_view text);

struct LoadedSystemConfig {
    std::string path;
    SystemConfig config;
    Problems problems;
    Assignments assignments;  // of SystemSections()
};
inline constexpr const char* kDefaultSystemConfig = "/etc/husk/system.conf";
// A missing file gives the defaults.
LoadedSystemConfig LoadSystemConfig(const std::string& path, bool keep_assignments = false);

}  // namespace husk::config
