// `husk security`: the table of all units, and the page of one. Pure.
#pragma once

#include <string>
#include <vector>

#include "cli/terminal.h"
#include "supervisor/security.h"

namespace husk::cli {

struct AssessedUnit {
    std::string name, path;
    std::string error;  // why there is no report
    supervisor::SecurityReport report;
};

// A line for each, in their order.
std::string FormatSecurityTable(const std::vector<AssessedUnit>& units, const Style& style);
// A line for each finding, and the score; nothing of those with an error.
std::string FormatSecurity(const std::vector<AssessedUnit>& units, const Style& style);

}  // namespace husk::cli
