// The parent's share of a container's mounts: detached clones with their attributes set.
#pragma once

#include <string>

#include "base/error.h"
#include "base/fd.h"
#include "rootfs/tree.h"

namespace husk::rootfs {

struct Attached {
    OwnedFd mount;
    // The kernel cannot map owners on this file system: a read-only mount goes without, and its
    // owners show as nobody; a writable one is refused.
    bool owners_unmapped = false;
};

// What lies at `subpath` below `source`: nobody who can write there leads it out by a link.
// `shared` is as OpenAttachment() has it.
Result<OwnedFd> OpenSource(const std::string& source, const std::string& subpath,
                           const std::string& shared);

// open_tree(2) with OPEN_TREE_CLONE, then mount_setattr(2). `user_namespace` holds the id map and
// may be -1 where no attachment wants one. Where the source lies in the folder `shared`, which
// containers can write to, no link in there leads out of it (CVE-2021-30465).
Result<Attached> OpenAttachment(const Attachment& attachment, int user_namespace,
                                const std::string& shared = {});

}  // namespace husk::rootfs
