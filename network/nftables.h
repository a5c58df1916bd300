// Tables of nftables into the kernel, each time in one transaction: all of it holds at once, or
// nothing of it does. Packets and connections that are on their way notice nothing.
#pragma once

#include <span>
#include <string_view>

#include "network/netlink.h"
#include "network/ruleset.h"

namespace husk::network {

// The messages that put these tables in the place of those of the same family and name; other
// tables are not touched.
Messages ReplaceTables(std::span<const Table> tables);
// The messages that make a table that is not there and remove it again: whether the kernel knows
// all that is in it.
Messages TryTable(const Table& table);
// The messages that remove them, whether or not they are there.
Messages RemoveTables(std::span<const Table> tables);

// The messages that add what these tables' sets have to the kernel's sets of the same names, or
// remove it from there. What is added may be there; what is removed has to be. Links of flowtables
// are only added.
Messages ChangeElements(std::span<const Table> tables, bool add);

// The links that the kernel's flowtable of this table's name has now.
Result<std::vector<std::string>> ListFlowLinks(NetlinkSocket& socket, const Table& table);

// By a socket of NETLINK_NETFILTER.
inline Status Commit(NetlinkSocket& socket, Messages messages) {
    return socket.Send(std::move(messages));
}

}  // namespace husk::network
