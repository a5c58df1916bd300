// The device's disks and partitions, and which of them LABEL=, UUID=, PARTLABEL= and PARTUUID= mean
// (mount(8), blkid(8)). From /sys/class/block and what lies on them.
#pragma once

#include <cstdint>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "supervisor/file_system_id.h"
#include "supervisor/partition_table.h"

namespace husk::supervisor {

struct BlockDevice {
    std::string node;  // "/dev/vda1"
    uint64_t size = 0;  // bytes
    bool blank = false;
    std::optional<FileSystemId> file_system;
    PartitionName partition;
};

// All that have a size, but for loop devices and disks in memory, sorted by node. One that cannot be
// read is there with what is known of it.
std::vector<BlockDevice> ListBlockDevices();

// Pure. Which of them `what` means; null where it is not there. An error where several have the same
// tag: which of them is meant, nobody knows.
Result<const BlockDevice*> FindBlockDevice(const std::vector<BlockDevice>& devices,
                                           std::string_view what);

// The same, and a path may be a link, or a loop device.
Result<std::optional<BlockDevice>> LookUpBlockDevice(const std::vector<BlockDevice>& devices,
                                                     const std::string& what);

// A stable name for a device.
struct DiskLink {
    std::string path;    // "/dev/disk/by-label/state"
    std::string target;  // "../../vda1"
    friend bool operator==(const DiskLink&, const DiskLink&) = default;
};
// Pure. by-label, by-uuid, by-partlabel and by-partuuid; no link where two devices would have it.
// What a path cannot hold is escaped as udev does it: \x2f.
std::vector<DiskLink> DiskLinks(const std::vector<BlockDevice>& devices);

// For people: "/dev/vda (ext4, LABEL=state), /dev/vdb (blank)"
std::string Describe(const std::vector<BlockDevice>& devices);

}  // namespace husk::supervisor
