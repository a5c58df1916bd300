#include "supervisor/file_system_id.h"

#include <algorithm>
namespace husk::supervisor {
namespace {

// Little-endian unless it says otherwise; what lies beyond the end reads as zero.
class Block {
  public:
    explicit Block(std::string_view bytes) : bytes_(bytes) {}

    uint64_t Number(size_t at, size_t size) const {
        uint64_t number = 0;
        for (size_t i = size; i-- > 0;) number = number << 8 | Byte(at + i);
        return number;
    }
    uint64_t BigEndian(size_t at, size_t size) const {
        uint64_t number = 0;
        for (size_t i = 0; i < size; ++i) number = number << 8 | Byte(at + i);
        return number;
    }
    bool Has(size_t at, std::string_view what) const {
        return at <= bytes_.size() && bytes_.substr(at).starts_with(what);
    }
    // Up to its NUL, or its end; without the blanks that FAT fills it with.
    std::string Text(size_t at, size_t size) const {
        std::string text(at < bytes_.size() ? bytes_.substr(at, size) : std::string_view());
        text.resize(std::min(text.size(), text.find('\0')));
        while (text.ends_with(' ')) text.pop_back();
        return text;
    }
    std::string Utf16(size_t at, size_t units) const {
        std::string text;
        for (size_t i = 0; i < units; ++i) {
            const auto unit = static_cast<uint32_t>(Number(at + 2 * i, 2));
            if (unit == 0) break;
            Append(text, unit);
        }
        return text;
    }
    std::string Uuid(size_t at) const {
        constexpr char kDigits[] = "0123456789abcdef";
        std::string text;
        bool any = false;
        for (size_t i = 0; i < 16; ++i) {
            if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
            text += kDigits[Byte(at + i) >> 4];
            text += kDigits[Byte(at + i) & 15];
            any |= Byte(at + i) != 0;
        }
        return any ? text : std::string();
    }
    // FAT's, a number of four bytes: "1A2B-3C4D".
    std::string Serial(size_t at) const {
        constexpr char kDigits[] = "0123456789ABCDEF";
        std::string text;
        for (size_t i = 4; i-- > 0;) {
            text += kDigits[Byte(at + i) >> 4];
            text += kDigits[Byte(at + i) & 15];
            if (i == 2) text += '-';
        }
        return text;
    }

  private:
    // Characters beyond the basic plane, which come as two units, are no part of a label's UTF-8.
    static void Append(std::string& text, uint32_t unit) {
        auto tail = [](uint32_t bits) { return static_cast<char>(0x80 | (bits & 0x3f)); };
        if (unit < 0x80) {
            text += static_cast<char>(unit);
        } else if (unit < 0x800) {
            text += static_cast<char>(0xc0 | unit >> 6);
            text += tail(unit);
        } else {
            text += static_cast<char>(0xe0 | unit >> 12);
            text += tail(unit >> 6);
            text += tail(unit);
        }
    }
    uint8_t Byte(size_t at) const {
        return at < bytes_.size() ? static_cast<uint8_t>(bytes_[at]) : uint8_t{0};
    }
    std::string_view bytes_;
};

using Found = std::optional<FileSystemId>;

// ext4's driver mounts ext2 and ext3 as well.
Found Ext(const Block& block) {
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

Found F2fs(const Block& block) {
    constexpr size_t kAt = 1024;
    if (block.Number(kAt, 4) != 0xf2f52010) return {};
    return FileSystemId{.type = "f2fs",
                        .label = block.Utf16(kAt + 124, 512),
                        .uuid = block.Uuid(kAt + 108),
                        .size = block.Number(kAt + 36, 8) * 4096};
}

Found Erofs(const Block& block) {
    constexpr size_t kAt = 1024;
    if (block.Number(kAt, 4) != 0xe0f5e1e2) return {};
    return FileSystemId{
        .type = "erofs", .label = block.Text(kAt + 64, 16), .uuid = block.Uuid(kAt + 48)};
}

Found Squashfs(const Block& block) {
    if (!block.Has(0, "hsqs")) return {};
    return FileSystemId{.type = "squashfs", .size = block.Number(40, 8)};
}

Found Btrfs(const Block& block) {
    constexpr size_t kAt = 64 << 10;
    if (!block.Has(kAt + 64, "_BHRfS_M")) return {};
    return FileSystemId{.type = "btrfs",
                        .label = block.Text(kAt + 299, 256),
                        .uuid = block.Uuid(kAt + 32),
                        .size = block.Number(kAt + 112, 8)};
}

Found Xfs(const Block& block) {
    if (!block.Has(0, "XFSB")) return {};
    return FileSystemId{.type = "xfs",
                        .label = block.Text(108, 12),
                        .uuid = block.Uuid(32),
                        .size = block.BigEndian(8, 8) * block.BigEndian(4, 4)};
}

Found Fat(const Block& block) {
    if (block.Number(510, 2) != 0xaa55) return {};
    const bool wide = block.Has(82, "FAT32");
    if (!wide && !block.Has(54, "FAT")) return {};
    std::string label = block.Text(wide ? 71 : 43, 11);
    if (label == "NO NAME") label.clear();
    return FileSystemId{.type = "vfat", .label = label, .uuid = block.Serial(wide ? 67 : 39)};
}

}  // namespace

std::optional<FileSystemId> IdentifyFileSystem(std::string_view head) {
    const Block block(head);
    // FAT last: its marks are weak, and boot code of others has them too.
    for (auto* look : {Ext, F2fs, Erofs, Squashfs, Btrfs, Xfs, Fat})
        if (Found found = look(block)) return found;
    return std::nullopt;
}

bool IsBlank(std::string_view head) {
    return std::ranges::all_of(head, [](char byte) { return byte == '\0'; });
}

}  // namespace husk::supervisor
