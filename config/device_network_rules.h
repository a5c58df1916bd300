// Checks across the links of system.conf.
#pragma once

#include <string_view>

#include "config/problem.h"
#include "config/unit.h"

namespace husk::config {

// Addresses that two links have, gateways that none of them leads to. Pure.
void CheckDeviceNetwork(const SystemConfig& system, std::string_view file, Problems& problems);

}  // namespace husk::config
