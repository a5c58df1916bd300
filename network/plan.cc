#include "network/plan.h"

#include <netinet/in.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/hash.h"
#include "base/text.h"

namespace husk::network {
namespace {

constexpr uint32_t kUsualMtu = 1500;
// Podman's for networks that do not say: 10.89.N.0/24.
constexpr unsigned kPoolSize = 256, kPoolLength = 24;
// RFC 6056: ports that no service has a name for.
constexpr unsigned kFirstPort = 49152, kPorts = 65536 - kFirstPort;
constexpr size_t kMaxPorts = 4096;  // of one unit
// So many tries find a free address in the largest subnet that is nearly full.
constexpr uint64_t kMaxTries = 1 << 16;

// With a last mix: neighbours of one name are not to be neighbours.
uint64_t Hash(std::initializer_list<std::string_view> parts) {
    uint64_t hash = kHashSeed;
    for (std::string_view part : parts) hash = HashPartOn(hash, part);
    hash ^= hash >> 33;
    hash *= 0xff51afd7ed558ccd;
    return hash ^ hash >> 33;
}

std::string HashText(uint64_t hash, size_t letters) {
    constexpr char kLetters[] = "abcdefghijklmnopqrstuvwxyz234567";
    std::string text;
    for (size_t i = 0; i < letters; ++i, hash >>= 5) text += kLetters[hash & 31];
    return text;
}

struct PlanningNetwork {
    const NetworkWish* wish = nullptr;
    PlannedNetwork planned;
    std::optional<IpPrefix> subnet[2];
    IpAddress gateway[2];
    std::set<IpAddress> used;      // gateways and members
    std::set<IpAddress> reserved;  // of units that are gone
    std::set<MacAddress> macs;
};

class Planner {
  public:
    explicit Planner(PlanInput input) : in_(std::move(input)) {}

    NetworkPlan Run() {
        std::ranges::sort(in_.networks, {}, &NetworkWish::name);
        std::ranges::sort(in_.units, {}, &UnitWish::unit);
        ChooseSubnets();
        for (const NetworkWish& wish : in_.networks) AddNetwork(wish);
        TakeAddresses();
        for (const UnitWish& unit : in_.units) AddUnit(unit);
        for (const Lease& lease : in_.leases) KeepForReturn(lease);
        for (auto& [name, network] : networks_) out_.networks.push_back(std::move(network.planned));
        return std::move(out_);
    }

  private:
    // --- subnets -------------------------------------------------------------------------------

    bool IsFree(const IpPrefix& subnet) const {
        auto overlaps = [&](const IpPrefix& other) { return Overlap(subnet, other); };
        return std::ranges::none_of(subnets_, overlaps) &&
               std::ranges::none_of(in_.taken, overlaps);
    }
    // As Podman has it: IPv6=yes means both, and without it what is written down is all.
    static bool WantsChoice(const NetworkWish& wish, bool v6) {
        // What lies behind a link of the device's has addresses of its own.
        if (!wish.kind.empty()) return false;
        return !wish.subnet[v6] && (wish.v6 || (!v6 && !wish.subnet[1]));
    }

    // The N-th of the subnets that are chosen from.
    IpPrefix Candidate(bool v6, uint64_t number) const {
        IpPrefix subnet{{.v6 = v6}, v6 ? 64u : kPoolLength};
        if (!v6) {
            subnet.address.bytes = {10, 89, static_cast<uint8_t>(number % kPoolSize)};
            return subnet;
        }
        // RFC 4193: 40 bits that are this machine's, then 16 for the network.
        uint64_t global = Hash({"husk", in_.seed});
        subnet.address.bytes[0] = 0xfd;
        for (size_t i = 1; i < 6; ++i, global >>= 8)
            subnet.address.bytes[i] = static_cast<uint8_t>(global & 0xff);
        subnet.address.bytes[6] = static_cast<uint8_t>(number >> 8 & 0xff);
        subnet.address.bytes[7] = static_cast<uint8_t>(number & 0xff);
        return subnet;
    }

    // Those that are written down, then those that were chosen before, then new ones.
    void ChooseSubnets() {
        for (const NetworkWish& wish : in_.networks)
            for (bool v6 : {false, true})
                if (wish.subnet[v6]) subnets_.push_back(*wish.subnet[v6]);
        for (bool leased : {true, false})
            for (const NetworkWish& wish : in_.networks)
                for (bool v6 : {false, true})
                    if (WantsChoice(wish, v6) && !chosen_.contains({wish.name, v6}))
                        ChooseSubnet(wish, v6, leased);
    }

