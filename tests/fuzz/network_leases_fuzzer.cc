// Leases and notes of connected units are husk's own files, in folders that a damaged disk or an
// older husk may have written. What is read is written back the same, and no lease breaks a plan.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include <set>
#include <string_view>

#include "network/plan.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace husk::network;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto unit = ReadUnit(text); unit && ReadUnit(WriteUnit(*unit)) != unit) std::abort();

    const Leases leases = ReadLeases(text);
    if (WriteLeases(ReadLeases(WriteLeases(leases))) != WriteLeases(leases)) std::abort();
    PlanInput input{.leases = leases};
    NetworkWish lan{.name = "lan"}, small{.name = "small", .v6 = true};
    small.subnet[0] = *husk::ParsePrefix("10.1.0.0/28");
    input.networks = {lan, small};
    for (const char* unit : {"a", "b", "c"})
        input.units.push_back({.unit = unit,
                               .host_name = unit,
                               .members = {{.network = "lan"}, {.network = "small"}},
                               .ports = {{.container = 80, .protocol = 6}}});
    const NetworkPlan plan = MakeNetworkPlan(input);
    std::set<husk::IpAddress> seen;
    for (const PlannedNetwork& network : plan.networks)
        for (const auto& address : network.addresses) seen.insert(address.address);
    for (const PlannedUnit& unit : plan.units) {
        if (!unit.error.empty()) std::abort();
        for (const PlannedMember& member : unit.members)
            for (const auto& address : member.addresses)
                if (!seen.insert(address.address).second) std::abort();
    }
    return 0;
}
