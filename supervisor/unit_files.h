// Variables that a program gets from files of the device.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "config/unit.h"
#include "supervisor/spec_builder.h"

namespace husk::supervisor {

// A regular file of the device. Where it lies in a folder that units can write to, no link in there
// leads out of it. More than `limit` bytes are an error.
Result<std::string> ReadUnitFile(const std::string& path, size_t limit, const DeviceFacts& device);

// EnvironmentFile=, in the order of the unit: NAME=VALUE, a later one of a name replaces an earlier
// one.
Result<std::vector<std::string>> ReadEnvironmentFiles(const config::Unit& unit,
                                                      const DeviceFacts& device);

// The same, and Secret= with type=env over them.
Result<std::vector<std::string>> ReadOutsideVariables(const config::Unit& unit,
                                                      const DeviceFacts& device);

// The unit's command with variables replaced that only the device knows.
std::vector<std::string> ExpandCommand(const config::Unit& unit,
                                       const std::vector<std::string>& outside);

}  // namespace husk::supervisor
