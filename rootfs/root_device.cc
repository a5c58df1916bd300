#include "rootfs/root_device.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "rootfs/image.h"
#include "rootfs/verity.h"

namespace husk::rootfs {
namespace {

constexpr uint64_t kTreeAlignment = 4096;

struct Opened {
    OwnedFd fd;
    uint64_t size = 0;

    static Result<Opened> Open(const std::string& node) {
        Opened device;
        auto fd = OpenFile(node, O_RDONLY);
        if (!fd) return Fail(std::move(fd).error());
        device.fd = std::move(*fd);
        if (::ioctl(device.fd.get(), BLKGETSIZE64, &device.size) != 0)
            return FailErrno(Cat("ask for the size of ", Quote(node)));
        return device;
    }
    std::string Read(uint64_t at, size_t count) const {
        std::string bytes(count, '\0');
        const ssize_t got = ::pread(fd.get(), bytes.data(), count, static_cast<off_t>(at));
        bytes.resize(got < 0 ? 0 : static_cast<size_t>(got));
        return bytes;
    }
};

Result<std::string> CheckedDevice(const RootDevice& root, const Opened& data,
                                  uint64_t file_system) {
    const bool apart = !root.hash.empty();
    const uint64_t behind = (file_system + kTreeAlignment - 1) / kTreeAlignment * kTreeAlignment;
    auto hashes = Opened::Open(apart ? root.hash : root.data);
    if (!hashes) return Fail(std::move(hashes).error());
    const VerityPlace place{.offset = apart ? 0 : behind,
                            .hash_file = hashes->size,
                            .data = apart ? data.size : behind,
                            .file_system = file_system};
    const std::string superblock = hashes->Read(place.offset, kVeritySuperblockSize);
    if (!IsVeritySuperblock(superblock))
        return Fail(Cat("there is no hash tree ",
                        apart ? Cat("on ", root.hash) : Cat("behind the file system on ", root.data)));
    auto tree = ParseVeritySuperblock(superblock, place);
    if (!tree) return Fail(std::move(tree).error().Wrap("its hash tree"));
    HUSK_TRY(CheckRootHash(*tree, root.root_hash));
    return MakeVerityDevice(
        {.name = "husk-root",
         .uuid = Cat("HUSK-ROOT-", root.root_hash.substr(0, 110)),
         .table = VerityTable(*tree, root.data, apart ? root.hash : root.data, root.root_hash),
         .sectors = VeritySectors(*tree)});
}

}  // namespace

Status MountRootDevice(const RootDevice& root, const std::string& target) {
    auto data = Opened::Open(root.data);
    if (!data) return Fail(std::move(data).error());
    const std::string head = data->Read(0, kImageHeadSize);
    auto type = ProbeImage(head, data->size);
    if (!type) return Fail(std::move(type).error().Wrap(root.data));
    std::string node = root.data;
    if (!root.root_hash.empty()) {
        auto checked = CheckedDevice(root, *data, FileSystemSize(head, *type));
        if (!checked) return Fail(std::move(checked).error());
        node = std::move(*checked);
    }
    const char* const name = *type == ImageType::kErofs ? "erofs" : "squashfs";
    if (::mount(node.c_str(), target.c_str(), name, MS_RDONLY | MS_NODEV, nullptr) != 0)
        return FailErrno(Cat("mount ", Quote(node), " as ", name));
    return {};
}

}  // namespace husk::rootfs
