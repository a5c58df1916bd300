// Reading one file of units: what is no plain file, or too large, is a problem and never a hang.
#pragma once

#include <string>

#include "config/problem.h"

namespace husk::config {

struct UnitFile {
    enum class Kind { kText, kMask, kMissing, kBad } kind = Kind::kBad;
    std::string text;  // kText
    Problem problem;   // kBad
};

// A link to /dev/null is a mask. At most kMaxFileBytes + 1 bytes are read of anything.
UnitFile ReadUnitFile(const std::string& path);

}  // namespace husk::config
