// What the verbs that read unit files without a supervisor are given: folders and files.
#pragma once

#include <string>
#include <vector>

#include "config/load.h"

namespace husk::cli {

struct LoadedPaths {
    std::vector<config::LoadedUnit> units;
    config::Problems problems;  // of folders, of system.conf and of files that are no units
};

// Folders are one search path, files are units (NAME.container) or a system.conf. No paths are the
// device's own: its folders of units and /etc/husk/system.conf.
LoadedPaths LoadPaths(const std::vector<std::string>& paths);

}  // namespace husk::cli
