// Which file system lies on a device: its type, label and UUID, from its superblock. Pure.
//
// Layouts: Documentation/filesystems/ext4/super.rst, fs/f2fs and fs/erofs of the kernel
// (include/linux/f2fs_fs.h, erofs_fs.h), squashfs_fs.h, include/uapi/linux/btrfs_tree.h,
// fs/xfs/libxfs/xfs_format.h, and Microsoft's FAT specification.
#pragma once

#include <cstdint>

#include <optional>
#include <string>
#include <string_view>

namespace husk::supervisor {

// So much of a device's beginning is looked at; btrfs has its superblock at 64 KiB.
inline constexpr size_t kSuperblocks = 72 << 10;

struct FileSystemId {
    std::string type;         // as mount(2) takes it: ext4, f2fs, erofs, squashfs, vfat, btrfs, xfs
    std::string label, uuid;  // as blkid(8) prints them; empty: none
    uint64_t size = 0;        // bytes that it says it fills; 0: it does not say
    friend bool operator==(const FileSystemId&, const FileSystemId&) = default;
};

// `head`: the first bytes of the device, at most kSuperblocks. Nothing where it is none of these.
std::optional<FileSystemId> IdentifyFileSystem(std::string_view head);
// Nothing was ever written there.
bool IsBlank(std::string_view head);

}  // namespace husk::supervisor
