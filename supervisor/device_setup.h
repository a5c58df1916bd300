// What the supervisor sets up on the device before it starts units: modules, nodes, file systems,
// sysctls, host name (all from /etc/husk/system.conf) and its own folders.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "config/unit.h"
#include "supervisor/device_manager.h"

namespace husk::supervisor {

// What fails is returned, and the rest is done: a device that comes up half is better than none.
// Doing it again changes nothing. `first`: of this boot; a later supervisor waits for nothing.
std::vector<Error> SetUpDevice(const config::SystemConfig& system, DeviceManager& devices,
                               const std::string& run_directory, const std::string& state_directory,
                               bool first);

// What the device takes along to its next boot: its id, the time and randomness. At the beginning
// of a boot and at its end; the time now and then, too (kept_clock.h).
std::vector<Error> RestoreFromLastBoot(const std::string& run_directory,
                                       const std::string& state_directory);
std::vector<Error> KeepForNextBoot(const std::string& state_directory);

// The run folder with records, images, the shared /dev and the places where roots are built.
Status SetUpRunDirectory(const std::string& run_directory);

}  // namespace husk::supervisor
