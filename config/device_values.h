// Devices, and what is given out of them, from text. Pure.
#pragma once

#include <cstdint>

#include <optional>
#include <string>
#include <string_view>

#include "config/values.h"

namespace husk::config {

struct DeviceAccess {
    bool read = false, write = false, make = false;
    friend bool operator==(const DeviceAccess&, const DeviceAccess&) = default;
};

// A device node of the device in the container.
struct DeviceMapping {
    std::string source, destination;  // absolute
    DeviceAccess access;
    bool optional = false;  // a leading '-': left out where it is missing
};
// [-]HOST[:CONTAINER[:ACCESS]] or HOST:ACCESS, both paths in /dev.
Value<DeviceMapping> ParseDeviceMapping(std::string_view text);

// Which devices may be opened: one node, or a class of /proc/devices.
struct DeviceRule {
    enum class Kind { kNode, kCharacterClass, kBlockClass } kind = Kind::kNode;
    std::string name;  // a path, or the class's name; '*' and '?' match in names of classes
    DeviceAccess access;
};
// NODE [ACCESS], char-NAME [ACCESS] or block-NAME [ACCESS]
Value<DeviceRule> ParseDeviceRule(std::string_view text);

// What a unit may take of a block device, or of the one that a file lies on.
struct IoLimit {
    std::string path;
    uint64_t most = 0;  // bytes or operations a second; kUnlimited
};
// PATH NUMBER, with K, M, G and T of base 1000.
Value<IoLimit> ParseIoLimit(std::string_view text);

}  // namespace husk::config
