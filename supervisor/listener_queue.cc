// What waits in a listening socket, asked of the kernel.
#include <cstring>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "supervisor/listeners.h"

namespace husk::supervisor {
namespace {

constexpr uint32_t kNoCookie = ~0u;  // INET_DIAG_NOCOOKIE: whatever it is

// The kernel tells it of Unix sockets by sock_diag(7) alone (CONFIG_UNIX_DIAG).
std::optional<uint64_t> QueueOfUnix(int fd) {
    struct stat file {};
    OwnedFd netlink(
        ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG));
    if (!netlink || ::fstat(fd, &file) != 0) return std::nullopt;
    struct {
        nlmsghdr header;
        unix_diag_req request;
    } ask{.header = {.nlmsg_len = sizeof ask,
                     .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                     .nlmsg_flags = NLM_F_REQUEST,
                     .nlmsg_seq = 0,
                     .nlmsg_pid = 0},
          .request = {.sdiag_family = AF_UNIX,
                      .sdiag_protocol = 0,
                      .pad = 0,
                      .udiag_states = ~0u,
                      .udiag_ino = static_cast<uint32_t>(file.st_ino),
                      .udiag_show = UDIAG_SHOW_RQLEN,
                      .udiag_cookie = {kNoCookie, kNoCookie}}};
    if (::send(netlink.get(), &ask, sizeof ask, 0) != sizeof ask) return std::nullopt;
    // The answer is there when send() returns: the kernel makes it in the sender's call.
    alignas(nlmsghdr) char answer[512];
    const ssize_t got = ::recv(netlink.get(), answer, sizeof answer, 0);
    constexpr size_t kBegin = NLMSG_LENGTH(sizeof(unix_diag_msg));
    if (got < static_cast<ssize_t>(kBegin)) return std::nullopt;
    nlmsghdr header;
    std::memcpy(&header, answer, sizeof header);
    if (header.nlmsg_type != SOCK_DIAG_BY_FAMILY) return std::nullopt;  // an error
    for (size_t at = kBegin; at + sizeof(nlattr) <= static_cast<size_t>(got);) {
        nlattr attribute;
        std::memcpy(&attribute, answer + at, sizeof attribute);
        if (attribute.nla_type == UNIX_DIAG_RQLEN &&
            at + NLA_HDRLEN + sizeof(unix_diag_rqlen) <= static_cast<size_t>(got)) {
            unix_diag_rqlen queue;
            std::memcpy(&queue, answer + at + NLA_HDRLEN, sizeof queue);
            return queue.udiag_rqueue;
        }
        if (attribute.nla_len < sizeof attribute) return std::nullopt;
        at += NLA_ALIGN(attribute.nla_len);
    }
    return std::nullopt;
}

}  // namespace

ListenerQueue LookAtQueue(int fd, const config::Listener& listener) {
    ListenerQueue queue;
    pollfd waits{fd, POLLIN, 0};
    queue.waiting = ::poll(&waits, 1, 0) == 1 && (waits.revents & POLLIN) != 0;
    if (listener.kind != config::Listener::Kind::kStream) return queue;
    if (!listener.address.path.empty()) {
        queue.connections = QueueOfUnix(fd);
        return queue;
    }
    // Of a listening socket these two are its queue (tcp_get_info() in net/ipv4/tcp.c).
    tcp_info info{};
    socklen_t size = sizeof info;
    if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0)
        queue.connections = info.tcpi_unacked;
    return queue;
}

}  // namespace husk::supervisor
