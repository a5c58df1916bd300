// Links, addresses and routes of a network namespace (rtnetlink(7)): one request each. The socket
// says which namespace. Errors name the object and have the kernel's own words.
#pragma once

#include <cstdint>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "network/netlink.h"

namespace husk::network {

using MacAddress = std::array<uint8_t, 6>;
std::string FormatMac(const MacAddress& mac);
std::optional<MacAddress> ParseMacAddress(std::string_view text);

inline constexpr size_t kMaxLinkName = 15;  // bytes (IFNAMSIZ)

struct Link {
    uint32_t index = 0;
    std::string name;
    std::string kind;   // "bridge", "veth", …; empty for a device of its own
    std::string alias;  // what husk writes there says that a link is its own
    MacAddress mac = {};
    uint32_t mtu = 0;
    uint32_t master = 0;    // the bridge that it is a port of
    bool ethernet = false;  // frames as Ethernet has them; lo is none
    bool up = false;        // asked to be
    bool running = false;   // and is
    uint64_t received_bytes = 0, received_packets = 0, received_dropped = 0;
    uint64_t sent_bytes = 0, sent_packets = 0, sent_dropped = 0;
};
struct LinkAddress {
    uint32_t index = 0;
    IpPrefix prefix;
    bool tentative = false;  // the kernel asks whether somebody else has it
    bool permanent = false;  // no lease and no router advertisement stands behind it
};
struct Route {
    IpPrefix destination;  // length 0: the default
    std::optional<IpAddress> gateway;
    uint32_t index = 0;  // of the link that it goes out of
    friend bool operator==(const Route&, const Route&) = default;
};

// What a new link is like; what is not given is the kernel's choice.
struct NewLink {
    std::string name;
    std::string alias;
    std::optional<MacAddress> mac;
    uint32_t mtu = 0;     // 0: the kernel's
    uint32_t master = 0;  // 0: none
};

Status MakeBridge(NetlinkSocket& socket, const NewLink& link);
// A pair: `host` in the socket's namespace, `peer` in the other one from its first moment on.
Status MakeVethPair(NetlinkSocket& socket, const NewLink& host, const NewLink& peer,
                    int peer_namespace);
// "macvlan" (bridge mode) or "ipvlan" (L2) upon the link `parent` of the socket's namespace, born
// in the other one.
Status MakeUpperLink(NetlinkSocket& socket, const char* kind, uint32_t parent, const NewLink& link,
                     int target_namespace);
// A pair or a bridge goes as a whole. One that is not there is fine.
Status RemoveLink(NetlinkSocket& socket, const std::string& name);

// Only what is given changes.
struct LinkChange {
    std::optional<bool> up;
    uint32_t mtu = 0;
    std::optional<MacAddress> mac;
    std::optional<uint32_t> master;  // 0: leaves its bridge
    std::string name;
    int network_namespace = -1;  // moves there
};
Status ChangeLink(NetlinkSocket& socket, const Link& link, const LinkChange& change);

// An address that is there is fine. One of IPv6 holds at once: nobody waits for who else may have
// it, since husk gives it to one alone. Where `asks`, the kernel asks for a second first.
Status AddAddress(NetlinkSocket& socket, const Link& link, const IpPrefix& prefix,
                  bool asks = false);
Status RemoveAddress(NetlinkSocket& socket, const Link& link, const IpPrefix& prefix);
Status AddRoute(NetlinkSocket& socket, const Route& route);
// Packets to ::1 may come in by this link, after NAT only: before it the kernel drops them. For
// IPv6 this is what route_localnet is for IPv4. The link is up; a route that is there is fine.
// With br_netfilter NAT comes before that check too, so that no answer to ::1 arrives.
Status TakeLoopback6(NetlinkSocket& socket, const Link& link);

Result<std::vector<Link>> ListLinks(NetlinkSocket& socket);
// Nothing where there is none of that name.
Result<std::optional<Link>> FindLink(NetlinkSocket& socket, const std::string& name);
Result<std::vector<LinkAddress>> ListAddresses(NetlinkSocket& socket);
// Of the main table.
Result<std::vector<Route>> ListRoutes(NetlinkSocket& socket);

}  // namespace husk::network
