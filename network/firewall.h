// The rules of husk's networks. Pure: from networks, members and published ports to two tables.
//
// `inet husk`: what the device forwards. Members of a network reach each other and, where it is not
// internal, what lies outside; nobody reaches another network, or the device by one of its bridges'
// addresses. Published ports lead into a network from everywhere, from the device itself as well.
//
// `bridge husk`: what may come out of a container. Each port of a bridge has one MAC and its
// addresses; a frame with another sender, in ARP too, goes no further, and neither does a router
// advertisement or a redirect.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "network/ruleset.h"

namespace husk::network {

// All links of containers' ports begin so, and no others do: what has no entry in the sets of
// `bridge husk` is dropped.
inline constexpr std::string_view kPortPrefix = "hv-";
inline constexpr std::string_view kBridgePrefix = "hk-";

struct FirewallNetwork {
    std::string bridge;
    std::vector<IpPrefix> subnets;
    bool internal = false;
};
struct FirewallMember {
    std::string port;  // the device's end of its link
    MacAddress mac = {};
    std::vector<IpAddress> addresses;
};
struct FirewallPort {
    std::optional<IpAddress> address;  // none: every address of the device
    uint8_t protocol = 0;              // IPPROTO_TCP, …
    uint16_t port = 0;
    IpAddress to;
    uint16_t to_port = 0;
    friend bool operator==(const FirewallPort&, const FirewallPort&) = default;
};
struct Firewall {
    std::vector<FirewallNetwork> networks;
    std::vector<FirewallMember> members;
    std::vector<FirewallPort> ports;
    // The device passed packets on before husk had it do so: what is none of husk's goes on.
    bool forwards_for_others = false;
    // Where the kernel has flowtables: the links between which packets of established connections
    // of networks pass the rules by. All of them have to be there.
    std::optional<std::vector<std::string>> flow_links;
};

std::vector<Table> MakeTables(const Firewall& firewall);

// A table that a kernel takes only where it has flowtables.
Table FlowProbe();

// Of the device's links, those for Firewall::flow_links: of Ethernet, and ports instead of husk's
// bridges.
std::vector<std::string> FlowLinksOf(const std::vector<Link>& links);

// What one unit adds to the sets of those tables when it comes, and takes away when it goes: a
// table each, with nothing but the sets that change and their elements. Where the kernel has
// flowtables, it adds the members' links to that; the kernel takes out what goes.
std::vector<Table> ElementsOf(const std::vector<FirewallMember>& members,
                              const std::vector<FirewallPort>& ports, bool flows = false);

// Adds these links to the flowtable.
Table FlowLinks(std::vector<std::string> links);

// What a kernel lacks that refuses these tables with these words: options of its configuration.
const char* OptionsOf(std::string_view refusal);

}  // namespace husk::network
