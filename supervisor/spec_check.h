// What only shows when a unit's keys are put together, and asked when units are loaded: by the
// supervisor before it takes them, and by `husk check`.
#pragma once

#include "config/load.h"

namespace husk::supervisor {

// Adds to the units' problems, and refuses a unit with an error and whoever requires it. Reads the
// files that keys name; one that is not there is only a warning where `on_device` is false, since
// units are checked on build hosts too.
void CheckSpecs(config::LoadedFolder& loaded, bool on_device = true);

}  // namespace husk::supervisor
