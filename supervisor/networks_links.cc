// Networks: the links of networks and of the units in them.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.h"
#include "base/log.h"
#include "base/namespace_visit.h"
#include "base/text.h"
#include "network/bridge_port.h"
#include "network/links.h"
#include "network/nftables.h"
#include "supervisor/modules.h"
#include "supervisor/networks.h"

namespace husk::supervisor {
namespace {

using network::Link;
using network::PlannedMember;
using network::PlannedNetwork;
using network::PlannedUnit;

constexpr size_t kMaxWord = 4096;

Status SetLinkParameter(const char* protocol, std::string_view link, std::string_view name,
                        const char* value) {
    Status set = WriteAttribute(Cat("/proc/sys/net/", protocol, "/conf/", link, "/", name), value);
    // A kernel without IPv6 has no folder for it, and nothing to switch off.
    if (!set && set.error().code() == ENOENT && std::string_view(protocol) == "ipv6") return {};
    return set;
}

bool HasIp6(const std::vector<IpPrefix>& addresses) {
    return std::ranges::any_of(addresses, [](const auto& one) { return one.address.v6; });
}

bool IsLinkLocal(const IpAddress& address) {
    return address.v6 && address.bytes[0] == 0xfe && (address.bytes[1] & 0xc0) == 0x80;
}

// A device that passes IPv6 on does not listen to router advertisements any more, unless it is told
// to do so nevertheless: it would lose its own address.
Status ForwardIp6() {
    constexpr const char* kLinks = "/proc/sys/net/ipv6/conf";
    if (ReadFile(Cat(kLinks, "/all/forwarding"), kMaxWord).value_or("").starts_with('1')) return {};
    auto links = ListDirectory(kLinks);
    if (!links) return Fail(std::move(links).error().Wrap("IPv6 of a network"));
    for (const std::string& link : *links) {
        const std::string path = Cat(kLinks, "/", link, "/accept_ra");
        // A link may have gone since.
        if (ReadFile(path, kMaxWord).value_or("").starts_with('1')) (void)WriteAttribute(path, "2");
    }
    return SetLinkParameter("ipv6", "all", "forwarding", "1");
}

// Parameters of a new namespace. There is nobody in it yet.
Status PrepareInside(int network_namespace, const PlannedUnit& unit) {
    auto visit = NamespaceVisit::Enter(network_namespace, CLONE_NEWNET);
    if (!visit) return Fail(std::move(visit).error());
    const bool v6 = std::ranges::any_of(unit.members, [](const auto& member) {
        return HasIp6(member.addresses) || member.upper.hears_routers;
    });
    // On "all" it would take ::1 away, too.
    HUSK_TRY(SetLinkParameter("ipv6", "default", "disable_ipv6", v6 ? "0" : "1"));
    HUSK_TRY(SetLinkParameter("ipv6", "default", "accept_ra", "0"));
    // A unit has its network to itself: low ports and 'ping' take nothing from anybody.
    HUSK_TRY(WriteAttribute("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0"));
    return WriteAttribute("/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
}

}  // namespace

std::optional<IpPrefix> Networks::FindClash(const PlannedNetwork& planned, std::string& where) {
    auto clashes = [&](const IpPrefix& prefix) {
        return std::ranges::any_of(planned.addresses, [&](const IpPrefix& own) {
            return Overlap(prefix, own) && !IsLinkLocal(prefix.address);
        });
    };
    auto links = network::ListLinks(*route_);
    auto addresses = network::ListAddresses(*route_);
    if (links && addresses)
        for (const auto& one : *addresses) {
            const auto link = std::ranges::find(*links, one.index, &Link::index);
            if (link == links->end() || link->alias.starts_with(kOurs) || !clashes(one.prefix))
                continue;
            where = Cat("of the device's link ", Quote(link->name));
            return one.prefix;
        }
    where = "of a link in system.conf";
    const auto found = std::ranges::find_if(taken_, clashes);
    return found == taken_.end() ? std::nullopt : std::optional(*found);
}

// A subnet that was chosen before the device got an address in it, by DHCP for one, is chosen anew
// while nobody has it yet.
Status Networks::MakeWay(const DeviceFacts& device, const PlannedUnit& unit) {
    bool again = false;
    std::string where;
    for (const PlannedMember& member : unit.members) {
        const PlannedNetwork* planned = plan_.FindNetwork(member.network);
        // What stands upon a link of the device has that one's subnet.
        if (planned == nullptr || member.port.empty() || bridges_.contains(member.network))
            continue;
        const auto clash = FindClash(*planned, where);
        if (!clash || std::ranges::find(met_, *clash) != met_.end()) continue;
        met_.push_back(*clash);
        again = true;
    }
    if (again) Replan(device);
    const PlannedUnit* planned = plan_.FindUnit(unit.unit);
    return planned == nullptr || planned->error.empty() ? Status() : Fail(planned->error);
}

Result<uint32_t> Networks::OpenBridge(const std::string& name) {
    const PlannedNetwork* planned = plan_.FindNetwork(name);
    if (planned == nullptr) return Fail("network ", Quote(name), " does not exist");
    const auto known = bridges_.find(name);
    if (known != bridges_.end() && IsPlanned(name, known->second)) return known->second.index;
    std::string where;
    if (const auto clash = FindClash(*planned, where))
        return Fail("network ", Quote(name), ": its subnet overlaps ", Quote(FormatPrefix(*clash)),
                    " ", where, "; write another Subnet= in ", name, ".network");
    auto found = network::FindLink(*route_, planned->bridge);
    if (!found) return Fail(std::move(found).error());
    if (*found && !(*found)->alias.starts_with(kOurs))
        return Fail("a link ", Quote(planned->bridge),
                    " is there that is not husk's; rename the network or the link");
    if (!*found) {
        Status made = network::MakeBridge(*route_, {.name = planned->bridge,
                                                    .alias = Cat(kOurs, "network ", name),
                                                    .mac = planned->mac,
                                                    .mtu = planned->mtu});
        if (!made) return Fail(network::ExplainKernel(std::move(made).error(), "CONFIG_BRIDGE"));
        found = network::FindLink(*route_, planned->bridge);
        if (!found) return Fail(std::move(found).error());
        if (!*found) return Fail("bridge ", Quote(planned->bridge), " is gone again");
    }
    const Link link = **found;
    const bool v6 = HasIp6(planned->addresses);
    if (v6) HUSK_TRY(ForwardIp6());
    HUSK_TRY(SetLinkParameter("ipv6", link.name, "disable_ipv6", v6 ? "0" : "1"));
    HUSK_TRY(SetLinkParameter("ipv6", link.name, "accept_ra", "0"));
    HUSK_TRY(SetLinkParameter("ipv4", link.name, "route_localnet", "1"));
    HUSK_TRY(SetLinkParameter("ipv4", link.name, "send_redirects", "0"));
    // Those of an earlier plan go.
    auto addresses = network::ListAddresses(*route_);
    if (!addresses) return Fail(std::move(addresses).error());
    for (const auto& one : *addresses)
        if (one.index == link.index && !IsLinkLocal(one.prefix.address) &&
            std::ranges::find(planned->addresses, one.prefix) == planned->addresses.end())
            HUSK_TRY(network::RemoveAddress(*route_, link, one.prefix));
    for (const IpPrefix& address : planned->addresses)
        HUSK_TRY(network::AddAddress(*route_, link, address));
    if (link.mtu != planned->mtu || link.mac != planned->mac)
        HUSK_TRY(network::ChangeLink(*route_, link, {.mtu = planned->mtu, .mac = planned->mac}));
    HUSK_TRY(network::ChangeLink(*route_, link, {.up = true}));
    if (v6) HUSK_TRY(network::TakeLoopback6(*route_, link));
    bridges_[name] = {link.index, *planned};
    return link.index;
}

Status Networks::Connect(const PlannedUnit& unit, int network_namespace) {
    bool new_bridge = false;
    for (const PlannedMember& member : unit.members) {
        if (member.port.empty()) continue;
        const auto known = bridges_.find(member.network);
        new_bridge |= known == bridges_.end() || !IsPlanned(member.network, known->second);
        auto index = OpenBridge(member.network);
        if (!index) return Fail(std::move(index).error());
    }
    HUSK_TRY(PrepareInside(network_namespace, unit));
    auto inside = network::NetlinkSocket::OpenIn(network_namespace, NETLINK_ROUTE);
    if (!inside) return Fail(std::move(inside).error());
    auto lo = network::FindLink(*inside, "lo");
    if (!lo) return Fail(std::move(lo).error());
    if (*lo) HUSK_TRY(network::ChangeLink(*inside, **lo, {.up = true}));
    std::vector<Link> ports;
    for (const PlannedMember& member : unit.members) {
        if (member.port.empty()) {
            HUSK_TRY(MakeUpper(member, network_namespace, *inside));
            continue;
        }
        auto port = ConnectMember(member, network_namespace, *inside);
        if (!port) return Fail(std::move(port).error());
        ports.push_back(std::move(*port));
    }
    // When the links are there, which the rules name, and before they are up, so that nothing
    // passes that the rules do not know.
    if (new_bridge) {
        HUSK_TRY(PutRules());
    } else if (rules_) {
        HUSK_TRY(AddRules(unit));
    }
    for (const Link& port : ports) HUSK_TRY(network::ChangeLink(*route_, port, {.up = true}));
    HUSK_TRY(AddDefaultRoutes(unit, *inside));
    if (network::HasUpperLink(unit)) inside_.insert_or_assign(unit.unit, std::move(*inside));
    return {};
}

Status Networks::AddDefaultRoutes(const PlannedUnit& unit, network::NetlinkSocket& inside) {
    // By the first network that leads anywhere.
    for (bool v6 : {false, true})
        for (const PlannedMember& member : unit.members) {
            std::vector<IpAddress> gateways = member.upper.gateways;
            const PlannedNetwork* one = plan_.FindNetwork(member.network);
            if (!member.port.empty() && one != nullptr && !one->internal)
                for (const IpPrefix& prefix : one->addresses) gateways.push_back(prefix.address);
            const auto gateway = std::ranges::find(gateways, v6, &IpAddress::v6);
            if (gateway == gateways.end()) continue;
            Status added =
                network::AddRoute(inside, {.destination = {{.v6 = v6}, 0}, .gateway = *gateway});
            // There still, where a link is made anew.
            if (!added && added.error().code() != EEXIST) return added;
            break;
        }
    return {};
}

Result<Link> Networks::ConnectMember(const PlannedMember& member, int network_namespace,
                                     network::NetlinkSocket& inside) {
    const Bridge& bridge = bridges_.at(member.network);
    // Left over from a supervisor that died in between.
    HUSK_TRY(network::RemoveLink(*route_, member.port));
    Status made = network::MakeVethPair(
        *route_, {.name = member.port, .mtu = bridge.planned.mtu, .master = bridge.index},
        {.name = member.interface, .mac = member.mac, .mtu = bridge.planned.mtu},
        network_namespace);
    if (!made) return Fail(network::ExplainKernel(std::move(made).error(), "CONFIG_VETH"));
    // A port of a bridge has no addresses of its own.
    HUSK_TRY(SetLinkParameter("ipv6", member.port, "disable_ipv6", "1"));
    auto port = network::FindLink(*route_, member.port);
    if (!port) return Fail(std::move(port).error());
    auto link = network::FindLink(inside, member.interface);
    if (!link) return Fail(std::move(link).error());
    if (!*port || !*link) return Fail("link ", Quote(member.port), " is gone again");
    HUSK_TRY(network::SetUpPort(*route_, **port, member.mac));
    for (const IpPrefix& address : member.addresses)
        HUSK_TRY(network::AddAddress(inside, **link, address));
    HUSK_TRY(network::ChangeLink(inside, **link, {.up = true}));
    return std::move(**port);
}

Status Networks::MakeUpper(const PlannedMember& member, int network_namespace,
                           network::NetlinkSocket& inside) {
    const network::UpperLink& upper = member.upper;
    for (const Error& error : LoadModules({upper.kind})) LogDebug(error.text());
    auto parent = network::FindLink(*route_, upper.parent);
    if (!parent) return Fail(std::move(parent).error());
    if (!*parent) return Fail("link ", Quote(upper.parent), " is not there");
    auto taken = network::ListAddresses(*route_);
    if (!taken) return Fail(std::move(taken).error());
    for (const auto& own : *taken)
        for (const IpPrefix& address : member.addresses)
            if (own.prefix.address == address.address)
                return Fail("address ", Quote(FormatAddress(address.address)),
                            " is the device's own; choose another");
    if (!(*parent)->up) HUSK_TRY(network::ChangeLink(*route_, **parent, {.up = true}));
    network::NewLink link{.name = member.interface, .mtu = upper.mtu};
    if (upper.kind == "macvlan") link.mac = member.mac;
    Status made = network::MakeUpperLink(*route_, upper.kind.c_str(), (*parent)->index, link,
                                         network_namespace);
    if (!made)
        return Fail(network::ExplainKernel(
            std::move(made).error(), upper.kind == "macvlan" ? "CONFIG_MACVLAN" : "CONFIG_IPVLAN"));
    {
        auto visit = NamespaceVisit::Enter(network_namespace, CLONE_NEWNET);
        if (!visit) return Fail(std::move(visit).error());
        const bool v6 = HasIp6(member.addresses) || upper.hears_routers;
        HUSK_TRY(SetLinkParameter("ipv6", member.interface, "disable_ipv6", v6 ? "0" : "1"));
        HUSK_TRY(SetLinkParameter("ipv6", member.interface, "accept_ra",
                                  upper.hears_routers ? "1" : "0"));
    }
    auto own = network::FindLink(inside, member.interface);
    if (!own) return Fail(std::move(own).error());
    if (!*own) return Fail("link ", Quote(member.interface), " is gone again");
    for (const IpPrefix& address : member.addresses)
        HUSK_TRY(network::AddAddress(inside, **own, address));
    return network::ChangeLink(inside, **own, {.up = true});
}

std::vector<std::string> Networks::ParentsOf(const std::string& unit) const {
    std::vector<std::string> parents;
    if (const PlannedUnit* planned = plan_.FindUnit(unit))
        for (const PlannedMember& member : planned->members)
            if (member.port.empty()) parents.push_back(member.upper.parent);
    return parents;
}

Result<std::vector<std::string>> Networks::Mend(const std::string& unit, int network_namespace) {
    std::vector<std::string> missing;
    const auto found = attached_.find(unit);
    if (found == attached_.end()) return missing;
    const auto& members = found->second.members;
    if (!network::HasUpperLink(found->second)) return missing;
    HUSK_TRY(Open());
    auto inside = network::NetlinkSocket::OpenIn(network_namespace, NETLINK_ROUTE);
    if (!inside) return Fail(std::move(inside).error());
    bool mended = false;
    for (const PlannedMember& member : members) {
        if (!member.port.empty()) continue;
        auto link = network::FindLink(*inside, member.interface);
        if (!link) return Fail(std::move(link).error());
        if (*link) continue;
        auto parent = network::FindLink(*route_, member.upper.parent);
        if (!parent) return Fail(std::move(parent).error());
        if (!*parent) {
            missing.push_back(member.upper.parent);
            continue;
        }
        HUSK_TRY(MakeUpper(member, network_namespace, *inside));
        mended = true;
    }
    if (mended) HUSK_TRY(AddDefaultRoutes(found->second, *inside));
    return missing;
}

}  // namespace husk::supervisor
