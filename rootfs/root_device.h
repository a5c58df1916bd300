// The device's own root on a block device: erofs or squashfs, each block of it compared with a root
// hash (dm-verity). Its hash tree lies behind the file system on the same device, or on one of its
// own.
#pragma once

#include <string>

#include "base/error.h"

namespace husk::rootfs {

struct RootDevice {
    std::string data;       // "/dev/vda2"
    std::string hashes;     // the device with the tree; empty: it lies on `data`
    std::string root_hash;  // empty: nothing is checked
};

// Mounts it read-only at `target`, which is there. The verity device stays until the device goes
// down.
Status MountRootDevice(const RootDevice& root, const std::string& target);

}  // namespace husk::rootfs
