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

#include "base/file.h"
#include "base/sys.h"
#include "base/text.h"

namespace husk::rootfs {
namespace {

// Offsets of the kernel's fs/erofs/erofs_fs.h and fs/squashfs/squashfs_fs.h; both little-endian.
constexpr size_t kErofsSuper = 1024;
constexpr uint32_t kErofsMagic = 0xE0F5E1E2;
constexpr uint32_t kSquashfsMagic = 0x73717368;

uint64_t LittleEndian(std::string_view head, size_t at, size_t bytes) {
    uint64_t value = 0;
    for (size_t i = bytes; i-- > 0;) value = value << 8 | static_cast<unsigned char>(head[at + i]);
    return value;
}

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
    if (head.size() > 1082 && LittleEndian(head, 1080, 2) == 0xEF53) return "an ext4 file system";
    return "of an unknown type";
}

std::unexpected<Error> CutShort(const char* type, uint64_t wanted, uint64_t size) {
    return Fail(Cat("it is cut short: its ", type, " header says ", std::to_string(wanted),
                    " bytes, the file has ", std::to_string(size), "; copy it again"));
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
        if (errno != EBUSY) return FailErrno(Cat("set up loop device ", Quote(device)));
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

}  // namespace

const char* FileSystemName(ImageType type) {
    switch (type) {
        case ImageType::kErofs: return "erofs";
        case ImageType::kSquashfs: return "squashfs";
    }
    return "";
}

Result<ImageType> ProbeImage(std::string_view head, uint64_t file_size) {
    if (head.empty()) return Fail("the file is empty");
    if (head.size() >= kErofsSuper + 128 && LittleEndian(head, kErofsSuper, 4) == kErofsMagic) {
        const uint64_t block_bits = LittleEndian(head, kErofsSuper + 12, 1);
        if (block_bits < 9 || block_bits > 16)
            return Fail("its erofs header is damaged (block size)");
        const uint64_t wanted = LittleEndian(head, kErofsSuper + 36, 4) << block_bits;
        if (wanted > file_size) return CutShort("erofs", wanted, file_size);
        return ImageType::kErofs;
    }
    if (head.size() >= 96 && LittleEndian(head, 0, 4) == kSquashfsMagic) {
        const uint64_t wanted = LittleEndian(head, 40, 8);
        if (wanted > file_size) return CutShort("squashfs", wanted, file_size);
        return ImageType::kSquashfs;
    }
    return Fail(Cat("it is neither erofs nor squashfs but ", GuessFile(head),
                    "; make an image with mkfs.erofs or mksquashfs"));
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
        for (const auto& folder : folders)
            for (const char* suffix : kSuffixes) {
                std::string path = Cat(folder, "/", name, suffix);
                struct stat file {};
                if (::stat(path.c_str(), &file) == 0 && S_ISREG(file.st_mode)) return path;
            }
    return Fail(MissingImage(image, names, folders));
}

Result<ImageStore::Mounted> ImageStore::Mount(const std::string& image_file) {
    const std::string what = Cat("image ", Quote(image_file));
    auto at = OpenFile(image_file, O_PATH);
    if (!at) return Fail(std::move(at).error().Wrap(what));
    auto image = OpenRegularFile(*at, image_file);
    if (!image) return Fail(std::move(image).error().Wrap("image"));
    struct stat file {};
    if (::fstat(image->get(), &file) != 0) return FailErrno(Cat("stat ", Quote(image_file)));
    char head[kImageHeadSize];
    const ssize_t got = ::pread(image->get(), head, sizeof head, 0);
    if (got < 0) return FailErrno(Cat("read ", Quote(image_file)));
    auto type = ProbeImage({head, static_cast<size_t>(got)}, static_cast<uint64_t>(file.st_size));
    if (!type) return Fail(std::move(type).error().Wrap(what));

    Mounted mounted{Cat(directory_, "/", KeyOf(file)), *type};
    HUSK_TRY(MakeDirectories(mounted.path));
    if (IsMountPoint(mounted.path)) return mounted;
    std::string device;
    auto loop = AttachLoop(image->get(), image_file, device);
    if (!loop) return Fail(std::move(loop).error().Wrap(what));
    if (::mount(device.c_str(), mounted.path.c_str(), FileSystemName(*type), MS_RDONLY | MS_NODEV,
                nullptr) != 0) {
        const int error = errno;
        (void)::rmdir(mounted.path.c_str());  // it is empty, and would stay for ever
        const char* hint = error == ENODEV
                               ? " (the kernel has no such file system: load its module)"
                               : " (is the file damaged?)";
        return Fail(Error::FromErrno(error, Cat(what, ": mount as ", FileSystemName(*type), hint)));
    }
    return mounted;
}

}  // namespace husk::rootfs
