#include "rootfs/image.h"

#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/disk_bytes.h"
#include "base/file.h"
#include "base/sys.h"
#include "base/text.h"
#include "rootfs/image_versions.h"
#include "rootfs/verity.h"

namespace husk::rootfs {
namespace {

// Offsets of the kernel's fs/erofs/erofs_fs.h and fs/squashfs/squashfs_fs.h; both little-endian.
constexpr size_t kErofsSuper = 1024;
constexpr uint32_t kErofsMagic = 0xE0F5E1E2;
constexpr uint32_t kSquashfsMagic = 0x73717368;

// What people put there by mistake, by its first bytes.
const char* GuessFile(std::string_view head) {
    if (head.starts_with("\x1f\x8b")) return "a gzip file (a tar archive?)";
    if (head.starts_with("\xfd"
                         "7zXZ"))
        return "an xz file (a tar archive?)";
    if (head.starts_with("\x28\xb5\x2f\xfd")) return "a zstd file (a tar archive?)";
    if (head.starts_with("\x7f"
                         "ELF"))
        return "a program";
    if (head.starts_with("{") || head.starts_with("[")) return "a text file (JSON?)";
    if (head.size() > 262 && head.substr(257, 5) == "ustar") return "a tar archive";
    if (head.size() > 1082 && DiskBytes(head).Number(1080, 2) == 0xEF53)
        return "an ext4 file system";
    return "of an unknown type";
}

std::unexpected<Error> CutShort(const char* type, uint64_t wanted, uint64_t size) {
    return Fail("it is cut short: its ", type, " header says ", std::to_string(wanted),
                " bytes, the file has ", std::to_string(size), "; copy it again");
}

// LOOP_CTL_GET_FREE and LOOP_CONFIGURE are two calls: somebody else may take the device between
// them, which shows as EBUSY.
constexpr int kLoopTries = 64;

Result<OwnedFd> AttachLoop(int image, const std::string& name, std::string& device) {
    auto control = OpenFile("/dev/loop-control", O_RDWR);
    if (!control)
        return Fail(std::move(control).error().Wrap(
            "the kernel has no loop devices (CONFIG_BLK_DEV_LOOP, module 'loop')"));
    for (int i = 0; i < kLoopTries; ++i) {
        int number = ::ioctl(control->get(), LOOP_CTL_GET_FREE);
        if (number < 0) return FailErrno("get a free loop device");
        device = Cat("/dev/loop", std::to_string(number));
        auto loop = OpenFile(device, O_RDONLY);
        if (!loop) return Fail(std::move(loop).error());
        loop_config config{};
        config.fd = static_cast<__u32>(image);
        config.info.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR;
        std::snprintf(reinterpret_cast<char*>(config.info.lo_file_name), LO_NAME_SIZE, "%s",
                      name.c_str());
        if (::ioctl(loop->get(), LOOP_CONFIGURE, &config) == 0) return loop;
        if (errno != EBUSY) return FailErrno("set up loop device ", Quote(device));
    }
    return Fail("every loop device was taken by somebody else; try again");
}

// Looked for in this order; what has none is told by its bytes.
constexpr const char* kSuffixes[] = {".erofs", ".squashfs", ""};

std::string_view WithoutSuffix(std::string_view file) {
    for (std::string_view suffix : kSuffixes)
        if (file.ends_with(suffix)) return file.substr(0, file.size() - suffix.size());
    return file;
}

std::string MissingImage(const std::string& image, const std::vector<std::string>& names,
                         const std::vector<std::string>& folders) {
    std::string looked_for;
    for (size_t i = 0; i < names.size(); ++i) {
        if (i > 0) looked_for += ", ";
        looked_for += Cat("'", names[i], ".erofs'", i + 1 < names.size() ? ", '" : " or '",
                          names[i], ".squashfs'");
    }
    std::vector<std::string> files;
    for (const auto& folder : folders)
        if (auto there = ListDirectory(folder))
            files.insert(files.end(), there->begin(), there->end());
    std::vector<std::string> near = NearImages(names, files);
    for (auto& name : near) name = Quote(name);
    return Cat("image ", Quote(image), ": no ", looked_for, " in ", Join(folders, ", "),
               near.empty() ? "" : Cat(" (there is ", Join(near, ", "), ")"),
               "; put the file there or give its full path");
}

std::string KeyOf(const struct stat& file) {
    char key[96];
    std::snprintf(
        key, sizeof key, "%llx-%llx-%llx-%llx.%llx", static_cast<unsigned long long>(file.st_dev),
        static_cast<unsigned long long>(file.st_ino), static_cast<unsigned long long>(file.st_size),
        static_cast<unsigned long long>(file.st_ctim.tv_sec),
        static_cast<unsigned long long>(file.st_ctim.tv_nsec));
    return key;
}

constexpr size_t kRootHashFile = 4096;  // bytes, at most

Result<OwnedFd> OpenRegular(const std::string& path) {
    auto at = OpenFile(path, O_PATH);
    if (!at) return at;
    return OpenRegularFile(*at, path);
}

struct ImageFile {
    OwnedFd fd;
    struct stat file {};
    ImageType type{};
    uint64_t file_system = 0;  // bytes

