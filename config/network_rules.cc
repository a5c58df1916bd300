#include "config/network_rules.h"

#include <algorithm>

#include "base/hash.h"
#include "base/text.h"
#include "config/network_values.h"
#include "config/rules.h"

namespace husk::config {
namespace {

using Kind = NetworkMode::Kind;

const char* WhatStandsFor(Kind kind) {
    switch (kind) {
        case Kind::kNone: return "Network=none";
        case Kind::kHost: return "Network=host";
        case Kind::kContainer: return "another unit's network";
        case Kind::kMember: return "a network";
    }
    return "";
}

const char* ProtocolName(PortProtocol protocol) {
    switch (protocol) {
        case PortProtocol::kTcp: return "tcp";
        case PortProtocol::kUdp: return "udp";
        case PortProtocol::kSctp: return "sctp";
    }
    return "";
}

// "8080/tcp", "127.0.0.1:8000-8009/udp"
std::string PortText(const PublishedPort& port) {
    std::string text;
    if (port.address)
        text = port.address->v6 ? Cat("[", FormatAddress(*port.address), "]:")
                                : Cat(FormatAddress(*port.address), ":");
    text += std::to_string(port.host);
    if (port.count > 1) text += Cat("-", std::to_string(port.host + port.count - 1));
    return Cat(text, "/", ProtocolName(port.protocol));
}

// The subnet of a network of one family, or nullptr.
const Placed<IpPrefix>* SubnetOf(const NetworkDefinition& network, bool v6) {
    for (const auto& subnet : network.subnets)
        if (subnet.value.address.v6 == v6) return &subnet;
    return nullptr;
}

// Whether an address is one that a member, or the gateway, can have.
bool IsUsable(const IpPrefix& subnet, const IpAddress& address) {
    return Contains(subnet, address) && address != FirstOf(subnet) &&
           (address.v6 || address != LastOf(subnet));
}

IpAddress GatewayOf(const NetworkDefinition& network, const IpPrefix& subnet) {
    for (const auto& gateway : network.gateways)
        if (gateway.value.v6 == subnet.address.v6) return gateway.value;
    return Advance(FirstOf(subnet), 1);
}

// --- one unit ------------------------------------------------------------------------------------

class UnitChecks {
  public:
    UnitChecks(const Unit& unit, Problems& problems)
        : unit_(unit), c_(unit.container), problems_(problems) {}

    void Run() {
        if (c_.network.kind != Kind::kMember) return WithoutNetworks();
        const auto& networks = c_.network.networks;
        for (size_t i = 0; i < networks.size(); ++i)
            for (size_t j = 0; j < i; ++j) Pair(networks[j], networks[i]);
        OneAddress("Container.IP", c_.ip4, &NetworkMembership::ip4);
        OneAddress("Container.IP6", c_.ip6, &NetworkMembership::ip6);
        Capabilities();
    }

  private:
    void Error(std::string_view key, Location at, std::string text, std::string hint) {
        AddProblem(problems_, Severity::kError, std::move(at), key.substr(key.find('.') + 1),
                   std::move(text), std::move(hint));
    }
    void Error(std::string_view key, std::string text, std::string hint) {
        Error(key, PlaceOf(unit_, key), std::move(text), std::move(hint));
    }

    void WithoutNetworks() {
        const char* mode = WhatStandsFor(c_.network.kind);
        for (const char* key : {"Container.IP", "Container.IP6", "Container.NetworkAlias"})
            if (FindGiven(unit_, key) != nullptr)
                Error(key,
                      Cat("key ", Quote(std::string_view(key).substr(10)),
                          " is for networks, "
                          "and this unit has ",
                          mode),
                      "write Network=NAME.network, or drop it");
        if (!c_.publish_ports.empty())
            Error("Container.PublishPort",
                  Cat("key 'PublishPort' leads into a network, and this unit has ", mode),
                  c_.network.kind == Kind::kHost
                      ? "the program's ports are the device's already: drop it"
                  : c_.network.kind == Kind::kContainer
                      ? "publish the port where the unit is whose network it is"
                      : "write Network=NAME.network, or drop it");
        for (const HostEntry& entry : c_.hosts)
            if (!entry.address)
                return Error("Container.AddHost",
                             Cat("key 'AddHost': 'host-gateway' is the device's address on a "
                                 "network, and this unit has ",
                                 mode),
                             "write an address");
    }

