#include "network/links.h"

#include <arpa/inet.h>
#include <cstring>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>

#include <algorithm>

#include "base/text.h"

namespace husk::network {
namespace {

constexpr uint16_t kCreate = NLM_F_CREATE | NLM_F_EXCL;
// ARPHRD_ETHER of linux/if_arp.h, which the header of the C library does not bear beside it.
constexpr unsigned short kEthernet = 1;

template <typename Header>
bool Take(std::span<const uint8_t>& data, Header& header) {
    if (data.size() < sizeof header) return false;
    std::memcpy(&header, data.data(), sizeof header);
    data = data.subspan(std::min((sizeof header + 3) & ~size_t{3}, data.size()));
    return true;
}

void PutLink(Messages& out, const NewLink& link) {
    out.Text(IFLA_IFNAME, link.name);
    if (link.mac) out.Bytes(IFLA_ADDRESS, *link.mac);
    if (link.mtu != 0) out.Number32(IFLA_MTU, link.mtu);
    if (link.master != 0) out.Number32(IFLA_MASTER, link.master);
}

// An alias cannot be given to a link that is being made, in kernel 6.1.
Status SetAlias(NetlinkSocket& socket, const std::string& name, const std::string& alias) {
    if (alias.empty()) return {};
    Messages out;
    out.Begin(RTM_SETLINK, 0, ifinfomsg{}, Cat("name what link ", Quote(name), " is for"));
    out.Text(IFLA_IFNAME, name);
    out.Bytes(IFLA_IFALIAS, alias.data(), alias.size());
    return socket.Send(std::move(out));
}

Link ReadLink(std::span<const uint8_t> data) {
    Link link;
    ifinfomsg header;
    if (!Take(data, header)) return link;
    const Attributes in(data);
    link.index = static_cast<uint32_t>(header.ifi_index);
    link.ethernet = header.ifi_type == kEthernet;
    link.up = (header.ifi_flags & IFF_UP) != 0;
    link.running = (header.ifi_flags & IFF_RUNNING) != 0;
    link.name = in.Text(IFLA_IFNAME);
    link.alias = in.Text(IFLA_IFALIAS);
    link.kind = in.Nested(IFLA_LINKINFO).Text(IFLA_INFO_KIND);
    link.mtu = in.Number32(IFLA_MTU);
    link.master = in.Number32(IFLA_MASTER);
    if (const auto mac = in.Find(IFLA_ADDRESS); mac.size() == link.mac.size())
        std::ranges::copy(mac, link.mac.begin());
    if (const auto found = in.Find(IFLA_STATS64); found.data() != nullptr) {
        rtnl_link_stats64 stats{};
        std::memcpy(&stats, found.data(), std::min(found.size(), sizeof stats));
        link.received_bytes = stats.rx_bytes;
        link.received_packets = stats.rx_packets;
        link.received_dropped = stats.rx_dropped;
        link.sent_bytes = stats.tx_bytes;
        link.sent_packets = stats.tx_packets;
        link.sent_dropped = stats.tx_dropped;
    }
    return link;
}

IpAddress ReadAddress(bool v6, std::span<const uint8_t> bytes) {
    IpAddress address{.v6 = v6};
    std::ranges::copy(bytes.first(std::min(bytes.size(), address.Size())), address.bytes.begin());
    return address;
}

Status SendAddress(NetlinkSocket& socket, const Link& link, const IpPrefix& prefix, bool add,
                   bool asks) {
    const bool v6 = prefix.address.v6;
    const ifaddrmsg header{
        .ifa_family = static_cast<uint8_t>(v6 ? AF_INET6 : AF_INET),
        .ifa_prefixlen = static_cast<uint8_t>(prefix.length),
        .ifa_flags = static_cast<uint8_t>(v6 && add && !asks ? IFA_F_NODAD : 0),
        .ifa_scope = RT_SCOPE_UNIVERSE,
        .ifa_index = link.index,
    };
    Messages out;
    out.Begin(add ? RTM_NEWADDR : RTM_DELADDR, add ? kCreate : uint16_t{0}, header,
              Cat(add ? "give address '" : "take address '", FormatPrefix(prefix),
                  add ? "' to link " : "' from link ", Quote(link.name)));
    out.Address(IFA_LOCAL, prefix.address);
    out.Address(IFA_ADDRESS, prefix.address);
    if (!v6 && prefix.length < 31) out.Address(IFA_BROADCAST, LastOf(prefix));
    return socket.Send(std::move(out));
}

}  // namespace

std::string FormatMac(const MacAddress& mac) {
    constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (uint8_t byte : mac) {
        if (!text.empty()) text += ':';
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15];
    }
    return text;
}

