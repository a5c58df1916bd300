#include "rootfs/root_device.h"

#include <cerrno>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <utility>

#include "base/fd.h"
#include "base/file.h"
#include "base/text.h"
#include "rootfs/image.h"
#include "rootfs/verity.h"

namespace husk::rootfs {
namespace {

struct Disk {
    OwnedFd fd;
    uint64_t size = 0;  // bytes

    static Result<Disk> Open(const std::string& node) {
        Disk disk;
        auto fd = OpenFile(node, O_RDONLY);
        if (!fd) return Fail(std::move(fd).error());
        disk.fd = std::move(*fd);
        if (::ioctl(disk.fd.get(), BLKGETSIZE64, &disk.size) != 0)
            return FailErrno("ask for the size of ", Quote(node));
        return disk;
    }
    // What is there of it: empty behind the end and where it cannot be read.
    std::string Read(uint64_t at, size_t count) const {
        std::string bytes(count, '\0');
        const ssize_t got = ::pread(fd.get(), bytes.data(), count, static_cast<off_t>(at));
        bytes.resize(got < 0 ? 0 : static_cast<size_t>(got));
        return bytes;
    }
};

Result<std::string> CheckedDevice(const RootDevice& root, const Disk& data, uint64_t file_system) {
    const bool apart = !root.hashes.empty();
    VeritySource source{.data = root.data,
                        .hashes = apart ? root.hashes : root.data,
                        .superblock = {},
                        .place = TreeBehind(file_system, data.size),
                        .root_hash = root.root_hash};
    auto disk = Disk::Open(source.hashes);
    if (!disk) return Fail(std::move(disk).error());
    if (apart)
        source.place = {
            .offset = 0, .hash_file = disk->size, .data = data.size, .file_system = file_system};
    source.superblock = disk->Read(source.place.offset, kVeritySuperblockSize);
    if (!IsVeritySuperblock(source.superblock))
        return Fail("there is no hash tree ", apart ? "on " : "behind the file system on ",
                    source.hashes, ": write the image with what 'veritysetup format' made for it");
    return MakeVerityDevice("husk-root", source);
}

}  // namespace

Status MountRootDevice(const RootDevice& root, const std::string& target) {
    auto data = Disk::Open(root.data);
    if (!data) return Fail(std::move(data).error());
    const std::string head = data->Read(0, kImageHeadSize);
    auto type = ProbeImage(head, data->size);
    if (!type) return Fail(std::move(type).error().Wrap(root.data));
    if (root.root_hash.empty()) return MountImageDevice(root.data, *type, target);
    auto node = CheckedDevice(root, *data, FileSystemSize(head, *type));
    if (!node) return Fail(std::move(node).error().Wrap(root.data));
    Status mounted = MountImageDevice(*node, *type, target);
    if (!mounted && mounted.error().code() == EIO)
        return Fail(root.data,
                    ": its first blocks do not match the root hash: either that is not this "
                    "image's, or the image is damaged; boot with the hash that 'veritysetup "
                    "format' printed for it, or write the image again");
    return mounted;
}

}  // namespace husk::rootfs
