// What files want of networks, in the words of network/. Pure.
#pragma once

#include "config/unit.h"
#include "network/device_links.h"
#include "network/names.h"
#include "network/plan.h"

namespace husk::supervisor {

network::NetworkWish WishOf(const config::NetworkDefinition& network);
// Networks that the unit itself says, as macvlan:LINK.
std::vector<network::NetworkWish> WishesWithoutFiles(const config::Unit& unit);
// Nothing for a unit that is in no NAME.network.
std::optional<network::UnitWish> WishOf(const config::Unit& unit);
std::vector<network::HostLine> HostLinesOf(const config::Unit& unit);
network::ResolverWish ResolverWishOf(const config::Unit& unit);
// The links of system.conf; those that have an error in their name are left out.
std::vector<network::LinkWish> LinkWishesOf(const config::SystemConfig& system);

}  // namespace husk::supervisor
