#include "config/limits.h"

namespace husk::config {

std::span<const Limit> Limits() {
    static constexpr Limit kLimits[] = {
        {"units in all folders", kMaxUnits, false},
        {"drop-ins of one unit", kMaxDropIns, false},
        {"a file", kMaxFileBytes, true},
        {"a line", kMaxLineBytes, true},
        {"the name of a section or key", kMaxNameBytes, true},
        {"the name of a unit", kMaxUnitNameBytes, true},
        {"items of a list key, and words of a value", kMaxListItems, false},
        {"a command", kMaxCommandBytes, true},
        {"problems of one file that are listed", kMaxProblems, false},
    };
    return kLimits;
}

}  // namespace husk::config
