// User namespaces' id maps.
#pragma once

#include <cstdint>
#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "container/spec.h"

namespace husk::container {

// Pure: an own range of 65,536 ids for each name, the same one for the same name as far as can be
// (a hash of the name picks the slot; on collision the next free one, in the order of names). So
// the ranges of a set of names do not hang on the order in which they are loaded, nor on the boot;
// what a name that comes new takes can hang on the others, if its slot is theirs already.
// `taken` keeps what is in use already; both together must be fewer than 28,000. Ranges lie in
// 524288..1878982656, which systemd reserves for containers too (systemd.io, "Users, Groups, UIDs
// and GIDs").
std::map<std::string, IdRange> AssignIdRanges(const std::vector<std::string>& names,
                                              const std::map<std::string, IdRange>& taken);

// A range as users and groups from 0 on.
IdMap MapOf(IdRange range);
// The device's id of a container's; nothing where the map lacks it.
std::optional<uint32_t> OnDevice(const std::vector<IdExtent>& map, uint32_t inside);
// As uid_map and gid_map take it: a line "INSIDE OUTSIDE COUNT" for each extent.
std::string TextOf(const std::vector<IdExtent>& map);

// Writes uid_map and gid_map of a process that is alone in a new user namespace.
Status WriteIdMaps(pid_t pid, const IdMap& map);

}  // namespace husk::container
