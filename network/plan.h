// Who has which address, link and port: decided for all networks and units together, before any of
// them starts, so that it does not hang on who starts first. Pure.
//
// What nobody has written down is chosen by a hash of its name, and the next free one is taken
// where that one is not. Choices are kept as leases in a file of the state folder, so that a unit
// keeps its address when others come and go; without that file nearly all are the same, by the
// hash. What a unit had that is gone is left free for its return, for as long as there is something
// else.
#pragma once

#include <cstdint>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "network/firewall.h"

namespace husk::network {

struct AddressRange {
    IpAddress first, last;
};

// A network, a member and a port as files have them.
struct NetworkWish {
    std::string name, path;             // the path for what a person is told to change
    std::string kind, parent;           // "macvlan", "ipvlan" upon that link; empty: a bridge
    std::optional<IpPrefix> subnet[2];  // IPv4, IPv6
    std::optional<IpAddress> gateway[2];
    std::optional<AddressRange> range[2];
    bool v6 = false;
    bool internal = false;
    uint32_t mtu = 0;
    std::vector<IpAddress> name_servers;
};
struct MemberWish {
    std::string network;
    std::optional<IpAddress> address[2];
    // Where the network has no subnet.
    unsigned length[2] = {32, 128};
    std::optional<IpAddress> gateway[2];
    uint32_t mtu = 0;
    std::optional<MacAddress> mac;
    std::string interface_name;
    std::vector<std::string> aliases;
};
struct PortWish {
    std::optional<IpAddress> address;  // of the device
    uint16_t host = 0;                 // 0: one is chosen
    uint16_t container = 0;
    uint16_t count = 1;
    uint8_t protocol = 0;
};
struct UnitWish {
    std::string unit;
    std::string host_name;
    std::vector<MemberWish> members;
    std::vector<PortWish> ports;
};

struct Lease {
    std::string network;  // empty: a port
    std::string unit;     // empty: the network's own subnet
    IpPrefix prefix;      // of an address, with the address's whole length
    PortWish port;        // of a port, with the one that was chosen
};
using Leases = std::vector<Lease>;

// One lease a line. What is damaged is left out: it is chosen anew.
std::string WriteLeases(const Leases& leases);
Leases ReadLeases(std::string_view text);
inline constexpr size_t kMaxLeases = 20'000;
inline constexpr size_t kMaxLeaseFile = 4 << 20;  // bytes

struct PlannedNetwork {
    std::string name;
    std::string kind, parent;  // as in NetworkWish
    std::string bridge;
    MacAddress mac = {};
    uint32_t mtu = 1500;
    bool internal = false;
    std::vector<IpPrefix> addresses;  // the device's own, with the subnet's length
    std::vector<IpAddress> name_servers;
    friend bool operator==(const PlannedNetwork&, const PlannedNetwork&) = default;
};
// Of a link upon one of the device's: all that there is to it, since no bridge stands behind it.
struct UpperLink {
    std::string kind, parent;  // empty: the member is a bridge's
    uint32_t mtu = 0;          // 0: the parent's
    bool hears_routers = false;
    std::vector<IpAddress> gateways;
    friend bool operator==(const UpperLink&, const UpperLink&) = default;
};
struct PlannedMember {
    std::string network;
    std::string port;       // the device's end of its link, at a bridge
    std::string interface;  // the container's
    MacAddress mac = {};
    std::vector<IpPrefix> addresses;
    std::vector<std::string> names;  // by which others find it, beside the unit's
    UpperLink upper;
    friend bool operator==(const PlannedMember&, const PlannedMember&) = default;
};
struct PlannedUnit {
    std::string unit, host_name;
    std::string error;  // why it cannot have a network; the rest is empty then
    std::vector<PlannedMember> members;
    std::vector<FirewallPort> ports;  // one by one
    friend bool operator==(const PlannedUnit&, const PlannedUnit&) = default;
};

struct PlanInput {
    std::vector<NetworkWish> networks;
    std::vector<UnitWish> units;  // those with networks
    Leases leases;
    std::string seed;             // the machine's id: other machines choose otherwise
    std::vector<IpPrefix> taken;  // subnets of the device's own links
};
struct NetworkPlan {
    std::vector<PlannedNetwork> networks;  // sorted by name
    std::vector<PlannedUnit> units;        // the same
    Leases leases;

    const PlannedNetwork* FindNetwork(std::string_view name) const;
    const PlannedUnit* FindUnit(std::string_view name) const;
};

NetworkPlan MakeNetworkPlan(PlanInput input);

// A unit as it was connected, for the next supervisor: nothing where the text is damaged.
std::string WriteUnit(const PlannedUnit& unit);
std::optional<PlannedUnit> ReadUnit(std::string_view text);

// One of its links stands upon one of the device's.
bool HasUpperLink(const PlannedUnit& unit);

// As the rules know it: those of its links that are ports of bridges.
std::vector<FirewallMember> MembersOf(const PlannedUnit& unit);

// "127.0.0.1:8080 -> 80/tcp"
std::string FormatPort(const FirewallPort& port);

// The name of a link for `name`: with `prefix` in front, and cut with a hash behind it where it is
// too long or could be read as something else. Never one of `taken`.
std::string LinkName(std::string_view prefix, std::string_view name,
                     const std::vector<std::string>& taken);

}  // namespace husk::network