    void ChooseSubnet(const NetworkWish& wish, bool v6, bool leased) {
        auto take = [&](const IpPrefix& subnet) {
            if (!IsFree(subnet)) return false;
            subnets_.push_back(subnet);
            chosen_[{wish.name, v6}] = subnet;
            return true;
        };
        if (leased) {
            for (const Lease& lease : in_.leases)
                if (lease.network == wish.name && lease.unit.empty() &&
                    lease.prefix.address.v6 == v6 &&
                    lease.prefix.length == Candidate(v6, 0).length && take(lease.prefix))
                    return;
            return;
        }
        const uint64_t first = Hash({"subnet", wish.name});
        for (uint64_t i = 0; i < kPoolSize; ++i)
            if (take(Candidate(v6, first + i))) return;
    }

    void AddNetwork(const NetworkWish& wish) {
        PlanningNetwork& network = networks_[wish.name];
        network.wish = &wish;
        PlannedNetwork& planned = network.planned;
        planned.name = wish.name;
        planned.kind = wish.kind;
        planned.parent = wish.parent;
        planned.mtu = wish.mtu;
        if (wish.kind.empty()) {
            planned.bridge = LinkName(kBridgePrefix, wish.name, links_);
            links_.push_back(planned.bridge);
            planned.mac = ChooseMac(network, {"bridge", in_.seed, wish.name});
            if (wish.mtu == 0) planned.mtu = kUsualMtu;
        }
        planned.internal = wish.internal;
        planned.name_servers = wish.name_servers;
        for (bool v6 : {false, true}) {
            network.subnet[v6] = wish.subnet[v6];
            if (auto found = chosen_.find({wish.name, v6}); found != chosen_.end()) {
                network.subnet[v6] = found->second;
                out_.leases.push_back({.network = wish.name, .unit = {}, .prefix = found->second});
            }
            if (!network.subnet[v6]) continue;
            network.gateway[v6] =
                wish.gateway[v6].value_or(Advance(FirstOf(*network.subnet[v6]), 1));
            network.used.insert(network.gateway[v6]);
            if (wish.kind.empty())
                planned.addresses.push_back({network.gateway[v6], network.subnet[v6]->length});
        }
    }

    // --- members -------------------------------------------------------------------------------

    PlanningNetwork* Find(const std::string& name) {
        const auto found = networks_.find(name);
        return found == networks_.end() ? nullptr : &found->second;
    }
    bool IsWished(std::string_view unit, std::string_view network) const {
        const auto found = std::ranges::find(in_.units, unit, &UnitWish::unit);
        return found != in_.units.end() &&
               std::ranges::find(found->members, network, &MemberWish::network) !=
                   found->members.end();
    }
    AddressRange RangeOf(const PlanningNetwork& network, bool v6) const {
        if (const auto& range = network.wish->range[v6]) return *range;
        return {FirstOf(*network.subnet[v6]), LastOf(*network.subnet[v6])};
    }
    bool IsGivenOut(const PlanningNetwork& network, const IpAddress& address) const {
        const bool v6 = address.v6;
        if (!network.subnet[v6]) return false;
        const AddressRange range = RangeOf(network, v6);
        return address >= range.first && address <= range.last &&
               address != FirstOf(*network.subnet[v6]) &&
               (v6 || address != LastOf(*network.subnet[v6]));
    }

    // What files say first, then what leases do, so that a new unit cannot take an old one's.
    void TakeAddresses() {
        for (const UnitWish& unit : in_.units)
            for (const MemberWish& member : unit.members)
                if (PlanningNetwork* network = Find(member.network))
                    for (const auto& address : member.address)
                        if (address) network->used.insert(*address);
        for (const Lease& lease : in_.leases) {
            PlanningNetwork* network = Find(lease.network);
            if (network == nullptr || lease.unit.empty()) continue;
            const IpAddress& address = lease.prefix.address;
            if (!IsGivenOut(*network, address) || network->used.contains(address)) continue;
            if (!IsWished(lease.unit, lease.network)) {
                network->reserved.insert(address);
                continue;
            }
            const Held held{lease.unit, lease.network, address.v6};
            if (held_.contains(held)) continue;
            held_[held] = address;
            network->used.insert(address);
        }
    }

