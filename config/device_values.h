// Devices, and what is given out of them, from text. Pure.
#pragma once

#include <cstdint>

#include <optional>
#include <string>
#include <string_view>

#include "config/values.h"

namespace husk::config {

// [-]HOST[:CONTAINER[:ACCESS]] or HOST:ACCESS, both paths in /dev.
Value<DeviceMapping> ParseDeviceMapping(std::string_view text);

// NODE [ACCESS], char-NAME [ACCESS] or block-NAME [ACCESS]
Value<DeviceRule> ParseDeviceRule(std::string_view text);

// PATH NUMBER, with K, M, G and T of base 1000.
Value<IoLimit> ParseIoLimit(std::string_view text);

// A path in /dev, or LABEL=, UUID=, PARTLABEL=, PARTUUID= (mount(8)).
Value<std::string> ParseBlockDevice(std::string_view text);

// As in fstab(5), between commas: noatime,data=journal.
Value<MountOptions> ParseMountOptions(std::string_view text);

}  // namespace husk::config
