// `husk blame` and `husk critical-chain`: what the boot spent its time with, as pure functions of
// the supervisor's answer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/answer.h"
#include "cli/terminal.h"

namespace husk::cli {

// The units of the boot that took longest from their launch until they were up first; those that
// never came up are at the end.
std::vector<const UnitView*> Blame(const Answer& answer);
std::string FormatBlame(const Answer& answer, const Style& style);

// The unit, what it waited for longest, what that waited for, and so on. Empty where there is no
// such unit or it never came up. Without a name: the unit that was up last.
std::vector<const UnitView*> CriticalChain(const Answer& answer, std::string_view unit);
std::string FormatCriticalChain(const Answer& answer, const std::vector<const UnitView*>& chain,
                                const Style& style);
std::string CriticalChainJson(const Answer& answer, const std::vector<const UnitView*>& chain);

}  // namespace husk::cli
