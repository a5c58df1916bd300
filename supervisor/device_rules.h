// What [Devices] of system.conf says of a node. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/unit.h"

namespace husk::supervisor {

// `name`: below /dev. Of several rules that fit, the last that gives something holds for it.
// Nothing where none fits; `match` and `at` of the answer mean nothing.
std::optional<config::DeviceNode> RuleOf(const std::vector<config::DeviceNode>& rules,
                                         std::string_view name);

}  // namespace husk::supervisor