    void Pair(const NetworkMembership& earlier, const NetworkMembership& later) {
        if (earlier.network == later.network)
            Error("Container.Network", unit_.LocationOf(later.at),
                  Cat("key 'Network': network ", Quote(later.network), " is given twice"),
                  "drop one of the two");
        if (!later.interface_name.empty() && earlier.interface_name == later.interface_name)
            Error("Container.Network", unit_.LocationOf(later.at),
                  Cat("key 'Network': two networks are to be link ", Quote(later.interface_name)),
                  "give each a name of its own");
    }

    void OneAddress(const char* key, const std::optional<IpAddress>& address,
                    std::optional<IpAddress> NetworkMembership::*own) {
        if (!address) return;
        const std::string name = Quote(std::string_view(key).substr(10));
        if (c_.network.networks.size() == 1 && !c_.network.networks[0].parent.empty())
            return Error(
                key, Cat("key ", name, " does not say how long the network's part is"),
                Cat("write Network=", c_.network.networks[0].network, ":ip=ADDRESS/LENGTH"));
        if (c_.network.networks.size() > 1)
            Error(key, Cat("key ", name, " is given, and the unit is in several networks"),
                  "write Network=NAME.network:ip=ADDRESS for each");
        else if (c_.network.networks[0].*own)
            Error(key, Cat("key ", name, " is given, and an address with Network=, too"),
                  "drop one of the two");
    }

    // The network is the device's own until the unit is in it, so that it outlives the unit's
    // processes: rights of the unit's own users are no rights over it.
    void Capabilities() {
        if (c_.user_ns == UserNamespace::kHost && c_.uid_map.empty()) return;
        for (const std::string& name : c_.add_capability)
            if (name == "CAP_NET_ADMIN" || name == "CAP_NET_RAW" || name == "all" || name == "ALL")
                Error("Container.AddCapability",
                      Cat("key 'AddCapability': ", Quote(name),
                          " is not supported yet on a NAME.network with users of its own"),
                      "write UserNS=host, or leave it out: 'ping' and ports below 1024 need no "
                      "right there");
    }

    const Unit& unit_;
    const ContainerSection& c_;
    Problems& problems_;
};

// --- across files --------------------------------------------------------------------------------

class FolderChecks {
  public:
    FolderChecks(LoadedFolder& folder, const std::function<std::string(std::string_view)>& absent)
        : folder_(folder), absent_(absent) {}

    void Run() {
        for (LoadedNetwork& network : folder_.networks) Inside(network);
        for (LoadedNetwork& network : folder_.networks) Overlaps(network);
        for (LoadedUnit& unit : folder_.units) Members(unit);
        Addresses();
        Ports();
    }

  private:
    void Refuse(LoadedNetwork& network, Place at, std::string_view key, std::string text,
                std::string hint) {
        network.refused = true;
        AddProblem(folder_.problems, Severity::kError, network.network.LocationOf(at), key,
                   Cat("key '", key, "': ", text), std::move(hint));
    }
    static void Refuse(LoadedUnit& unit, Location at, std::string_view key, std::string text,
                       std::string hint) {
        AddProblem(unit.problems, Severity::kError, std::move(at), key, std::move(text),
                   std::move(hint));
    }

    LoadedNetwork* Find(std::string_view name) {
        const auto found = std::ranges::find_if(
            folder_.networks, [&](const auto& one) { return one.network.name == name; });
        return found == folder_.networks.end() ? nullptr : &*found;
    }