    std::optional<IpAddress> ChooseAddress(PlanningNetwork& network, const std::string& unit,
                                           bool v6) {
        if (auto found = held_.find({unit, network.wish->name, v6}); found != held_.end())
            return found->second;
        const AddressRange range = RangeOf(network, v6);
        const uint64_t span = Distance(range.first, range.last);
        const uint64_t size = std::min(span, kMaxTries - 1) + 1;
        const uint64_t first = Hash({"address", unit, network.wish->name});
        for (bool respects_reserved : {true, false})
            for (uint64_t i = 0; i < size; ++i) {
                const IpAddress address = Advance(range.first, (first + i) % size);
                if (!IsGivenOut(network, address) || network.used.contains(address)) continue;
                if (respects_reserved && network.reserved.contains(address)) continue;
                network.used.insert(address);
                network.reserved.erase(address);
                return address;
            }
        return std::nullopt;
    }

    static MacAddress ChooseMac(PlanningNetwork& network,
                                std::initializer_list<std::string_view> of) {
        for (uint64_t hash = Hash(of);; ++hash) {
            // Of no maker's, and of no group: the two lowest bits of the first byte.
            MacAddress mac{0x02};
            for (size_t i = 1; i < mac.size(); ++i)
                mac[i] = static_cast<uint8_t>(hash >> (8 * i) & 0xff);
            mac[5] = static_cast<uint8_t>(hash & 0xff);
            if (network.macs.insert(mac).second) return mac;
        }
    }

    void AddUnit(const UnitWish& unit) {
        PlannedUnit planned{.unit = unit.unit, .host_name = unit.host_name};
        for (const MemberWish& member : unit.members)
            if (planned.error.empty()) AddMember(unit, member, planned);
        for (const PortWish& port : unit.ports)
            if (planned.error.empty()) AddPorts(unit, port, planned);
        if (!planned.error.empty())
            planned = {.unit = unit.unit, .host_name = {}, .error = planned.error};
        out_.units.push_back(std::move(planned));
    }

    void AddMember(const UnitWish& unit, const MemberWish& wish, PlannedUnit& planned) {
        PlanningNetwork* network = Find(wish.network);
        if (network == nullptr) {
            planned.error = Cat("network ", Quote(wish.network), " does not exist");
            return;
        }
        PlannedMember member{.network = wish.network};
        for (bool v6 : {false, true}) {
            if (!network->subnet[v6] && !WantsChoice(*network->wish, v6)) {
                if (wish.address[v6])
                    member.addresses.push_back({*wish.address[v6], wish.length[v6]});
                continue;
            }
            if (!network->subnet[v6]) {
                planned.error =
                    Cat("network ", Quote(wish.network),
                        ": no subnet is free for it; write Subnet= in ", network->wish->path);
                return;
            }
            auto address = wish.address[v6];
            if (!address) address = ChooseAddress(*network, unit.unit, v6);
            if (!address) {
                const AddressRange range = RangeOf(*network, v6);
                planned.error = Cat("network ", Quote(wish.network), " has no free address from ",
                                    FormatAddress(range.first), " to ", FormatAddress(range.last),
                                    "; widen Subnet= or IPRange= in ", network->wish->path);
                return;
            }
            if (!wish.address[v6])
                out_.leases.push_back({.network = wish.network,
                                       .unit = unit.unit,
                                       .prefix = {*address, address->Bits()}});
            member.addresses.push_back({*address, network->subnet[v6]->length});
        }
        // All links of ipvlan have their parent's MAC.
        if (wish.mac)
            member.mac = *wish.mac;
        else if (network->wish->kind != "ipvlan")
            member.mac = ChooseMac(*network, {"mac", in_.seed, unit.unit, wish.network});
        if (network->wish->kind.empty()) {
            const std::string owner =
                unit.members.size() == 1 ? unit.unit : Cat(unit.unit, "/", wish.network);
            member.port = LinkName(kPortPrefix, owner, links_);
            links_.push_back(member.port);
        } else {
            member.upper = PlanUpperLink(*network, wish, member);
        }
        member.interface = InterfaceName(unit, wish, planned);
        member.names = wish.aliases;
        planned.members.push_back(std::move(member));
    }

