#include "supervisor/file_system_id.h"

#include <algorithm>

#include "base/disk_bytes.h"

namespace husk::supervisor {
namespace {

using Found = std::optional<FileSystemId>;

// FAT's, a number of four bytes: "1A2B-3C4D".
std::string Serial(const DiskBytes& block, size_t at) {
    std::string text = Hex(block.Number(at, 4), 8);
    std::ranges::transform(text, text.begin(), [](char c) { return c >= 'a' ? c - 'a' + 'A' : c; });
    return text.insert(4, "-");
}

// ext4's driver mounts ext2 and ext3 as well.
Found Ext(const DiskBytes& block) {
    constexpr size_t kAt = 1024;
    if (block.Number(kAt + 0x38, 2) != 0xef53) return {};
    const uint64_t blocks =
        block.Number(kAt + 0x4, 4) |
        ((block.Number(kAt + 0x60, 4) & 0x80) != 0 ? block.Number(kAt + 0x150, 4) << 32 : 0);
    const uint64_t log_size = block.Number(kAt + 0x18, 4);
    return FileSystemId{.type = "ext4",
                        .label = block.Text(kAt + 0x78, 16),
                        .uuid = block.Uuid(kAt + 0x68),
                        .size = log_size <= 6 ? blocks << (10 + log_size) : 0};
}

Found F2fs(const DiskBytes& block) {
    constexpr size_t kAt = 1024;
    if (block.Number(kAt, 4) != 0xf2f52010) return {};
    return FileSystemId{.type = "f2fs",
                        .label = block.Utf16(kAt + 124, 512),
                        .uuid = block.Uuid(kAt + 108),
                        .size = block.Number(kAt + 36, 8) * 4096};
}

Found Erofs(const DiskBytes& block) {
    constexpr size_t kAt = 1024;
    if (block.Number(kAt, 4) != 0xe0f5e1e2) return {};
    return FileSystemId{
        .type = "erofs", .label = block.Text(kAt + 64, 16), .uuid = block.Uuid(kAt + 48)};
}

Found Squashfs(const DiskBytes& block) {
    if (!block.Has(0, "hsqs")) return {};
    return FileSystemId{.type = "squashfs", .size = block.Number(40, 8)};
}

Found Btrfs(const DiskBytes& block) {
    constexpr size_t kAt = 64 << 10;
    if (!block.Has(kAt + 64, "_BHRfS_M")) return {};
    return FileSystemId{.type = "btrfs",
                        .label = block.Text(kAt + 299, 256),
                        .uuid = block.Uuid(kAt + 32),
                        .size = block.Number(kAt + 112, 8)};
}

Found Xfs(const DiskBytes& block) {
    if (!block.Has(0, "XFSB")) return {};
    return FileSystemId{.type = "xfs",
                        .label = block.Text(108, 12),
                        .uuid = block.Uuid(32),
                        .size = block.BigEndian(8, 8) * block.BigEndian(4, 4)};
}

Found Fat(const DiskBytes& block) {
    if (block.Number(510, 2) != 0xaa55) return {};
    const bool wide = block.Has(82, "FAT32");
    if (!wide && !block.Has(54, "FAT")) return {};
    std::string label = block.Text(wide ? 71 : 43, 11);
    if (label == "NO NAME") label.clear();
    return FileSystemId{.type = "vfat", .label = label, .uuid = Serial(block, wide ? 67 : 39)};
}

}  // namespace

std::optional<FileSystemId> IdentifyFileSystem(std::string_view head) {
    const DiskBytes block(head);
    // FAT last: its marks are weak, and boot code of others has them too.
    for (auto* look : {Ext, F2fs, Erofs, Squashfs, Btrfs, Xfs, Fat})
        if (Found found = look(block)) return found;
    return std::nullopt;
}

bool IsBlank(std::string_view head) {
    return std::ranges::all_of(head, [](char byte) { return byte == '\0'; });
}

}  // namespace husk::supervisor
