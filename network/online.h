// Whether the device is online. Pure.
//
// As systemd-networkd-wait-online has it: every link that is required (RequiredForOnline=) is set
// up, and one link is at all. Set up means: a carrier, the addresses that the file gives, and where
// it gives none, any that reaches further than the link itself.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "network/device_links.h"

namespace husk::network {

// What is missing, for a person: "link 'eth0' has no carrier". Nothing: the device is online.
std::vector<std::string> MissingForOnline(std::span<const LinkWish> wishes,
                                          std::span<const Link> links,
                                          std::span<const LinkAddress> addresses);

}  // namespace husk::network