    // Who has addresses that somebody wrote down is not given others by a router, but in IPv6
    // where IPv6=yes says so.
    static UpperLink PlanUpperLink(const PlanningNetwork& network, const MemberWish& wish,
                                   const PlannedMember& member) {
        const NetworkWish& of = *network.wish;
        UpperLink upper{.kind = of.kind, .parent = of.parent};
        upper.mtu = wish.mtu != 0 ? wish.mtu : of.mtu;
        upper.hears_routers = member.addresses.empty() || (of.v6 && !of.subnet[1]);
        for (bool v6 : {false, true}) {
            if (wish.gateway[v6])
                upper.gateways.push_back(*wish.gateway[v6]);
            else if (network.subnet[v6] && !of.internal)
                upper.gateways.push_back(network.gateway[v6]);
        }
        return upper;
    }

    static std::string InterfaceName(const UnitWish& unit, const MemberWish& wish,
                                     const PlannedUnit& planned) {
        if (!wish.interface_name.empty()) return wish.interface_name;
        for (size_t number = planned.members.size();; ++number) {
            std::string name = Cat("eth", std::to_string(number));
            const bool taken =
                std::ranges::any_of(unit.members,
                                    [&](const auto& one) { return one.interface_name == name; }) ||
                std::ranges::any_of(planned.members,
                                    [&](const auto& one) { return one.interface == name; });
            if (!taken) return name;
        }
    }

    // --- ports ---------------------------------------------------------------------------------

    bool IsPortFree(const PortWish& wish, unsigned first) const {
        if (first + wish.count > 65536) return false;
        for (const UnitWish& unit : in_.units)
            for (const PortWish& other : unit.ports)
                if (other.host != 0 && other.protocol == wish.protocol &&
                    first < unsigned{other.host} + other.count &&
                    other.host < first + unsigned{wish.count})
                    return false;
        for (unsigned port = first; port < first + wish.count; ++port)
            if (chosen_ports_.contains({wish.protocol, port})) return false;
        return true;
    }

    uint16_t ChoosePort(const std::string& unit, const PortWish& wish) {
        auto take = [&](unsigned first) {
            if (!IsPortFree(wish, first)) return false;
            for (unsigned port = first; port < first + wish.count; ++port)
                chosen_ports_.insert({wish.protocol, port});
            return true;
        };
        for (const Lease& lease : in_.leases)
            if (lease.network.empty() && lease.unit == unit &&
                lease.port.container == wish.container && lease.port.count == wish.count &&
                lease.port.protocol == wish.protocol && take(lease.port.host))
                return lease.port.host;
        const uint64_t first =
            Hash({"port", unit, std::to_string(wish.container), std::to_string(wish.protocol)});
        for (unsigned i = 0; i < kPorts; ++i) {
            const unsigned port = kFirstPort + static_cast<unsigned>((first + i) % kPorts);
            if (take(port)) return static_cast<uint16_t>(port);
        }
        return 0;
    }

    // Leads to the unit's addresses on its first network that is not internal.
    void AddPorts(const UnitWish& unit, PortWish port, PlannedUnit& planned) {
        if (port.host == 0) {
            port.host = ChoosePort(unit.unit, port);
            if (port.host == 0) {
                planned.error = "no port of the device is free for PublishPort=";
                return;
            }
            out_.leases.push_back({.network = {}, .unit = unit.unit, .prefix = {}, .port = port});
        }
        const auto member = std::ranges::find_if(planned.members, [&](const auto& one) {
            return !one.port.empty() && !networks_.at(one.network).wish->internal;
        });
        if (member == planned.members.end()) return;  // the rules of files refuse it
        bool leads = false;
        for (const IpPrefix& address : member->addresses) {
            if (port.address && port.address->v6 != address.address.v6) continue;
            leads = true;
            for (unsigned i = 0; i < port.count; ++i)
                planned.ports.push_back({port.address, port.protocol,
                                         static_cast<uint16_t>(port.host + i), address.address,
                                         static_cast<uint16_t>(port.container + i)});
        }
        if (!leads)
            planned.error =
                Cat("PublishPort= of an ", port.address->v6 ? "IPv6" : "IPv4",
                    " address leads nowhere: network ", Quote(member->network), " has none; write ",
                    port.address->v6 ? "IPv6=yes" : "Subnet=", " in ",
                    networks_.at(member->network).wish->path);
        if (planned.ports.size() > 2 * kMaxPorts)
            planned.error = Cat("PublishPort= has more than ", std::to_string(kMaxPorts),
                                " ports; publish those that are used");
    }

