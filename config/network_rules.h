// What NAME.network files and the network keys of units have to agree on. Pure.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "config/load.h"

namespace husk::config {

// Of one unit: keys of networks that go together with its Network=.
void CheckNetworkKeys(const Unit& unit, Problems& problems);

// Across files: gateways and ranges that lie in their subnets, subnets that do not overlap, units
// whose networks are there, whose addresses are free and whose ports nobody else has. A network
// with an error is refused, and every unit in it; problems of networks are added to those of the
// folder, those of units to theirs. `absent` says why a network that is not among the loaded ones
// cannot be had; empty text: it is elsewhere.
void CheckNetworks(LoadedFolder& folder,
                   const std::function<std::string(std::string_view network)>& absent);

}  // namespace husk::config