    static Result<ImageFile> Open(const std::string& path) {
        ImageFile image;
        auto opened = OpenRegular(path);
        if (!opened) return Fail(std::move(opened).error());
        image.fd = std::move(*opened);
        if (::fstat(image.fd.get(), &image.file) != 0) return FailErrno("stat");
        char head[kImageHeadSize];
        const ssize_t got = ::pread(image.fd.get(), head, sizeof head, 0);
        if (got < 0) return FailErrno("read");
        const std::string_view bytes(head, static_cast<size_t>(got));
        auto type = ProbeImage(bytes, static_cast<uint64_t>(image.file.st_size));
        if (!type) return Fail(std::move(type).error());
        image.type = *type;
        image.file_system = FileSystemSize(bytes, *type);
        return image;
    }
};

// Empty: the image is not to be checked.
Result<std::string> FindRootHash(const std::string& image_file, const std::string& verity) {
    if (!verity.empty() && !verity.starts_with('/')) return ParseRootHashText(verity);
    std::vector<std::string> files = {verity};
    if (verity.empty()) files = FilesBeside(image_file, ".roothash");
    for (const auto& file : files) {
        auto opened = OpenRegular(file);
        if (!opened && verity.empty() && opened.error().code() == ENOENT) continue;
        if (!opened) return Fail(std::move(opened).error().Wrap("its root hash"));
        auto text = ReadAll(opened->get(), kRootHashFile, file);
        if (!text) return Fail(std::move(text).error().Wrap("its root hash"));
        auto hash = ParseRootHashText(*text);
        if (!hash) return Fail(std::move(hash).error().Wrap(Quote(file)));
        return hash;
    }
    return std::string();
}

std::string ReadSuperblock(int fd, uint64_t offset) {
    char block[kVeritySuperblockSize];
    const ssize_t got = ::pread(fd, block, sizeof block, static_cast<off_t>(offset));
    return {block, got < 0 ? 0 : static_cast<size_t>(got)};
}

// The verity device upon the loop device `data`: its tree lies behind the file system in the same
// file, or in a file of its own beside it.
Result<std::string> CheckedDevice(const ImageFile& image, const std::string& image_file,
                                  const std::string& data, const std::string& name,
                                  const std::string& root_hash) {
    const auto size = static_cast<uint64_t>(image.file.st_size);
    VeritySource source{.data = data,
                        .hashes = data,
                        .superblock = {},
                        .place = TreeBehind(image.file_system, size),
                        .root_hash = root_hash};
    source.superblock = ReadSuperblock(image.fd.get(), source.place.offset);
    OwnedFd hash_loop;  // until the verity device holds it
    if (!IsVeritySuperblock(source.superblock)) {
        OwnedFd file;
        std::string path;
        for (const auto& beside : FilesBeside(image_file, ".verity")) {
            if (file) break;
            path = beside;
            if (auto opened = OpenRegular(path)) file = std::move(*opened);
        }
        struct stat info {};
        if (!file || ::fstat(file.get(), &info) != 0)
            return Fail("there is a root hash for it and no hash tree: neither at its end nor in ",
                        Quote(Cat(image_file, ".verity")),
                        "; make it with 'build-image --verity' or 'veritysetup format'");
        source.superblock = ReadSuperblock(file.get(), 0);
        source.place = {.offset = 0,
                        .hash_file = static_cast<uint64_t>(info.st_size),
                        .data = size,
                        .file_system = image.file_system};
        auto loop = AttachLoop(file.get(), path, source.hashes);
        if (!loop) return Fail(std::move(loop).error());
        hash_loop = std::move(*loop);
    }
    return MakeVerityDevice(name, source);
}

// As KeyOf() and the hash, as long as a name may be (DM_NAME_LEN).
std::string DeviceNameOf(const ImageFile& image, const std::string& root_hash) {
    return Cat("husk-", KeyOf(image.file), "-", root_hash.substr(0, 32));
}

Status MountChecked(const ImageFile& image, const std::string& image_file, const std::string& loop,
                    const std::string& root_hash, const ImageStore::Mounted& mounted) {
    const std::string name = DeviceNameOf(image, root_hash);
    auto device = CheckedDevice(image, image_file, loop, name, root_hash);
    if (!device) return Fail(std::move(device).error());
    Status done = MountImageDevice(*device, mounted.type, mounted.path);
    // Its mount is its user; where that failed, it has none.
    Status removed = RemoveVerityDevice(name, done.has_value());
    if (!done && done.error().code() == EIO)
        return Fail(
            "its first blocks do not match the root hash: either that is not this file's, or the "
            "file is damaged; use the hash that 'veritysetup format' or 'build-image --verity' "
            "printed for it, or copy the file again");
    if (done && !removed) {
        (void)::umount2(mounted.path.c_str(), MNT_DETACH);  // what failed is told below
        return removed;
    }
    return done;
}

}  // namespace

const char* FileSystemName(ImageType type) {
    switch (type) {
        case ImageType::kErofs: return "erofs";
        case ImageType::kSquashfs: return "squashfs";
    }
    return "";
}

Status MountImageDevice(const std::string& device, ImageType type, const std::string& target) {
    if (::mount(device.c_str(), target.c_str(), FileSystemName(type), MS_RDONLY | MS_NODEV,
                nullptr) == 0)
        return {};
    const char* hint = errno == ENODEV ? " (the kernel has no such file system: load its module)"
                                       : " (is the file damaged?)";
    return FailErrno("mount as ", FileSystemName(type), hint);
}

uint64_t FileSystemSize(std::string_view head, ImageType type) {
    const DiskBytes bytes(head);
    switch (type) {
        case ImageType::kErofs:
            return bytes.Number(kErofsSuper + 36, 4) << bytes.Number(kErofsSuper + 12, 1);
        case ImageType::kSquashfs: return bytes.Number(40, 8);
    }
    return 0;
}

Result<ImageType> ProbeImage(std::string_view head, uint64_t file_size) {
    if (head.empty()) return Fail("the file is empty");
    const DiskBytes bytes(head);
    if (head.size() >= kErofsSuper + 128 && bytes.Number(kErofsSuper, 4) == kErofsMagic) {
        const uint64_t block_bits = bytes.Number(kErofsSuper + 12, 1);
        if (block_bits < 9 || block_bits > 16)
            return Fail("its erofs header is damaged (block size)");
        const uint64_t wanted = FileSystemSize(head, ImageType::kErofs);
        if (wanted > file_size) return CutShort("erofs", wanted, file_size);
        return ImageType::kErofs;
    }
    if (head.size() >= 96 && bytes.Number(0, 4) == kSquashfsMagic) {
        const uint64_t wanted = FileSystemSize(head, ImageType::kSquashfs);
        if (wanted > file_size) return CutShort("squashfs", wanted, file_size);
        return ImageType::kSquashfs;
    }
    return Fail("it is neither erofs nor squashfs but ", GuessFile(head),
                "; make an image with mkfs.erofs or mksquashfs");
}

std::vector<std::string> NearImages(const std::vector<std::string>& names,
                                    const std::vector<std::string>& files) {
    constexpr size_t kMost = 3;
    std::vector<std::string> near;
    for (const auto& file : files) {
        const std::string_view base = WithoutSuffix(file);
        const bool meant = std::ranges::any_of(names, [&](const std::string& name) {
            return base.starts_with(name + "_") || Nearest(name, {base}).has_value();
        });
        if (meant && std::ranges::find(near, file) == near.end()) near.push_back(file);
        if (near.size() == kMost) break;
    }
    return near;
}

Result<std::string> FindImage(const std::string& image, const std::vector<std::string>& names,
                              const std::vector<std::string>& folders) {
    if (image.starts_with("/")) return image;
    for (const auto& name : names)
        for (const auto& folder : folders) {
            auto current = ImageVersions(folder).CurrentFile(name);
            if (!current || !current->empty()) return current;
            if (auto file = FindImageFile(Cat(folder, "/", name)); !file.empty()) return file;
        }
    return Fail(MissingImage(image, names, folders));
}

std::string FindImageFile(const std::string& base) {
    for (const char* suffix : kSuffixes) {
        std::string path = base + suffix;
        struct stat file {};
        if (::stat(path.c_str(), &file) == 0 && S_ISREG(file.st_mode)) return path;
    }
    return {};
}

std::string FindBuiltIn(const std::string& name, const std::vector<std::string>& folders) {
    for (const auto& folder : folders)
        if (auto file = FindImageFile(Cat(folder, "/", name)); !file.empty()) return file;
    return {};
}

std::vector<std::string> FilesBeside(const std::string& image_file, std::string_view suffix) {
    std::vector<std::string> files = {Cat(image_file, suffix)};
    if (const std::string_view bare = WithoutSuffix(image_file); bare != image_file)
        files.push_back(Cat(bare, suffix));
    return files;
}

Result<ImageStore::Mounted> ImageStore::Mount(const std::string& image_file,
                                              const std::string& verity) {
    const std::string what = Cat("image ", Quote(image_file));
    auto image = ImageFile::Open(image_file);
    if (!image) return Fail(std::move(image).error().Wrap(what));
    auto root_hash = FindRootHash(image_file, verity);
    if (!root_hash) return Fail(std::move(root_hash).error().Wrap(what));
    std::string key = KeyOf(image->file);
    if (!root_hash->empty()) key += Cat(".", *root_hash);
    Mounted mounted{Cat(directory_, "/", key), image->type};
    HUSK_TRY(MakeDirectories(mounted.path));
    if (IsMountPoint(mounted.path)) return mounted;
    std::string device;
    auto loop = AttachLoop(image->fd.get(), image_file, device);
    Status done;
    if (!loop)
        done = Fail(std::move(loop).error());
    else if (root_hash->empty())
        done = MountImageDevice(device, mounted.type, mounted.path);
    else
        done = MountChecked(*image, image_file, device, *root_hash, mounted);
    if (done) return mounted;
    (void)::rmdir(mounted.path.c_str());  // it is empty, and would stay for ever
    return Fail(std::move(done).error().Wrap(what));
}

bool ImageStore::IsMountOf(std::string_view path, const std::string& image_file) {
    struct stat file {};
    if (::stat(image_file.c_str(), &file) != 0) return false;
    path.remove_prefix(path.rfind('/') + 1);
    // Behind the key: nothing, or the root hash.
    const std::string key = KeyOf(file);
    return path == key || path.starts_with(key + ".");
}

Result<std::vector<std::string>> ImageStore::List() const {
    auto names = ListDirectory(directory_);
    if (!names) return names;
    for (std::string& name : *names) name = Cat(directory_, "/", name);
    return names;
}

Status ImageStore::Unmount(const std::string& path) {
    if (::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0 && errno != EINVAL)
        return FailErrno("unmount ", Quote(path));
    if (::rmdir(path.c_str()) != 0) return FailErrno("remove ", Quote(path));
    return {};
}

}  // namespace husk::rootfs
