// The whole disks that IOReadBandwidthMax= and its kin are about.
#pragma once

#include <cstdint>

#include <string>
#include <vector>

#include "base/error.h"
#include "config/unit.h"
#include "container/spec.h"

namespace husk::supervisor {

struct DeviceNumber {
    uint32_t major = 0, minor = 0;
    friend bool operator==(const DeviceNumber&, const DeviceNumber&) = default;
};

// What is at the path of a limit.
struct DiskFacts {
    DeviceNumber number;  // of the block device; else of the file system that the path lies on
    bool is_block_device = false;
    std::string whole_disk;  // of a partition: "dev" of the disk that it is on, in sysfs
};

// Pure: io.max takes whole disks only. A file system without a device of its own is an error.
Result<DeviceNumber> WholeDisk(const std::string& path, const DiskFacts& facts);

// All of the unit's limits, an entry for each disk; a later limit of a kind and disk replaces an
// earlier one.
Result<std::vector<container::IoMax>> FindIoLimits(const config::Unit& unit);

}  // namespace husk::supervisor