    void Inside(LoadedNetwork& loaded) {
        const NetworkDefinition& network = loaded.network;
        for (const auto& [gateway, at] : network.gateways) {
            const auto* subnet = SubnetOf(network, gateway.v6);
            if (subnet == nullptr)
                Refuse(loaded, at, "Gateway",
                       Cat(Quote(FormatAddress(gateway)), " has no Subnet= that it lies in"),
                       "write the Subnet=");
            else if (!IsUsable(subnet->value, gateway))
                Refuse(loaded, at, "Gateway",
                       Cat(Quote(FormatAddress(gateway)), " is not an address of subnet ",
                           Quote(FormatPrefix(subnet->value))),
                       "one of the subnet, and not its first or last");
        }
        for (const auto& [range, at] : network.ranges) {
            const auto* subnet = SubnetOf(network, range.first.v6);
            if (subnet == nullptr)
                Refuse(loaded, at, "IPRange", "there is no Subnet= that it lies in",
                       "write the Subnet=");
            else if (!Contains(subnet->value, range.first) || !Contains(subnet->value, range.last))
                Refuse(loaded, at, "IPRange",
                       Cat("from ", Quote(FormatAddress(range.first)), " to ",
                           Quote(FormatAddress(range.last)), " is not all in subnet ",
                           Quote(FormatPrefix(subnet->value))),
                       "addresses of the subnet");
        }
        const bool upper = network.driver != NetworkDriver::kBridge;
        if (upper == network.parent.empty())
            Refuse(loaded, {}, upper ? "Driver" : "Options",
                   upper ? Cat(NetworkDriverName(network.driver),
                               " stands upon a link of the "
                               "device's, and none is named")
                         : "parent= is of macvlan and ipvlan, and this network is a bridge",
                   upper ? "write Options=parent=LINK" : "drop it, or write Driver=macvlan");
        constexpr uint32_t kLeastForIp6 = 1280;  // RFC 8200
        if (network.mtu != 0 && network.mtu < kLeastForIp6 &&
            (network.ipv6 || SubnetOf(network, true) != nullptr))
            Refuse(loaded, {}, "Options",
                   Cat("mtu=", std::to_string(network.mtu), " is too little for IPv6"),
                   "at least 1280");
    }

    void Overlaps(LoadedNetwork& loaded) {
        for (const auto& [subnet, at] : loaded.network.subnets)
            for (const LoadedNetwork& other : folder_.networks) {
                if (&other == &loaded) break;
                const auto* taken = SubnetOf(other.network, subnet.address.v6);
                if (taken == nullptr || !Overlap(subnet, taken->value)) continue;
                const Location there = other.network.LocationOf(taken->at);
                Refuse(
                    loaded, at, "Subnet",
                    Cat(Quote(FormatPrefix(subnet)), " overlaps ",
                        Quote(FormatPrefix(taken->value)), " of network ",
                        Quote(other.network.name), " (", there.file, ":",
                        std::to_string(there.line), ")"),
                    "give each network addresses of its own, or drop Subnet= to have husk do it");
            }
    }

    // The first of its problems: ": key 'Subnet': …".
    std::string WhyOf(const LoadedNetwork& loaded) const {
        for (const Problem& problem : folder_.problems)
            if (problem.severity == Severity::kError && problem.at.file == loaded.network.path)
                return Cat(": ", problem.text);
        return {};
    }

    // What a unit has by its network is a part of what it says with Network=: a network that
    // changes is a change of its units.
    static void MixIn(Unit& unit, const NetworkDefinition& network) {
        const GivenKey* key = FindGiven(unit, "Container.Network");
        if (key == nullptr) return;
        GivenKey& given = unit.given[static_cast<size_t>(key - unit.given.data())];
        for (const GivenKey& one : network.given)
            given.digest = (given.digest ^ one.digest ^ one.key) * kHashPrime;
    }

