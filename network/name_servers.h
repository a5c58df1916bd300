// The device's own name servers: those of system.conf, then those that clients of DHCP or of router
// advertisements have been told. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "network/device_links.h"

namespace husk::network {

// The C libraries ask three, and a search of more domains than these takes for ever.
inline constexpr size_t kMaxNameServers = 6, kMaxSearchDomains = 12;

// What a client writes, in the words of resolv.conf(5): "nameserver ADDRESS" and "search DOMAIN…".
// A link-local address may have its link behind it, as in "fe80::1%eth0". All else is left out:
// programs are to read what husk writes.
struct NameServers {
    std::vector<std::string> servers;
    std::vector<std::string> search;
};
NameServers ReadNameServers(std::string_view text);

// Empty where nobody says anything.
std::string DeviceResolverText(std::span<const LinkWish> wishes,
                               std::span<const NameServers> clients);

}  // namespace husk::network
