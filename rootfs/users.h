// Users and groups of a container, from its own passwd and group files: parsed here, since a static
// program has no name service and the device's names mean nothing in a container.
#pragma once

#include <cstdint>

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace husk::rootfs {

struct UserIds {
    uint32_t uid = 0, gid = 0;
    std::vector<uint32_t> groups;  // supplementary
    std::string name = "root", home = "/", shell;
};

struct UserRequest {
    std::string user, group;             // name or number; empty: 0, or the user's own group
    std::vector<std::string> group_add;  // names or numbers
};

// passwd(5) and group(5); lines that are no entries are passed over. A number needs no entry, a
// name does. Supplementary groups are group_add and, where no group is asked for, those that list
// the user.
Result<UserIds> ResolveUser(const UserRequest& request, std::string_view passwd,
                            std::string_view group);

// What a root without such files gets.
std::string_view DefaultPasswd();
std::string_view DefaultGroup();

}  // namespace husk::rootfs
