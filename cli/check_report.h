// What `husk check` prints, as pure functions of what was loaded.
#pragma once

#include <cstddef>

#include <string>

#include "cli/unit_paths.h"

namespace husk::cli {

struct CheckCounts {
    size_t units = 0, refused = 0, errors = 0, warnings = 0;
};
CheckCounts Count(const LoadedPaths& checked);

// A line for each problem, and a summary.
std::string TextReport(const LoadedPaths& checked);
// One object, see `husk check --help`.
std::string JsonReport(const LoadedPaths& checked);

}  // namespace husk::cli
