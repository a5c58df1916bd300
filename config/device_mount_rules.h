// Checks across the mounts of system.conf.
#pragma once

#include <string_view>

#include "config/problem.h"
#include "config/unit.h"

namespace husk::config {

// Two at one place, a device where the file system has none, what cannot be made or grown. Pure.
void CheckDeviceMounts(const SystemConfig& system, std::string_view file, Problems& problems);

}  // namespace husk::config