std::optional<MacAddress> ParseMacAddress(std::string_view text) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    MacAddress mac{};
    if (text.size() != 3 * mac.size() - 1) return std::nullopt;
    for (size_t i = 0; i < mac.size(); ++i) {
        const size_t high = kDigits.find(text[3 * i]), low = kDigits.find(text[3 * i + 1]);
        if (high == kDigits.npos || low == kDigits.npos ||
            (i + 1 < mac.size() && text[3 * i + 2] != ':'))
            return std::nullopt;
        mac[i] = static_cast<uint8_t>(high << 4 | low);
    }
    return mac;
}

Status MakeBridge(NetlinkSocket& socket, const NewLink& link) {
    Messages out;
    out.Begin(RTM_NEWLINK, kCreate, ifinfomsg{}, Cat("make bridge ", Quote(link.name)));
    PutLink(out, link);
    const size_t info = out.Open(IFLA_LINKINFO);
    out.Text(IFLA_INFO_KIND, "bridge");
    const size_t data = out.Open(IFLA_INFO_DATA);
    // Two ports that a container joins to each other would be a loop; nobody waits for a bridge
    // that has one cable. So no spanning tree, and no delay before a port carries frames.
    out.Number32(IFLA_BR_STP_STATE, 0);
    out.Number32(IFLA_BR_FORWARD_DELAY, 0);
    out.Number8(IFLA_BR_MCAST_SNOOPING, 0);
    out.Close(data);
    out.Close(info);
    HUSK_TRY(socket.Send(std::move(out)));
    return SetAlias(socket, link.name, link.alias);
}

Status MakeVethPair(NetlinkSocket& socket, const NewLink& host, const NewLink& peer,
                    int peer_namespace) {
    Messages out;
    out.Begin(RTM_NEWLINK, kCreate, ifinfomsg{}, Cat("make link ", Quote(host.name)));
    PutLink(out, host);
    const size_t info = out.Open(IFLA_LINKINFO);
    out.Text(IFLA_INFO_KIND, "veth");
    const size_t data = out.Open(IFLA_INFO_DATA);
    const size_t other = out.Open(VETH_INFO_PEER);
    const ifinfomsg header{};
    out.Raw(&header, sizeof header);
    PutLink(out, peer);
    out.Number32(IFLA_NET_NS_FD, static_cast<uint32_t>(peer_namespace));
    out.Close(other);
    out.Close(data);
    out.Close(info);
    HUSK_TRY(socket.Send(std::move(out)));
    return SetAlias(socket, host.name, host.alias);
}

