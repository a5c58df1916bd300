// The parent's share of a container's mounts: detached clones with their attributes set.
#pragma once

#include <string>

#include "base/error.h"
#include "base/fd.h"
#include "rootfs/tree.h"

namespace husk::rootfs {

// What lies at `subpath` below `source`: nobody who can write there leads it out by a link.
// `shared` is as OpenAttachment() has it.
Result<OwnedFd> OpenSource(const std::string& source, const std::string& subpath,
                           const std::string& shared);

// open_tree(2) with OPEN_TREE_CLONE, then mount_setattr(2). Where the source lies in the folder
// `shared`, which containers can write to, no link in there leads out of it (CVE-2021-30465).
Result<OwnedFd> OpenAttachment(const Attachment& attachment, const std::string& shared = {});

// MOUNT_ATTR_IDMAP: what ids 0, 1, … own on the file system belongs to those of the user
// namespace, whose maps have to be written. `mount` is the attachment's, not attached yet. False:
// the kernel cannot do that on this file system, and a read-only mount goes without, so that its
// owners show as nobody; a writable one is refused.
Result<bool> MapOwners(const Attachment& attachment, int mount, int user_namespace);

}  // namespace husk::rootfs
