// Rules across the keys that say when a unit is ready and whether it is healthy.
#pragma once

#include "config/problem.h"
#include "config/unit.h"

namespace husk::config {

void CheckReadiness(const Unit& unit, Problems& problems);

}  // namespace husk::config
