#include <gtest/gtest.h>

#include "network/names.h"

namespace husk::network {
namespace {

IpAddress At(const char* text) { return *ParseAddress(text); }

NetworkPlan Example() {
    PlanInput input;
    for (const char* name : {"lan", "dmz", "far"}) {
        NetworkWish wish{.name = name};
        wish.subnet[0] = *ParsePrefix(name[0] == 'l'   ? "10.1.0.0/24"
                                      : name[0] == 'd' ? "10.2.0.0/24"
                                                       : "10.3.0.0/24");
        input.networks.push_back(std::move(wish));
    }
    auto member = [](const char* network, const char* address) {
        MemberWish wish{.network = network};
        wish.address[0] = At(address);
        return wish;
    };
    input.units = {{"web", "shop", {member("lan", "10.1.0.2"), member("dmz", "10.2.0.2")}, {}},
                   {"db", "db", {member("dmz", "10.2.0.3"), member("lan", "10.1.0.3")}, {}},
                   {"mail", "mail", {member("far", "10.3.0.9")}, {}}};
    input.units[1].members[1].aliases = {"postgres"};
    return MakeNetworkPlan(input);
}

TEST(NetworkNames, UnitsOfOneNetworkFindEachOtherAndNobodyElse) {
    const NetworkPlan plan = Example();
    EXPECT_EQ(HostsText(plan, {"lan", "dmz"}, {}),
              "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n"
              "10.1.0.3\tdb postgres\n10.1.0.2\tweb shop\n");
    EXPECT_EQ(HostsText(plan, {"dmz"}, {}),
              "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n"
              "10.2.0.3\tdb\n10.2.0.2\tweb shop\n");
    EXPECT_EQ(HostsText(plan, {"far"},
                        {{{"printer", "lp"}, At("192.0.2.7")}, {{"device"}, std::nullopt}}),
              "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n"
              "192.0.2.7\tprinter lp\n10.3.0.1\tdevice\n10.3.0.9\tmail\n");
}

TEST(NetworkNames, ServersAreTheUnitsTheNetworksOrTheDevices) {
    constexpr char kDevice[] =
        "nameserver 127.0.0.53\nnameserver fe80::1%eth0\nnameserver 192.0.2.1\n"
        "search example.org\noptions edns0\n# a word\n";
    EXPECT_EQ(ResolverText({}, {}, kDevice),
              "nameserver 192.0.2.1\nsearch example.org\noptions edns0\n");
    EXPECT_EQ(ResolverText({}, {}, kDevice, true),
              "nameserver 127.0.0.53\nnameserver fe80::1%eth0\nnameserver 192.0.2.1\n"
              "search example.org\noptions edns0\n");
    EXPECT_EQ(ResolverText({}, {At("10.1.0.1")}, kDevice),
              "nameserver 10.1.0.1\nsearch example.org\noptions edns0\n");
    EXPECT_EQ(ResolverText({.servers = {At("fd00::1")}, .search = {""}, .options = {"ndots:1"}},
                           {At("10.1.0.1")}, kDevice),
              "nameserver fd00::1\noptions ndots:1\n");
    EXPECT_EQ(ResolverText({.search = {"a", "b"}}, {}, ""), "search a b\n");
}

}  // namespace
}  // namespace husk::network
