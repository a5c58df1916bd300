#include "rootfs/devices.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sys.h"
#include "base/text.h"

namespace husk::rootfs {
namespace {

Result<OwnedFd> MakeDetachedTmpfs() {
    const OwnedFd context(sys::fsopen("tmpfs", sys::kFsopenCloexec));
    constexpr const char* kOptions[][2] = {{"mode", "755"}, {"size", "64k"}};
    bool good = static_cast<bool>(context);
    for (const auto& [name, value] : kOptions)
        good = good && sys::fsconfig(context.get(), sys::kFsconfigSetString, name, value, 0) == 0;
    good = good && sys::fsconfig(context.get(), sys::kFsconfigCreate, nullptr, nullptr, 0) == 0;
    OwnedFd mount(good ? sys::fsmount(context.get(), sys::kFsmountCloexec,
                                      sys::kMountNoSuid | sys::kMountNoExec)
                       : -1);
    if (!mount) return FailErrno("make a tmpfs for /dev");
    return mount;
}

Status MakeNode(int tree, const DeviceNode& node) {
    const mode_t type = node.block ? S_IFBLK : S_IFCHR;
    // A node of the usual ones can be asked for with other rights.
    if (::unlinkat(tree, node.path.c_str(), 0) != 0 && errno != ENOENT)
        return FailErrno("make device ", Quote(Cat("/dev/", node.path)));
    if (::mknodat(tree, node.path.c_str(), type | node.mode, makedev(node.major, node.minor)) != 0)
        return FailErrno("make device ", Quote(Cat("/dev/", node.path)));
    if (::fchmodat(tree, node.path.c_str(), node.mode, 0) != 0 ||  // mknod obeys the umask
        ::fchownat(tree, node.path.c_str(), node.uid, node.gid, 0) != 0)
        return FailErrno("set owner and mode of ", Quote(Cat("/dev/", node.path)));
    return {};
}

Status MakeFolders(int tree, std::string_view path) {
    for (size_t at = 0; (at = path.find('/', at)) != path.npos; ++at)
        if (::mkdirat(tree, std::string(path.substr(0, at)).c_str(), 0755) != 0 && errno != EEXIST)
            return FailErrno("make folder ", Quote(Cat("/dev/", path.substr(0, at))));
    return {};
}

Status MakeNotifyPlace(int tree) {
    const OwnedFd place(::openat(tree, kNotifyPlace, O_RDONLY | O_CREAT | O_CLOEXEC, 0));
    if (!place) return FailErrno("make ", Quote(Cat("/dev/", kNotifyPlace)));
    return {};
}

// The folders last: whoever sees them knows that all is there.
Status FillDeviceTree(int tree, const std::vector<DeviceNode>& more) {
    struct Node {
        const char* name;
        unsigned minor, major;
    };
    constexpr Node kNodes[] = {{"null", 3, 1},   {"zero", 5, 1},    {"full", 7, 1},
                               {"random", 8, 1}, {"urandom", 9, 1}, {"tty", 0, 5}};
    constexpr const char* kLinks[][2] = {{"fd", "/proc/self/fd"},
                                         {"stdin", "/proc/self/fd/0"},
                                         {"stdout", "/proc/self/fd/1"},
                                         {"stderr", "/proc/self/fd/2"},
                                         {"ptmx", "pts/ptmx"}};
    for (const auto& node : kNodes)
        HUSK_TRY(MakeNode(
            tree, {.path = node.name, .major = node.major, .minor = node.minor, .mode = 0666}));
    for (const auto& [name, target] : kLinks)
        if (::symlinkat(target, tree, name) != 0) return FailErrno("link ", Quote(name));
    for (const auto& node : more) {
        HUSK_TRY(MakeFolders(tree, node.path));
        HUSK_TRY(MakeNode(tree, node));
    }
    HUSK_TRY(MakeNotifyPlace(tree));
    for (const char* folder : {"pts", "shm", "mqueue"})
        if (::mkdirat(tree, folder, 0755) != 0 && errno != EEXIST)
            return FailErrno("make folder ", Quote(Cat("/dev/", folder)));
    return {};
}

}  // namespace

Status PrepareDeviceTree(const std::string& path) {
    HUSK_TRY(MakeDirectories(path));
    struct stat last {};
    if (::stat((path + "/mqueue").c_str(), &last) == 0) {  // made last: complete
        auto tree = OpenFile(path, O_RDONLY | O_DIRECTORY);
        if (!tree) return Fail(std::move(tree).error());
        return MakeNotifyPlace(tree->get());  // by a husk that did not know it
    }
    if (::mount("tmpfs", path.c_str(), "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=64k") != 0)
        return FailErrno("mount tmpfs on ", Quote(path));
    auto tree = OpenFile(path, O_RDONLY | O_DIRECTORY);
    if (!tree) return Fail(std::move(tree).error());
    return FillDeviceTree(tree->get(), {});
}

Result<OwnedFd> MakeDeviceTree(const std::vector<DeviceNode>& nodes) {
    auto mount = MakeDetachedTmpfs();
    if (!mount) return Fail(std::move(mount).error());
    HUSK_TRY(FillDeviceTree(mount->get(), nodes));
    const sys::MountAttributes read_only{.set = sys::kMountReadOnly, .propagation = MS_PRIVATE};
    if (sys::mount_setattr(mount->get(), "", sys::kAtEmptyPath, read_only) != 0)
        return FailErrno("make a /dev read-only");
    return mount;
}

}  // namespace husk::rootfs
