// /etc/hosts and /etc/resolv.conf of a unit in networks. Pure.
//
// Units find each other by their hosts files: addresses are decided for all units together
// (plan.h) and hold whoever runs, so the files change with the folder of units only. No resolver
// stands between, which could be down, asked from outside or fed; the C library's own order is
// kept.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "network/plan.h"

namespace husk::network {

struct HostLine {
    std::vector<std::string> names;
    std::optional<IpAddress> address;  // none: the device's on the unit's first network
};

// All units of these networks, by name and aliases, each with its address on the first of them that
// it is in. One text serves all units that are in the same ones.
std::string HostsText(const NetworkPlan& plan, const std::vector<std::string>& networks,
                      const std::vector<HostLine>& more);

struct ResolverWish {
    std::vector<IpAddress> servers;    // none: those of the networks, else the device's
    std::vector<std::string> search;   // none: the device's; "": no domain
    std::vector<std::string> options;  // the same
};
// `device` is the text of the device's own resolv.conf. A server there at the device's
// loopback, or at an address of one link alone, cannot be reached from a unit and is left out, but
// where the unit is on the device's own network.
std::string ResolverText(const ResolverWish& wish, const std::vector<IpAddress>& of_networks,
                         std::string_view device, bool on_device = false);

}  // namespace husk::network