Status MakeUpperLink(NetlinkSocket& socket, const char* kind, uint32_t parent, const NewLink& link,
                     int target_namespace) {
    // The kernel looks for a new link's name where the request comes from, too; and there the name
    // that most links are to have, eth0, is most often the parent's.
    constexpr char kBornAs[] = "husk-new";
    auto inside = NetlinkSocket::OpenIn(target_namespace, NETLINK_ROUTE);
    if (!inside) return Fail(std::move(inside).error());
    HUSK_TRY(RemoveLink(*inside, kBornAs));  // of a supervisor that died in between
    NewLink born = link;
    born.name = kBornAs;
    Messages out;
    out.Begin(RTM_NEWLINK, kCreate, ifinfomsg{}, Cat("make ", kind, " link ", Quote(link.name)));
    PutLink(out, born);
    out.Number32(IFLA_LINK, parent);
    out.Number32(IFLA_NET_NS_FD, static_cast<uint32_t>(target_namespace));
    const size_t info = out.Open(IFLA_LINKINFO);
    out.Text(IFLA_INFO_KIND, kind);
    const size_t data = out.Open(IFLA_INFO_DATA);
    if (std::string_view(kind) == "macvlan")
        out.Number32(IFLA_MACVLAN_MODE, MACVLAN_MODE_BRIDGE);
    else
        out.Number16(IFLA_IPVLAN_MODE, IPVLAN_MODE_L2);
    out.Close(data);
    out.Close(info);
    HUSK_TRY(socket.Send(std::move(out)));
    auto made = FindLink(*inside, kBornAs);
    if (!made) return Fail(std::move(made).error());
    if (!*made) return Fail("link ", Quote(link.name), " is gone again");
    return ChangeLink(*inside, **made, {.name = link.name});
}

Status RemoveLink(NetlinkSocket& socket, const std::string& name) {
    Messages out;
    out.Begin(RTM_DELLINK, 0, ifinfomsg{}, Cat("remove link ", Quote(name)));
    out.Text(IFLA_IFNAME, name);
    Status removed = socket.Send(std::move(out));
    if (!removed && removed.error().code() == ENODEV) return {};
    return removed;
}

Status ChangeLink(NetlinkSocket& socket, const Link& link, const LinkChange& change) {
    ifinfomsg header{};
    header.ifi_index = static_cast<int>(link.index);
    if (change.up) {
        header.ifi_change = IFF_UP;
        if (*change.up) header.ifi_flags = IFF_UP;
    }
    Messages out;
    out.Begin(RTM_NEWLINK, 0, header, Cat("change link ", Quote(link.name)));
    if (!change.name.empty()) out.Text(IFLA_IFNAME, change.name);
    if (change.mac) out.Bytes(IFLA_ADDRESS, *change.mac);
    if (change.mtu != 0) out.Number32(IFLA_MTU, change.mtu);
    if (change.master) out.Number32(IFLA_MASTER, *change.master);
    if (change.network_namespace >= 0)
        out.Number32(IFLA_NET_NS_FD, static_cast<uint32_t>(change.network_namespace));
    return socket.Send(std::move(out));
}

Status AddAddress(NetlinkSocket& socket, const Link& link, const IpPrefix& prefix, bool asks) {
    Status added = SendAddress(socket, link, prefix, true, asks);
    if (!added && added.error().code() == EEXIST) return {};
    return added;
}

Status RemoveAddress(NetlinkSocket& socket, const Link& link, const IpPrefix& prefix) {
    return SendAddress(socket, link, prefix, false, false);
}

Status AddRoute(NetlinkSocket& socket, const Route& route) {
    const bool v6 = route.destination.address.v6;
    rtmsg header{};
    header.rtm_family = static_cast<uint8_t>(v6 ? AF_INET6 : AF_INET);
    header.rtm_dst_len = static_cast<uint8_t>(route.destination.length);
    header.rtm_table = RT_TABLE_MAIN;
    header.rtm_protocol = RTPROT_STATIC;
    header.rtm_scope = route.gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
    header.rtm_type = RTN_UNICAST;
    Messages out;
    out.Begin(RTM_NEWROUTE, kCreate, header,
              Cat("add route '", FormatPrefix(route.destination), "'",
                  route.gateway ? Cat(" by '", FormatAddress(*route.gateway), "'") : ""));
    if (route.destination.length > 0) out.Address(RTA_DST, route.destination.address);
    if (route.gateway) out.Address(RTA_GATEWAY, *route.gateway);
    if (route.index != 0) out.Number32(RTA_OIF, route.index);
    return socket.Send(std::move(out));
}

