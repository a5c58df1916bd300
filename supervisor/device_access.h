// The devices of a unit: AddDevice=, DeviceAllow= and DevicePolicy= as numbers and nodes.
#pragma once

#include <cstdint>
#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "config/unit.h"
#include "container/device_filter.h"
#include "rootfs/devices.h"

namespace husk::supervisor {

// A node that was found on the device.
struct DeviceFact {
    std::string path;
    bool block = false;
    uint32_t major = 0, minor = 0;
};

// Of one AddDevice=: a folder has all nodes below it. Missing is an empty list where it is
// optional.
struct AddedDevices {
    config::DeviceMapping mapping;
    std::vector<DeviceFact> found;
};

struct UnitDevices {
    std::vector<AddedDevices> added;
    std::vector<DeviceFact> allowed;  // of DeviceAllow= with a path, in its order
    std::string classes;              // /proc/devices
};

// Looks at the device. What is missing and not optional is an error.
Result<UnitDevices> FindDevices(const config::Unit& unit);

// Pure: what the leaf's program allows.
Result<container::DeviceRules> BuildDeviceRules(const config::Unit& unit, const UnitDevices& found);
// Pure: the nodes of a /dev of the unit's own, which belong to `uid` and `gid`; none without
// AddDevice=.
std::vector<rootfs::DeviceNode> BuildDeviceNodes(const UnitDevices& found, uint32_t uid,
                                                 uint32_t gid);

// Pure: the majors of a class in /proc/devices; '*' and '?' match in `name`.
std::vector<uint32_t> MajorsOfClass(std::string_view devices, bool block, std::string_view name);

}  // namespace husk::supervisor
