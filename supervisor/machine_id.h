// An id for a device whose image has none, which is the same for all devices of a kind.
#pragma once

#include <string>

#include "base/error.h"

namespace husk::supervisor {

// Where /etc/machine-id has none (base/machine_id.h), RUN/machine-id does: what STATE/machine-id
// keeps, which is made at the first boot. An error where it cannot be kept; it holds for this boot.
Status PublishMachineId(const std::string& state_directory, const std::string& run_directory);

}  // namespace husk::supervisor
