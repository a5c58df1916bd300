#include "network/device_links.h"

#include <fnmatch.h>

#include <algorithm>

#include "network/firewall.h"

namespace husk::network {

bool IsPattern(std::string_view match) { return match.find_first_of("*?[") != match.npos; }

bool IsOfDevice(const Link& link) {
    const bool port = link.kind == "veth" && link.name.starts_with(kPortPrefix);
    const bool bridge = link.kind == "bridge" && link.name.starts_with(kBridgePrefix);
    return !port && !bridge && link.name != "lo";
}

const char* OriginOf(const LinkAddress& address, const LinkWish* wish) {
    if (wish != nullptr &&
        std::ranges::find(wish->addresses, address.prefix) != wish->addresses.end())
        return "system.conf";
    if (!address.permanent) return "lease";
    const auto& bytes = address.prefix.address.bytes;
    const bool link_local =
        address.prefix.address.v6 && bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
    return link_local ? "kernel" : "other";
}

bool IsPhysical(const Link& link) { return link.kind.empty() && link.name != "lo"; }

const LinkWish* WishFor(std::span<const LinkWish> wishes, const Link& link) {
    const auto named = std::ranges::find(wishes, link.name, &LinkWish::match);
    if (named != wishes.end()) return &*named;
    if (!IsPhysical(link)) return nullptr;
    for (const LinkWish& wish : wishes)
        if (IsPattern(wish.match) && ::fnmatch(wish.match.c_str(), link.name.c_str(), 0) == 0)
            return &wish;
    return nullptr;
}

std::vector<LinkSetup> PlanLinks(std::span<const LinkWish> wishes, std::span<const Link> links,
                                 std::span<const LinkAddress> addresses,
                                 std::span<const Route> routes, std::span<const uint32_t> known) {
    std::vector<LinkSetup> plan;
    for (const Link& link : links) {
        LinkSetup setup{.link = link, .wish = WishFor(wishes, link)};
        if (setup.wish == nullptr && !IsPhysical(link)) continue;
        setup.is_new = std::ranges::find(known, link.index) == known.end();
        setup.bring_up = setup.is_new && !link.up;
        if (setup.is_new && setup.wish != nullptr) setup.accept_ra = setup.wish->accept_ra;
        if (setup.wish != nullptr && (link.up || setup.is_new)) {
            if (setup.wish->mtu != link.mtu) setup.mtu = setup.wish->mtu;
            for (const IpPrefix& address : setup.wish->addresses)
                if (std::ranges::none_of(addresses, [&](const LinkAddress& one) {
                        return one.index == link.index && one.prefix == address;
                    }))
                    setup.addresses.push_back(address);
            for (Route route : setup.wish->routes) {
                route.index = link.index;
                if (std::ranges::find(routes, route) == routes.end()) setup.routes.push_back(route);
            }
            // What is on the link itself may be the way to a gateway.
            std::ranges::stable_partition(setup.routes,
                                          [](const Route& one) { return !one.gateway; });
        }
        if (setup.is_new || setup.mtu != 0 || !setup.addresses.empty() || !setup.routes.empty())
            plan.push_back(std::move(setup));
    }
    return plan;
}

}  // namespace husk::network
