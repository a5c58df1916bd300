// What the verbs that read unit files without a supervisor are given: folders and files.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "config/load.h"

namespace husk::cli {

struct LoadedPaths {
    std::vector<config::LoadedUnit> units;
    config::Problems problems;  // of folders, of system.conf and of files that are no units
};

// Folders are one search path, files are units (NAME.container) or a system.conf. No paths are the
// device's own: its folders of units and /etc/husk/system.conf.
LoadedPaths LoadPaths(const std::vector<std::string>& paths);

// One unit with its assignments: a file ("./web", without its suffix), or a unit of the folders, by
// name. An error where it is not there or masked; a refused one is a unit with problems.
Result<config::LoadedUnit> LoadNamedUnit(const std::string& name,
                                         const std::vector<std::string>& folders);

}  // namespace husk::cli