    void Members(LoadedUnit& unit) {
        bool open = unit.unit.container.network.networks.empty(), bridge = open;
        for (auto& member : unit.unit.container.network.networks) {
            const Location at = unit.unit.LocationOf(member.at);
            const LoadedNetwork* network = member.parent.empty() ? Find(member.network) : nullptr;
            if (network != nullptr) member.driver = network->network.driver;
            bridge |= member.driver == NetworkDriver::kBridge;
            if (member.driver == NetworkDriver::kIpvlan && member.mac)
                Refuse(unit, at, "Network",
                       "key 'Network': mac= with ipvlan, whose links all have "
                       "the MAC of their parent",
                       "drop it, or use macvlan");
            if (!member.parent.empty()) continue;
            if (network == nullptr) {
                open = true;
                std::string why = absent_(member.network);
                if (why.empty()) continue;
                std::vector<std::string_view> names;
                for (const auto& one : folder_.networks) names.push_back(one.network.name);
                const auto near = Nearest(member.network, names);
                Refuse(unit, at, "Network", Cat("network ", Quote(member.network), " ", why),
                       near ? Cat("did you mean ", Quote(*near), "?")
                            : Cat("write ", member.network, ".network with [Network] in it"));
                continue;
            }
            open = open || !network->network.internal;
            MixIn(unit.unit, network->network);
            if (network->refused)
                Refuse(unit, at, "Network",
                       Cat("network ", Quote(member.network), " is refused", WhyOf(*network)),
                       Cat("mend ", network->network.path));
        }
        if (!bridge) return WithoutBridge(unit);
        if (!open && !unit.unit.container.publish_ports.empty())
            Refuse(unit, PlaceOf(unit.unit, "Container.PublishPort"), "PublishPort",
                   "key 'PublishPort': nothing leads into an Internal= network, and the unit is in "
                   "no other",
                   "add a network that is not, or drop it");
    }

    // The device does not stand between the unit and the LAN.
    void WithoutBridge(LoadedUnit& unit) {
        const ContainerSection& c = unit.unit.container;
        if (!c.publish_ports.empty())
            Refuse(unit, PlaceOf(unit.unit, "Container.PublishPort"), "PublishPort",
                   "key 'PublishPort': with macvlan or ipvlan the unit has an address in the LAN, "
                   "and all its ports are open there",
                   "drop it, or add a NAME.network that is a bridge");
        for (const HostEntry& entry : c.hosts)
            if (!entry.address)
                return Refuse(unit, PlaceOf(unit.unit, "Container.AddHost"), "AddHost",
                              "key 'AddHost': 'host-gateway' is the device's address on a bridge, "
                              "and this unit is in none",
                              "write an address");
    }

    struct Taken {
        std::string_view network;
        IpAddress address;
        LoadedUnit* unit;
        Location at;
    };

    // Addresses that units ask for by name.
    void Addresses() {
        std::vector<Taken> taken;
        for (LoadedUnit& unit : folder_.units) {
            const ContainerSection& c = unit.unit.container;
            for (const auto& member : c.network.networks) {
                for (const auto& address : {member.ip4, member.ip6})
                    if (address && !member.parent.empty())
                        Take(unit, member.network, *address, unit.unit.LocationOf(member.at),
                             "Network", taken);
                const LoadedNetwork* network = Find(member.network);
                if (network == nullptr || network->refused) continue;
                const Location at = unit.unit.LocationOf(member.at);
                const bool only = c.network.networks.size() == 1;
                if (member.ip4)
                    Address(unit, network->network, *member.ip4, at, "Network", taken);
                else if (only && c.ip4)
                    Address(unit, network->network, *c.ip4, PlaceOf(unit.unit, "Container.IP"),
                            "IP", taken);
                if (member.ip6)
                    Address(unit, network->network, *member.ip6, at, "Network", taken);
                else if (only && c.ip6)
                    Address(unit, network->network, *c.ip6, PlaceOf(unit.unit, "Container.IP6"),
                            "IP6", taken);
            }
        }
    }

