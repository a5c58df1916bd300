#include "rootfs/attach.h"

#include <fcntl.h>
#include <sys/mount.h>

#include "base/file.h"
#include "base/sys.h"
#include "base/text.h"

namespace husk::rootfs {

namespace {

// With RESOLVE_BENEATH: no link below `shared`, which units can write to, leads out of it.
Result<OwnedFd> OpenBelow(const std::string& shared, const std::string& source) {
    OwnedFd at;
    const OwnedFd folder(::open(shared.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (folder)
        at.reset(sys::openat2(folder.get(), source.c_str() + shared.size() + 1,
                              {.flags = O_PATH | O_CLOEXEC,
                               .resolve = sys::kResolveBeneath | sys::kResolveNoMagicLinks}));
    if (!at && (errno == EXDEV || errno == ELOOP))
        return Fail("mount ", Quote(source), ": a link in ", Quote(shared),
                    ", which units can write to, leads out of it; remove the link, or "
                    "name what it leads to");
    if (!at) return FailErrno("mount ", Quote(source));
    return at;
}

}  // namespace

Result<OwnedFd> OpenSource(const std::string& source, const std::string& subpath,
                           const std::string& shared) {
    auto whole = shared.empty() ? OpenFile(source, O_PATH) : OpenBelow(shared, source);
    if (!whole || subpath.empty()) return whole;
    OwnedFd part(sys::openat2(
        whole->get(), subpath.c_str(),
        {.flags = O_PATH | O_CLOEXEC,
         .resolve = sys::kResolveInRoot | sys::kResolveNoMagicLinks | sys::kResolveNoSymlinks}));
    if (!part && errno == ELOOP)
        return Fail(Quote(subpath), " in ", Quote(source),
                    " is or lies behind a symbolic link, and none is followed there; name the "
                    "folder itself");
    if (!part) return FailErrno("open ", Quote(subpath), " in ", Quote(source));
    return part;
}

Result<OwnedFd> OpenAttachment(const Attachment& attachment, const std::string& shared) {
    const unsigned recursive = attachment.recursive ? sys::kAtRecursive : 0;
    auto source = OpenSource(attachment.source, attachment.subpath, shared);
    if (!source && source.error().code() != 0 && attachment.subpath.empty())
        return Fail(
            Error::FromErrno(source.error().code(), Cat("mount ", Quote(attachment.source))));
    if (!source) return Fail(std::move(source).error());
    OwnedFd mount(sys::open_tree(
        source->get(), "",
        sys::kOpenTreeClone | sys::kOpenTreeCloexec | sys::kAtEmptyPath | recursive));
    if (!mount) return FailErrno("mount ", Quote(attachment.source));

    sys::MountAttributes wanted{.propagation = MS_PRIVATE};
    if (attachment.read_only) wanted.set |= sys::kMountReadOnly;
    if (attachment.no_exec) wanted.set |= sys::kMountNoExec;
    if (attachment.no_suid) wanted.set |= sys::kMountNoSuid;
    if (attachment.no_dev) wanted.set |= sys::kMountNoDev;
    if (sys::mount_setattr(mount.get(), "", sys::kAtEmptyPath | recursive, wanted) != 0)
        return FailErrno("set attributes of the mount of ", Quote(attachment.source));
    return mount;
}

Result<bool> MapOwners(const Attachment& attachment, int mount, int user_namespace) {
    const unsigned recursive = attachment.recursive ? sys::kAtRecursive : 0;
    const sys::MountAttributes map{.set = sys::kMountIdMap,
                                   .user_namespace = static_cast<uint64_t>(user_namespace)};
    if (sys::mount_setattr(mount, "", sys::kAtEmptyPath | recursive, map) == 0) return true;
    if (errno != EINVAL || !attachment.read_only)
        return FailErrno("map the owners of ", Quote(attachment.source),
                         " for the container's user namespace (this kernel can do that on ext4, "
                         "xfs, f2fs, btrfs and erofs, and on tmpfs from 6.3 on: put the volume "
                         "there, mount it read-only, or write UserNS=host)");
    return false;
}

}  // namespace husk::rootfs