Status TakeLoopback6(NetlinkSocket& socket, const Link& link) {
    // Behind the loopback's own, and for each link another, since the kernel keeps one of each.
    constexpr uint32_t kMetric = 4096;
    IpAddress loopback{.v6 = true};
    loopback.bytes.back() = 1;
    rtmsg header{};
    header.rtm_family = AF_INET6;
    header.rtm_dst_len = 128;
    header.rtm_table = RT_TABLE_LOCAL;
    header.rtm_protocol = RTPROT_STATIC;
    header.rtm_type = RTN_LOCAL;
    Messages out;
    out.Begin(RTM_NEWROUTE, kCreate, header, Cat("take '::1' on link ", Quote(link.name)));
    out.Address(RTA_DST, loopback);
    out.Number32(RTA_OIF, link.index);
    out.Number32(RTA_PRIORITY, kMetric + link.index);
    Status sent = socket.Send(std::move(out));
    return !sent && sent.error().code() == EEXIST ? Status() : sent;
}

Result<std::vector<Link>> ListLinks(NetlinkSocket& socket) {
    Messages out;
    out.Begin(RTM_GETLINK, 0, ifinfomsg{}, "list links");
    std::vector<Link> links;
    HUSK_TRY(socket.Dump(std::move(out), [&](uint16_t type, std::span<const uint8_t> data) {
        if (type == RTM_NEWLINK) links.push_back(ReadLink(data));
    }));
    return links;
}

Result<std::optional<Link>> FindLink(NetlinkSocket& socket, const std::string& name) {
    // The kernel answers a name that is too long with an error of its own.
    if (name.empty() || name.size() > kMaxLinkName) return std::nullopt;
    Messages out;
    out.Begin(RTM_GETLINK, 0, ifinfomsg{}, Cat("look for link ", Quote(name)));
    out.Text(IFLA_IFNAME, name);
    std::optional<Link> found;
    Status asked = socket.Ask(std::move(out), [&](uint16_t type, std::span<const uint8_t> data) {
        if (type == RTM_NEWLINK) found = ReadLink(data);
    });
    if (!asked && asked.error().code() == ENODEV) return std::nullopt;
    if (!asked) return Fail(std::move(asked).error());
    return found;
}

Result<std::vector<LinkAddress>> ListAddresses(NetlinkSocket& socket) {
    Messages out;
    out.Begin(RTM_GETADDR, 0, ifaddrmsg{}, "list addresses");
    std::vector<LinkAddress> addresses;
    HUSK_TRY(socket.Dump(std::move(out), [&](uint16_t type, std::span<const uint8_t> data) {
        ifaddrmsg header;
        if (type != RTM_NEWADDR || !Take(data, header)) return;
        const Attributes in(data);
        auto bytes = in.Find(IFA_LOCAL);
        if (bytes.data() == nullptr) bytes = in.Find(IFA_ADDRESS);
        const uint32_t flags = in.Has(IFA_FLAGS) ? in.Number32(IFA_FLAGS) : header.ifa_flags;
        addresses.push_back(
            {header.ifa_index,
             {ReadAddress(header.ifa_family == AF_INET6, bytes), header.ifa_prefixlen},
             (flags & (IFA_F_TENTATIVE | IFA_F_OPTIMISTIC)) == IFA_F_TENTATIVE,
             (flags & IFA_F_PERMANENT) != 0});
    }));
    return addresses;
}

Result<std::vector<Route>> ListRoutes(NetlinkSocket& socket) {
    Messages out;
    out.Begin(RTM_GETROUTE, 0, rtmsg{}, "list routes");
    std::vector<Route> routes;
    HUSK_TRY(socket.Dump(std::move(out), [&](uint16_t type, std::span<const uint8_t> data) {
        rtmsg header;
        if (type != RTM_NEWROUTE || !Take(data, header) || header.rtm_table != RT_TABLE_MAIN)
            return;
        const Attributes in(data);
        const bool v6 = header.rtm_family == AF_INET6;
        Route route{.destination = {ReadAddress(v6, in.Find(RTA_DST)), header.rtm_dst_len},
                    .index = in.Number32(RTA_OIF)};
        if (in.Has(RTA_GATEWAY)) route.gateway = ReadAddress(v6, in.Find(RTA_GATEWAY));
        routes.push_back(route);
    }));
    return routes;
}

}  // namespace husk::network
