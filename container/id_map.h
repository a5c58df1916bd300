// User namespaces' id maps.
#pragma once

#include <cstdint>
#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "container/spec.h"

namespace husk::container {

// Pure: an own range of 65,536 ids for each name, the same one for the same name as far as can be
// (a hash of the name picks the slot; on collision the next free one, in the order of names).
// `taken` keeps what is in use already; both together must be fewer than 28,000. Ranges lie in
// 524288..1878982656, which systemd reserves for containers too (systemd.io, "Users, Groups, UIDs
// and GIDs").
std::map<std::string, IdRange> AssignIdRanges(const std::vector<std::string>& names,
                                              const std::map<std::string, IdRange>& taken);

// Writes uid_map and gid_map of a process that is alone in a new user namespace.
Status WriteIdMaps(pid_t pid, IdRange range);

// A user namespace that holds nothing but the map, for mount_setattr(2) with MOUNT_ATTR_IDMAP.
Result<OwnedFd> CreateIdMapNamespace(IdRange range);

}  // namespace husk::container
