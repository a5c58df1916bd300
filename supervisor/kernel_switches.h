// What the kernel's command line says to the supervisor. To PID 1: init/kernel_options.h.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace husk::supervisor {

// husk.mask=UNIT[,UNIT…], any number of times: these do not exist for this boot, so that a device
// comes up though one of its units takes it down (systemd.mask= of systemd-debug-generator(8)).
inline constexpr const char* kMaskSwitch = "husk.mask=";

// husk.rescue: units are loaded, and none is started by itself. Where RescuePassword= allows it.
inline constexpr const char* kRescueSwitch = "husk.rescue";
bool WantsRescue(std::string_view command_line);

// The names as they were given, with or without ".container". Pure.
std::vector<std::string> MaskedUnits(std::string_view command_line);

}  // namespace husk::supervisor
