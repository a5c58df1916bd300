#include "network/monitor.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>

#include "base/log.h"
#include "network/firewall.h"

namespace husk::network {
namespace {

// What belongs together, as a link and its addresses do, is told together; and no more often than
// this.
constexpr Duration kTogether = std::chrono::milliseconds(20);
constexpr Duration kApart = std::chrono::milliseconds(200);
// Of one round; more than the socket holds.
constexpr int kMaxMessages = 4096;

static_assert(kPortPrefix == "hv-" && kBridgePrefix == "hk-");

// Loads are in network order; the header is in the machine's.
constexpr uint32_t TypeAsLoaded(uint16_t type) { return __builtin_bswap16(type); }

constexpr uint32_t kMessageType = offsetof(nlmsghdr, nlmsg_type);
constexpr uint32_t kLinkFamily = NLMSG_HDRLEN + offsetof(ifinfomsg, ifi_family);
constexpr uint32_t kLinkAttributes = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(ifinfomsg));
constexpr uint32_t kRouteLength = NLMSG_HDRLEN + offsetof(rtmsg, rtm_dst_len);

constexpr uint32_t NameAsLoaded(std::string_view prefix) {
    return static_cast<uint32_t>(prefix[0] << 24 | prefix[1] << 16 | prefix[2] << 8);
}

// Drops links that are husk's own, what a bridge says of its ports, and all routes but default
// ones. The jumps say how many lines to leave out.
const sock_filter kFilter[] = {
    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, kMessageType),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TypeAsLoaded(RTM_NEWLINK), 5, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TypeAsLoaded(RTM_DELLINK), 4, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TypeAsLoaded(RTM_NEWROUTE), 1, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TypeAsLoaded(RTM_DELROUTE), 0, 12),
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kRouteLength),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 10, 11),
    // A link. One without a name has A = 0 below, and what lies there is no such name.
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kLinkFamily),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_BRIDGE, 9, 0),
    BPF_STMT(BPF_LDX | BPF_IMM, IFLA_IFNAME),
    BPF_STMT(BPF_LD | BPF_IMM, kLinkAttributes),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_NLATTR)),
    BPF_STMT(BPF_MISC | BPF_TAX, 0),
    BPF_STMT(BPF_LD | BPF_W | BPF_IND, sizeof(nlattr)),
    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xffffff00),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NameAsLoaded(kPortPrefix), 2, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NameAsLoaded(kBridgePrefix), 1, 0),
    BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    BPF_STMT(BPF_RET | BPF_K, 0),
};

}  // namespace

Monitor::~Monitor() {
    loop_.CancelTimer(timer_);
    if (socket_ && timer_ == 0) loop_.Remove(socket_.get());
}

Status Monitor::Begin() {
    socket_.reset(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
    if (!socket_) return FailErrno("listen to changes of links");
    const sock_fprog program{.len = std::size(kFilter),
                             .filter = const_cast<sock_filter*>(kFilter)};
    if (::setsockopt(socket_.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0)
        return FailErrno("filter changes of links");
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE |
                        RTMGRP_IPV6_ROUTE;
    if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return FailErrno("listen to changes of links");
    return Listen();
}

Status Monitor::Listen() {
    return loop_.Add(socket_.get(), EPOLLIN, [this](uint32_t) { OnMessage(); });
}

// Nothing is read before it is told of: until then whatever comes wakes nobody up.
void Monitor::OnMessage() {
    loop_.Remove(socket_.get());
    const Instant now = MonotonicNow();
    timer_ = loop_.StartTimer(std::max(now + kTogether, told_ + kApart), [this] {
        timer_ = 0;
        Tell();
    });
}

// What comes from here on is told of again, since `changed_` may have looked before it.
void Monitor::Tell() {
    char ignored = 0;
    for (int i = 0; i < kMaxMessages; ++i)
        // ENOBUFS: some were lost, which is as good as any.
        if (::recv(socket_.get(), &ignored, sizeof ignored, MSG_DONTWAIT) < 0 && errno != ENOBUFS &&
            errno != EINTR)
            break;
    told_ = MonotonicNow();
    if (Status listening = Listen(); !listening) LogError(listening.error().text());
    changed_();
}

}  // namespace husk::network
