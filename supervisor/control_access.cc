#include "supervisor/control_access.h"

#include <sys/socket.h>

#include <algorithm>

#include "rootfs/users.h"

namespace husk::supervisor {
namespace {

constexpr int kPeerGroups = 59;         // SO_PEERGROUPS; libc's headers may lack it
constexpr size_t kMostGroups = 65'536;  // NGROUPS_MAX of the kernel
constexpr size_t kUsualGroups = 64;

}  // namespace

Access AccessOf(const Peer& peer, uid_t own, std::optional<gid_t> readers) {
    if (peer.uid == 0 || peer.uid == own) return Access::kAll;
    if (!readers) return Access::kNone;
    const bool member =
        peer.gid == *readers || std::ranges::find(peer.groups, *readers) != peer.groups.end();
    return member ? Access::kRead : Access::kNone;
}

std::optional<gid_t> FindReaders(std::string_view group_file) {
    auto ids = rootfs::ResolveUser({.user = "0", .group = kReaderGroup}, "", group_file);
    if (!ids || ids->gid == 0) return std::nullopt;
    return ids->gid;
}

Result<Peer> ReadPeer(int socket) {
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
        return FailErrno("read the client's credentials");
    Peer peer{.uid = credentials.uid, .gid = credentials.gid, .groups = {}};
    if (peer.uid == 0) return peer;  // its groups add nothing
    peer.groups.resize(kUsualGroups);
    for (;;) {
        size = static_cast<socklen_t>(peer.groups.size() * sizeof(gid_t));
        const int got = ::getsockopt(socket, SOL_SOCKET, kPeerGroups, peer.groups.data(), &size);
        if (got == 0) break;
        if (errno != ERANGE || peer.groups.size() == kMostGroups)
            return FailErrno("read the client's groups");
        peer.groups.resize(kMostGroups);
    }
    peer.groups.resize(std::min(peer.groups.size(), size / sizeof(gid_t)));
    return peer;
}

}  // namespace husk::supervisor
