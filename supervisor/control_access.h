// Who may ask the control socket what: the device's root everything, members of the device's group
// "husk" what only looks.
//
// Ids are the device's: those of a process in a container with a user namespace of its own are
// numbers of that container's range here, whatever it calls itself. A container without one
// (UserNS=host) that is given the socket by a Volume= and the group by Group= or GroupAdd= may look
// as any other member may: that is what its unit says.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace husk::supervisor {

enum class Access { kNone, kRead, kAll };

// Its members may look.
inline constexpr const char* kReaderGroup = "husk";

struct Peer {
    uid_t uid = 0;
    gid_t gid = 0;
    std::vector<gid_t> groups;  // supplementary
};

// Pure. `own` is the supervisor's uid; `readers` is the group's gid, none where there is none.
Access AccessOf(const Peer& peer, uid_t own, std::optional<gid_t> readers);

// Pure: the gid of kReaderGroup in the text of a group(5) file; group 0 is nobody's but root's.
std::optional<gid_t> FindReaders(std::string_view group_file);

// SO_PEERCRED and SO_PEERGROUPS: of the time of connect(2).
Result<Peer> ReadPeer(int socket);

}  // namespace husk::supervisor
