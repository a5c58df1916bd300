#include "rootfs/verity.h"

#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <bit>

#include "base/disk_bytes.h"
#include "base/file.h"
#include "base/text.h"

namespace husk::rootfs {
namespace {

constexpr std::string_view kSignature("verity\0\0", 8);
// Offsets in the superblock: struct verity_sb of cryptsetup's lib/verity/verity.c, little-endian.
constexpr size_t kVersion = 8, kHashType = 12, kAlgorithm = 32, kAlgorithmSize = 32;
constexpr size_t kDataBlockSize = 64, kHashBlockSize = 68, kDataBlocks = 72, kSaltSize = 80;
constexpr size_t kSalt = 88, kMostSalt = 256;
constexpr uint64_t kMostDataBlocks = uint64_t{1} << 40;

size_t DigestSize(std::string_view algorithm) {
    return algorithm == "sha256" ? 32 : algorithm == "sha512" ? 64 : 0;
}

bool IsBlockSize(uint64_t size) {
    return size >= 512 && size <= 65536 && std::has_single_bit(size);
}

uint64_t DivideUp(uint64_t value, uint64_t unit) { return (value + unit - 1) / unit; }

// Blocks of the whole tree: each level has a digest for each block of the one below.
uint64_t TreeBlocks(const VerityTree& tree) {
    const uint64_t per_block = std::bit_floor(tree.hash_block_size / DigestSize(tree.algorithm));
    uint64_t blocks = 0;
    for (uint64_t level = tree.data_blocks; level > 1 || blocks == 0;) {
        level = DivideUp(level, per_block);
        blocks += level;
    }
    return blocks;
}

std::string HexOf(std::string_view bytes) {
    std::string text;
    for (unsigned char byte : bytes) text += Hex(byte, 2);
    return text;
}

std::string Bytes(uint64_t count) { return std::to_string(count); }

// A device of the device mapper: its name, what tells it from another of that name, its table.
struct VerityDevice {
    std::string name;
    std::string uuid;  // at most 128 bytes
    std::string table;
    uint64_t sectors = 0;
};

// One request to the device mapper, with a table behind it where it takes one.
class MapperRequest {
  public:
    explicit MapperRequest(const std::string& name, uint32_t flags = 0) {
        std::memset(&buffer_, 0, sizeof buffer_);
        dm_ioctl& head = buffer_.head;
        head.version[0] = DM_VERSION_MAJOR;
        head.data_size = sizeof buffer_;
        head.data_start = sizeof head;
        head.flags = flags;
        std::snprintf(head.name, sizeof head.name, "%s", name.c_str());
    }
    void SetUuid(const std::string& uuid) {
        std::snprintf(buffer_.head.uuid, sizeof buffer_.head.uuid, "%s", uuid.c_str());
    }
    bool SetTable(uint64_t sectors, const std::string& parameters) {
        if (parameters.size() >= sizeof buffer_.parameters) return false;
        buffer_.head.target_count = 1;
        buffer_.target.length = sectors;
        buffer_.target.next = sizeof buffer_.target + sizeof buffer_.parameters;
        std::memcpy(buffer_.target.target_type, "verity", sizeof "verity");
        std::memcpy(buffer_.parameters, parameters.c_str(), parameters.size() + 1);
        return true;
    }
    bool Send(int control, unsigned request) { return ::ioctl(control, request, &buffer_) == 0; }
    const dm_ioctl& head() const { return buffer_.head; }

