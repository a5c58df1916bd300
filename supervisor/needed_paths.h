// Which of the device's folders a unit cannot do without. Pure.
#pragma once

#include <string>
#include <vector>

#include "config/unit.h"

namespace husk::supervisor {

// Absolute paths: of images, root, volumes, and below the state folder what husk keeps for it.
std::vector<std::string> NeededPaths(const config::Unit& unit, const std::string& state_directory);

}  // namespace husk::supervisor
