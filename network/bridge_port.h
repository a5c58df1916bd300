// What makes a link a port of a bridge of husk's, beside being one.
#pragma once

#include "network/links.h"

namespace husk::network {

// Of bridge(8): the port's one member has this MAC, for good ("bridge fdb … static"). The bridge
// learns no other there and never asks at all ports where somebody is, so that nobody sees frames
// of others: neither the first ones, nor those of a member whose packets go by a flowtable, past
// the bridge, until it has forgotten him.
// Frames to the groups of 802.1D (01:80:c2:00:00:0X) come into the bridge as all others do. By
// default they pass its rules by and are the port's own, as if the device had received them there.
Status SetUpPort(NetlinkSocket& socket, const Link& port, const MacAddress& member);

}  // namespace husk::network