  private:
    struct {
        dm_ioctl head;
        alignas(8) dm_target_spec target;
        char parameters[1024];
    } buffer_;
};

Result<OwnedFd> OpenMapper() {
    auto control = OpenFile("/dev/mapper/control", O_RDWR);
    if (!control)
        return Fail(std::move(control).error().Wrap(
            "the kernel has no device mapper (CONFIG_BLK_DEV_DM and CONFIG_DM_VERITY; "
            "KernelModules=dm_verity in system.conf)"));
    return control;
}

// devtmpfs names it by its minor number, whatever its name in the device mapper is.
Result<std::string> NodeOf(uint64_t device) {
    std::string path = Cat("/dev/dm-", std::to_string(minor(static_cast<dev_t>(device))));
    struct stat node {};
    if (::stat(path.c_str(), &node) != 0) return FailErrno("find ", Quote(path));
    if (!S_ISBLK(node.st_mode) || node.st_rdev != static_cast<dev_t>(device))
        return Fail(Quote(path), " is not the device that was made");
    return path;
}

bool SendRemove(int control, const std::string& name, bool when_unused) {
    MapperRequest remove(name, when_unused ? DM_DEFERRED_REMOVE : 0u);
    return remove.Send(control, DM_DEV_REMOVE);
}

Result<std::string> LoadAndResume(int control, const VerityDevice& device) {
    MapperRequest load(device.name, DM_READONLY_FLAG);
    if (!load.SetTable(device.sectors, device.table)) return Fail("its verity table is too long");
    if (!load.Send(control, DM_TABLE_LOAD)) {
        const bool unknown = errno == EINVAL;
        return FailErrno("load the verity table",
                         unknown ? " (has the kernel dm-verity and its hash? CONFIG_DM_VERITY, "
                                   "KernelModules=dm_verity in system.conf)"
                                 : "");
    }
    MapperRequest resume(device.name);
    if (!resume.Send(control, DM_DEV_SUSPEND)) return FailErrno("start the verity device");
    return NodeOf(resume.head().dev);
}

Result<std::string> MakeOrFind(const VerityDevice& device) {
    auto control = OpenMapper();
    if (!control) return Fail(std::move(control).error());
    MapperRequest status(device.name);
    if (status.Send(control->get(), DM_DEV_STATUS)) {
        if (device.uuid == status.head().uuid && (status.head().flags & DM_ACTIVE_PRESENT_FLAG))
            return NodeOf(status.head().dev);
        // Half made by a supervisor that died.
        if (!SendRemove(control->get(), device.name, false))
            return FailErrno("remove the old device ", Quote(device.name));
    }
    MapperRequest create(device.name);
    create.SetUuid(device.uuid);
    if (!create.Send(control->get(), DM_DEV_CREATE)) return FailErrno("make a verity device");
    auto node = LoadAndResume(control->get(), device);
    if (!node) (void)SendRemove(control->get(), device.name, false);  // the error is told already
    return node;
}

}  // namespace

VerityPlace TreeBehind(uint64_t file_system, uint64_t size) {
    constexpr uint64_t kAlignment = 4096;
    const uint64_t behind = DivideUp(file_system, kAlignment) * kAlignment;
    return {.offset = behind, .hash_file = size, .data = behind, .file_system = file_system};
}

bool IsVeritySuperblock(std::string_view block) { return block.starts_with(kSignature); }

Result<VerityTree> ParseVeritySuperblock(std::string_view block, const VerityPlace& place) {
    if (block.size() < kVeritySuperblockSize || !IsVeritySuperblock(block))
        return Fail("it has no superblock of veritysetup");
    const DiskBytes bytes(block);
    VerityTree tree;
    if (const uint64_t version = bytes.Number(kVersion, 4); version != 1)
        return Fail("its format has version ", Bytes(version), ", known is 1");
    tree.hash_type = static_cast<unsigned>(bytes.Number(kHashType, 4));
    if (tree.hash_type > 1) return Fail("its hash type is ", Bytes(tree.hash_type));
    const std::string_view name = block.substr(kAlgorithm, kAlgorithmSize);
    tree.algorithm = name.substr(0, name.find('\0'));
    if (DigestSize(tree.algorithm) == 0)
        return Fail(
            "its hash algorithm is not taken; use sha256 or sha512 (veritysetup format --hash)");
    tree.data_block_size = static_cast<uint32_t>(bytes.Number(kDataBlockSize, 4));
    tree.hash_block_size = static_cast<uint32_t>(bytes.Number(kHashBlockSize, 4));
    if (!IsBlockSize(tree.data_block_size) || !IsBlockSize(tree.hash_block_size))
        return Fail("its block sizes are no powers of two from 512 to 65536");
    tree.data_blocks = bytes.Number(kDataBlocks, 8);
    if (tree.data_blocks == 0 || tree.data_blocks > kMostDataBlocks)
        return Fail("its number of data blocks is out of range");
    const uint64_t covered = tree.data_blocks * tree.data_block_size;
    if (covered > place.data)
        return Fail("it is about ", Bytes(covered), " bytes of data, and there are ",
                    Bytes(place.data));
    if (covered < place.file_system)
        return Fail("it covers ", Bytes(covered), " of the file system's ",
                    Bytes(place.file_system), " bytes");
    const uint64_t salt_size = bytes.Number(kSaltSize, 2);
    if (salt_size > kMostSalt) return Fail("its salt is too long");
    tree.salt = salt_size == 0 ? "-" : HexOf(block.substr(kSalt, salt_size));
    tree.first_hash = DivideUp(place.offset + kVeritySuperblockSize, tree.hash_block_size);
    const uint64_t end = (tree.first_hash + TreeBlocks(tree)) * tree.hash_block_size;
    if (end > place.hash_file)
        return Fail("it is cut short: it wants ", Bytes(end), " bytes, the file has ",
                    Bytes(place.hash_file), "; copy it again");
    return tree;
}

Result<std::string> ParseRootHashText(std::string_view text) {
    while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
    std::string hash(Trim(text));
    for (char& c : hash)
        if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
    const bool digits = std::ranges::all_of(
        hash, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
    if (!digits || hash.size() < 64 || hash.size() > 128)
        return Fail("it is no root hash: 64 or 128 hexadecimal digits, as veritysetup prints them");
    return hash;
}

Status CheckRootHash(const VerityTree& tree, std::string_view root_hash) {
    const size_t wanted = 2 * DigestSize(tree.algorithm);
    if (root_hash.size() == wanted) return {};
    return Fail("the root hash has ", Bytes(root_hash.size()), " digits, and a hash by ",
                tree.algorithm, " has ", Bytes(wanted));
}

std::string VerityTable(const VerityTree& tree, const std::string& data_device,
                        const std::string& hash_device, std::string_view root_hash) {
    const std::string sizes = Cat(Bytes(tree.data_block_size), " ", Bytes(tree.hash_block_size),
                                  " ", Bytes(tree.data_blocks), " ", Bytes(tree.first_hash));
    return Cat(Bytes(tree.hash_type), " ", data_device, " ", hash_device, " ", sizes, " ",
               tree.algorithm, " ", root_hash, " ", tree.salt);
}

uint64_t VeritySectors(const VerityTree& tree) {
    return tree.data_blocks * (tree.data_block_size / 512);
}

Result<std::string> MakeVerityDevice(const std::string& name, const VeritySource& source) {
    auto tree = ParseVeritySuperblock(source.superblock, source.place);
    if (!tree) return Fail(std::move(tree).error().Wrap("its hash tree"));
    HUSK_TRY(CheckRootHash(*tree, source.root_hash));
    return MakeOrFind({.name = name,
                       .uuid = Cat("HUSK-", source.root_hash.substr(0, 120)),
                       .table = VerityTable(*tree, source.data, source.hashes, source.root_hash),
                       .sectors = VeritySectors(*tree)});
}

Status RemoveVerityDevice(const std::string& name, bool when_unused) {
    auto control = OpenMapper();
    if (!control) return Fail(std::move(control).error());
    if (!SendRemove(control->get(), name, when_unused))
        return FailErrno("remove the verity device ", Quote(name));
    return {};
}

Status ReadVerityDevice(dev_t device, const std::function<void(uint64_t)>& progress) {
    constexpr size_t kAtOnce = 1 << 20;
    auto node = NodeOf(device);
    if (!node) return Fail(std::move(node).error());
    auto file = OpenFile(*node, O_RDONLY);
    if (!file) return Fail(std::move(file).error());
    std::string bytes(kAtOnce, '\0');
    for (uint64_t total = 0;;) {
        const ssize_t got = ::read(file->get(), bytes.data(), bytes.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno == EIO)
            return Fail("a block behind byte ", Bytes(total),
                        " does not match the root hash: the file is damaged, copy it again");
        if (got < 0) return FailErrno("read ", Quote(*node));
        if (got == 0) return {};
        total += static_cast<uint64_t>(got);
        progress(total);
    }
}

}  // namespace husk::rootfs
