// The device's own links, as opposed to those that husk makes for units: which of them a file means
// and what they are to have. Pure.
#pragma once

#include <cstdint>

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "network/links.h"

namespace husk::network {

// What a file says of a link, or of all links of a pattern.
struct LinkWish {
    std::string match;  // a name, or a pattern of physical links, as in "en*"
    std::vector<IpPrefix> addresses;
    std::vector<Route> routes;  // the default ones too; `index` is not looked at
    std::vector<IpAddress> name_servers;
    std::vector<std::string> search;
    uint32_t mtu = 0;               // 0: as it is
    std::optional<bool> accept_ra;  // nothing: as it is
    bool required = true;           // for the device to be online
};

bool IsPattern(std::string_view match);
// A device of its own: no loopback, and nothing that somebody has made.
bool IsPhysical(const Link& link);
// Neither the loopback nor what husk has made for its units.
bool IsOfDevice(const Link& link);
// Who has given a link its address: "system.conf", "lease" (of a DHCP server or a router: it
// ends by itself), "kernel" (link-local), or "other", a program or a person.
const char* OriginOf(const LinkAddress& address, const LinkWish* wish);
// Its own name goes before patterns, of which the first counts. A name in full means any link, a
// pattern physical ones only.
const LinkWish* WishFor(std::span<const LinkWish> wishes, const Link& link);

// What a link lacks of what it is to have.
struct LinkSetup {
    Link link;
    const LinkWish* wish = nullptr;  // none: it only comes up
    bool is_new = false;
    bool bring_up = false;
    std::optional<bool> accept_ra;
    uint32_t mtu = 0;  // 0: as it is
    std::vector<IpPrefix> addresses;
    std::vector<Route> routes;  // in an order that the kernel takes
};
// Of each link that is new or lacks something. A link is brought up when it is seen for the first
// time, which `known` (indexes) tells: whoever takes it down later means it. One that stays down
// lacks nothing.
std::vector<LinkSetup> PlanLinks(std::span<const LinkWish> wishes, std::span<const Link> links,
                                 std::span<const LinkAddress> addresses,
                                 std::span<const Route> routes, std::span<const uint32_t> known);

}  // namespace husk::network
