#include "supervisor/network_wishes.h"

#include <netinet/in.h>

#include "supervisor/spec_builder.h"

namespace husk::supervisor {
namespace {

uint8_t ProtocolNumber(config::PortProtocol protocol) {
    switch (protocol) {
        case config::PortProtocol::kTcp: return IPPROTO_TCP;
        case config::PortProtocol::kUdp: return IPPROTO_UDP;
        case config::PortProtocol::kSctp: return IPPROTO_SCTP;
    }
    return IPPROTO_TCP;
}

std::string KindOf(config::NetworkDriver driver) {
    return driver == config::NetworkDriver::kBridge ? "" : config::NetworkDriverName(driver);
}

}  // namespace

std::vector<network::NetworkWish> WishesWithoutFiles(const config::Unit& unit) {
    std::vector<network::NetworkWish> wishes;
    for (const auto& member : unit.container.network.networks)
        if (!member.parent.empty())
            wishes.push_back({.name = member.network,
                              .path = unit.path,
                              .kind = KindOf(member.driver),
                              .parent = member.parent});
    return wishes;
}

network::NetworkWish WishOf(const config::NetworkDefinition& network) {
    network::NetworkWish wish{.name = network.name,
                              .path = network.path,
                              .kind = KindOf(network.driver),
                              .parent = network.parent,
                              .v6 = network.ipv6,
                              .internal = network.internal,
                              .mtu = network.mtu,
                              .name_servers = network.dns};
    for (const auto& [subnet, at] : network.subnets) wish.subnet[subnet.address.v6] = subnet;
    for (const auto& [gateway, at] : network.gateways) wish.gateway[gateway.v6] = gateway;
    for (const auto& [range, at] : network.ranges)
        wish.range[range.first.v6] = network::AddressRange{range.first, range.last};
    return wish;
}

std::optional<network::UnitWish> WishOf(const config::Unit& unit) {
    const auto& c = unit.container;
    if (c.network.kind != config::NetworkMode::Kind::kMember) return std::nullopt;
    network::UnitWish wish{.unit = unit.name, .host_name = HostNameOf(unit)};
    for (const auto& member : c.network.networks) {
        network::MemberWish one{.network = member.network,
                                .length = {member.length4, member.length6},
                                .gateway = {member.gateway4, member.gateway6},
                                .mtu = member.mtu,
                                .mac = member.mac,
                                .interface_name = member.interface_name,
                                .aliases = c.network_aliases};
        one.aliases.insert(one.aliases.end(), member.aliases.begin(), member.aliases.end());
        one.address[0] = member.ip4;
        one.address[1] = member.ip6;
        if (c.network.networks.size() == 1) {
            if (c.ip4) one.address[0] = c.ip4;
            if (c.ip6) one.address[1] = c.ip6;
        }
        wish.members.push_back(std::move(one));
    }
    for (const auto& port : c.publish_ports)
        wish.ports.push_back({.address = port.address,
                              .host = port.host,
                              .container = port.container,
                              .count = port.count,
                              .protocol = ProtocolNumber(port.protocol)});
    return wish;
}

std::vector<network::HostLine> HostLinesOf(const config::Unit& unit) {
    std::vector<network::HostLine> lines;
    for (const auto& entry : unit.container.hosts) lines.push_back({entry.names, entry.address});
    return lines;
}

network::ResolverWish ResolverWishOf(const config::Unit& unit) {
    return {unit.container.dns, unit.container.dns_search, unit.container.dns_options};
}

std::vector<network::LinkWish> LinkWishesOf(const config::SystemConfig& system) {
    std::vector<network::LinkWish> wishes;
    for (const config::LinkDefinition& link : system.links) {
        if (link.match.empty()) continue;
        network::LinkWish wish{.match = link.match,
                               .name_servers = link.dns,
                               .search = link.dns_search,
                               .mtu = link.mtu,
                               .accept_ra = link.accept_ra,
                               .required = link.required};
        for (const auto& address : link.addresses) wish.addresses.push_back(address.value);
        for (const auto& route : link.routes)
            wish.routes.push_back(
                {.destination = route.value.destination, .gateway = route.value.gateway});
        for (const auto& gateway : link.gateways)
            wish.routes.push_back(
                {.destination = {{.v6 = gateway.value.v6}, 0}, .gateway = gateway.value});
        wishes.push_back(std::move(wish));
    }
    return wishes;
}

}  // namespace husk::supervisor
