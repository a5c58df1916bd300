// The device's own root on a block device: erofs or squashfs, checked by dm-verity where there is a
// root hash. Its hash tree lies behind the file system on the same device, or on one of its own.
#pragma once

#include <string>

#include "base/error.h"

namespace husk::rootfs {

struct RootDevice {
    std::string data;       // "/dev/vda2"
    std::string hash;       // empty: the tree lies on `data`
    std::string root_hash;  // empty: not checked
};

// Mounts it read-only at `target`, which is there.
Status MountRootDevice(const RootDevice& root, const std::string& target);

}  // namespace husk::rootfs