    void Address(LoadedUnit& unit, const NetworkDefinition& network, const IpAddress& address,
                 const Location& at, std::string_view key, std::vector<Taken>& taken) {
        const std::string said = Cat("key '", key, "': ", Quote(FormatAddress(address)));
        const auto* subnet = SubnetOf(network, address.v6);
        if (subnet == nullptr)
            return Refuse(unit, at, key,
                          Cat(said, " is asked for, and network ", Quote(network.name), " has no ",
                              address.v6 ? "IPv6 " : "", "Subnet="),
                          Cat("write Subnet= in ", network.path, ", or drop the address"));
        if (!IsUsable(subnet->value, address))
            return Refuse(
                unit, at, key,
                Cat(said, " is no address of a unit in subnet ", Quote(FormatPrefix(subnet->value)),
                    " of network ", Quote(network.name)),
                "one of the subnet, and not its first or last");
        if (address == GatewayOf(network, subnet->value))
            return Refuse(unit, at, key,
                          Cat(said, " is the gateway of network ", Quote(network.name)),
                          "choose another address");
        Take(unit, network.name, address, at, key, taken);
    }

    void Take(LoadedUnit& unit, std::string_view network, const IpAddress& address,
              const Location& at, std::string_view key, std::vector<Taken>& taken) {
        const std::string said = Cat("key '", key, "': ", Quote(FormatAddress(address)));
        for (const Taken& other : taken)
            if (other.network == network && other.address == address && other.unit != &unit)
                return Refuse(unit, at, key,
                              Cat(said, " is taken by unit ", Quote(other.unit->unit.name), " (",
                                  other.at.file, ":", std::to_string(other.at.line), ")"),
                              "choose another address, or drop it to have husk do it");
        taken.push_back({network, address, &unit, at});
    }

    // One stops for the other: never up together.
    static bool Conflict(const Unit& a, const Unit& b) {
        auto names = [](const Unit& one, const Unit& other) {
            return std::ranges::find(one.unit.conflicts, other.name) != one.unit.conflicts.end();
        };
        return names(a, b) || names(b, a);
    }

    // By number, so that a thousand units are not compared with each other.
    void Ports() {
        struct Wanted {
            const PublishedPort* port;
            LoadedUnit* unit;
        };
        std::vector<Wanted> wanted;
        for (LoadedUnit& unit : folder_.units)
            for (const PublishedPort& port : unit.unit.container.publish_ports)
                if (port.host != 0 && unit.unit.container.network.kind == Kind::kMember)
                    wanted.push_back({&port, &unit});
        std::ranges::stable_sort(wanted, {}, [](const Wanted& one) { return one.port->host; });
        for (size_t i = 0; i < wanted.size(); ++i)
            for (size_t j = i + 1; j < wanted.size(); ++j) {
                if (wanted[j].port->host >= wanted[i].port->host + wanted[i].port->count) break;
                if (!config::Overlaps(*wanted[i].port, *wanted[j].port)) continue;
                const bool swapped = wanted[j].unit < wanted[i].unit;
                const Wanted& first = swapped ? wanted[j] : wanted[i];
                const Wanted& second = swapped ? wanted[i] : wanted[j];
                if (Conflict(first.unit->unit, second.unit->unit)) continue;
                const Location there = first.unit->unit.LocationOf(first.port->at);
                Refuse(*second.unit, second.unit->unit.LocationOf(second.port->at), "PublishPort",
                       Cat("key 'PublishPort': port ", Quote(PortText(*second.port)),
                           first.unit == second.unit
                               ? std::string(" is published twice")
                               : Cat(" is published by unit ", Quote(first.unit->unit.name)),
                           " (", there.file, ":", std::to_string(there.line), ")"),
                       "choose another port of the device");
                break;
            }
    }

    LoadedFolder& folder_;
    const std::function<std::string(std::string_view)>& absent_;
};

}  // namespace

void CheckNetworkKeys(const Unit& unit, Problems& problems) { UnitChecks(unit, problems).Run(); }

void CheckNetworks(LoadedFolder& folder,
                   const std::function<std::string(std::string_view)>& absent) {
    FolderChecks(folder, absent).Run();
}

}  // namespace husk::config
