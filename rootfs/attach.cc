#include "rootfs/attach.h"

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

Result<OwnedFd> Clone(const Attachment& attachment, const std::string& shared) {
    const std::string& source = attachment.source;
    OwnedFd at;
    if (!shared.empty()) {
        const OwnedFd folder(::open(shared.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (folder)
            at.reset(sys::openat2(folder.get(), source.c_str() + shared.size() + 1,
                                  {.flags = O_PATH | O_CLOEXEC,
                                   .resolve = sys::kResolveBeneath | sys::kResolveNoMagicLinks}));
        if (!at && (errno == EXDEV || errno == ELOOP))
            return Fail(Cat("mount ", Quote(source), ": a link in ", Quote(shared),
                            ", which units can write to, leads out of it; remove the link, or "
                            "name what it leads to"));
        if (!at) return FailErrno(Cat("mount ", Quote(source)));
    }
    const unsigned flags = sys::kOpenTreeClone | sys::kOpenTreeCloexec |
                           (attachment.recursive ? sys::kAtRecursive : 0);
    OwnedFd mount(at ? sys::open_tree(at.get(), "", flags | sys::kAtEmptyPath)
                     : sys::open_tree(AT_FDCWD, source.c_str(), flags));
    if (!mount) return FailErrno(Cat("mount ", Quote(source)));
    return mount;
}

}  // namespace

Result<Attached> OpenAttachment(const Attachment& attachment, int user_namespace,
                                const std::string& shared) {
    const unsigned recursive = attachment.recursive ? sys::kAtRecursive : 0;
    Attached attached;
    auto mount = Clone(attachment, shared);
    if (!mount) return Fail(std::move(mount).error());
    attached.mount = std::move(*mount);

    sys::MountAttributes wanted{.propagation = MS_PRIVATE};
    if (attachment.read_only) wanted.set |= sys::kMountReadOnly;
    if (attachment.no_exec) wanted.set |= sys::kMountNoExec;
    if (attachment.no_suid) wanted.set |= sys::kMountNoSuid;
    if (attachment.no_dev) wanted.set |= sys::kMountNoDev;
    const unsigned flags = sys::kAtEmptyPath | recursive;
    if (sys::mount_setattr(attached.mount.get(), "", flags, wanted) != 0)
        return FailErrno(Cat("set attributes of the mount of ", Quote(attachment.source)));

    if (!attachment.idmap || user_namespace < 0) return attached;
    const sys::MountAttributes map{.set = sys::kMountIdMap,
                                   .user_namespace = static_cast<uint64_t>(user_namespace)};
    if (sys::mount_setattr(attached.mount.get(), "", flags, map) == 0) return attached;
    if (errno != EINVAL || !attachment.read_only)
        return FailErrno(
            Cat("map the owners of ", Quote(attachment.source),
                " for the container's user namespace (this kernel can do that on ext4, "
                "xfs, f2fs, btrfs and erofs, and on tmpfs from 6.3 on: put the volume "
                "there, mount it read-only, or write UserNS=host)"));
    attached.owners_unmapped = true;
    return attached;
}

Status PrepareDeviceTree(const std::string& path) {
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
    HUSK_TRY(MakeDirectories(path));
    struct stat last {};
    if (::stat((path + "/mqueue").c_str(), &last) == 0) return {};  // made last: complete
    if (::mount("tmpfs", path.c_str(), "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=64k") != 0)
        return FailErrno(Cat("mount tmpfs on ", Quote(path)));
    for (const auto& node : kNodes) {
        const std::string name = Cat(path, "/", node.name);
        if (::mknod(name.c_str(), S_IFCHR | 0666, makedev(node.major, node.minor)) != 0)
            return FailErrno(Cat("make device ", Quote(name)));
        if (::chmod(name.c_str(), 0666) != 0)  // mknod obeys the umask
            return FailErrno(Cat("set mode of ", Quote(name)));
    }
    for (const auto& [name, target] : kLinks)
        if (::symlink(target, Cat(path, "/", name).c_str()) != 0)
            return FailErrno(Cat("link ", Quote(name)));
    for (const char* folder : {"pts", "shm", "mqueue"})
        HUSK_TRY(MakeDirectories(Cat(path, "/", folder)));
    return {};
}

}  // namespace husk::rootfs
