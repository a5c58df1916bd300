#include "rootfs/users.h"

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace husk::rootfs {
namespace {

std::optional<uint32_t> ParseId(std::string_view text) {
    auto number = ParseUnsigned(text);
    // The last id means "no id" to the kernel.
    if (!number || *number >= UINT32_MAX) return std::nullopt;
    return static_cast<uint32_t>(*number);
}

// Calls `visit` with the fields of each line that has at least `wanted` of them, until it says
// true.
template <typename Visit>
bool FindEntry(std::string_view file, size_t wanted, Visit visit) {
    for (auto line : Split(file, '\n')) {
        auto fields = Split(line, ':');
        if (fields.size() >= wanted && !fields[0].empty() && visit(fields)) return true;
    }
    return false;
}

Result<uint32_t> ResolveGroup(std::string_view name, std::string_view group_file) {
    if (auto number = ParseId(name)) return *number;
    uint32_t gid = 0;
    const bool found = FindEntry(group_file, 3, [&](const auto& fields) {
        auto id = ParseId(fields[2]);
        if (fields[0] != name || !id) return false;
        gid = *id;
        return true;
    });
    if (!found)
        return Fail("no group ", Quote(name),
                    " in the container's /etc/group; use a number, or add it to the image");
    return gid;
}

}  // namespace

Result<UserIds> ResolveUser(const UserRequest& request, std::string_view passwd,
                            std::string_view group) {
    UserIds ids;
    const std::string_view wanted = request.user.empty() ? "0" : std::string_view(request.user);
    const auto number = ParseId(wanted);
    bool found = FindEntry(passwd, 6, [&](const auto& fields) {
        auto uid = ParseId(fields[2]), gid = ParseId(fields[3]);
        if (!uid || !gid || (number ? *uid != *number : fields[0] != wanted)) return false;
        ids.uid = *uid;
        ids.gid = *gid;
        ids.name = fields[0];
        ids.home = fields[5].empty() ? "/" : std::string(fields[5]);
        if (fields.size() > 6) ids.shell = fields[6];
        return true;
    });
    if (!found && !number)
        return Fail("no user ", Quote(wanted),
                    " in the container's /etc/passwd; use a number, or add it to the image");
    if (!found) {
        ids.uid = *number;
        ids.gid = 0;  // as Docker and Podman do for a number without an entry
        ids.name = std::string(wanted);
    }
    if (!request.group.empty()) {
        auto gid = ResolveGroup(request.group, group);
        if (!gid) return Fail(std::move(gid).error());
        ids.gid = *gid;
    } else if (found) {
        (void)FindEntry(group, 4, [&](const auto& fields) {  // visits all: nothing is "found"
            auto gid = ParseId(fields[2]);
            auto members = Split(fields[3], ',');
            if (gid && *gid != ids.gid &&
                std::find(members.begin(), members.end(), ids.name) != members.end())
                ids.groups.push_back(*gid);
            return false;
        });
    }
    for (const auto& name : request.group_add) {
        auto gid = ResolveGroup(name, group);
        if (!gid) return Fail(std::move(gid).error());
        ids.groups.push_back(*gid);
    }
    return ids;
}

std::string_view DefaultPasswd() {
    return "root:x:0:0:root:/:/bin/sh\n"
           "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";
}

std::string_view DefaultGroup() {
    return "root:x:0:\n"
           "tty:x:5:\n"
           "nogroup:x:65534:\n";
}

}  // namespace husk::rootfs