    // --- leases --------------------------------------------------------------------------------

    void KeepForReturn(const Lease& lease) {
        if (out_.leases.size() >= kMaxLeases) return;
        if (lease.network.empty()) {
            if (std::ranges::find(in_.units, lease.unit, &UnitWish::unit) == in_.units.end())
                out_.leases.push_back(lease);
            return;
        }
        PlanningNetwork* network = Find(lease.network);
        if (network == nullptr) {
            out_.leases.push_back(lease);  // the whole network may come back
            return;
        }
        if (!lease.unit.empty() && network->reserved.contains(lease.prefix.address))
            out_.leases.push_back(lease);
    }

    struct Held {
        std::string unit, network;
        bool v6;
        friend auto operator<=>(const Held&, const Held&) = default;
    };

    PlanInput in_;
    NetworkPlan out_;
    std::map<std::string, PlanningNetwork> networks_;
    std::map<std::pair<std::string, bool>, IpPrefix> chosen_;
    std::vector<IpPrefix> subnets_;
    std::map<Held, IpAddress> held_;
    std::vector<std::string> links_;
    std::set<std::pair<uint8_t, unsigned>> chosen_ports_;
};

}  // namespace

std::string LinkName(std::string_view prefix, std::string_view name,
                     const std::vector<std::string>& taken) {
    constexpr size_t kHashLetters = 5;
    auto is_free = [&](const std::string& link) {
        return std::ranges::find(taken, link) == taken.end();
    };
    // What the kernel and its tools have a meaning of their own for: '/', ':', blanks, '%' and '@'.
    const bool plain = name.find_first_not_of(
                           "abcdefghijklmnopqrstuvwxyz"
                           "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") == name.npos;
    std::string whole = Cat(prefix, name);
    if (plain && whole.size() <= kMaxLinkName && is_free(whole)) return whole;
    std::string start;
    for (char c : name.substr(0, kMaxLinkName - prefix.size() - kHashLetters - 1))
        start += std::string_view("/:@%").find(c) == std::string_view::npos ? c : '.';
    for (uint64_t hash = Hash({"link", name});; ++hash) {
        std::string link = Cat(prefix, start, "-", HashText(hash, kHashLetters));
        if (is_free(link)) return link;
    }
}

std::string FormatPort(const FirewallPort& port) {
    std::string text;
    if (port.address)
        text = port.address->v6 ? Cat("[", FormatAddress(*port.address), "]:")
                                : Cat(FormatAddress(*port.address), ":");
    const char* protocol = port.protocol == IPPROTO_TCP   ? "tcp"
                           : port.protocol == IPPROTO_UDP ? "udp"
                                                          : "sctp";
    return Cat(text, std::to_string(port.port), " -> ", std::to_string(port.to_port), "/",
               protocol);
}

const PlannedNetwork* NetworkPlan::FindNetwork(std::string_view name) const {
    const auto found = std::ranges::find(networks, name, &PlannedNetwork::name);
    return found == networks.end() ? nullptr : &*found;
}
const PlannedUnit* NetworkPlan::FindUnit(std::string_view name) const {
    const auto found = std::ranges::lower_bound(units, name, {}, &PlannedUnit::unit);
    return found == units.end() || found->unit != name ? nullptr : &*found;
}

NetworkPlan MakeNetworkPlan(PlanInput input) { return Planner(std::move(input)).Run(); }

bool HasUpperLink(const PlannedUnit& unit) {
    return std::ranges::any_of(unit.members, [](const auto& one) { return one.port.empty(); });
}

std::vector<FirewallMember> MembersOf(const PlannedUnit& unit) {
    std::vector<FirewallMember> members;
    for (const PlannedMember& member : unit.members) {
        if (member.port.empty()) continue;  // no rules stand before it
        FirewallMember one{.port = member.port, .mac = member.mac};
        for (const IpPrefix& address : member.addresses) one.addresses.push_back(address.address);
        members.push_back(std::move(one));
    }
    return members;
}

}  // namespace husk::network
