#include "rootfs/attach.h"

#include <fcntl.h>
#include <sys/mount.h>

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

}  // namespace husk::rootfs
