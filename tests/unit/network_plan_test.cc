// Addresses, links and ports for all units: stable, without conflicts, and explained where there
// are none left.
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "network/plan.h"

namespace husk::network {
namespace {

IpAddress At(const char* text) { return *ParseAddress(text); }
IpPrefix Net(const char* text) { return *ParsePrefix(text); }

NetworkWish Network(const char* name, const char* subnet = nullptr) {
    NetworkWish wish{.name = name, .path = Cat(name, ".network")};
    if (subnet != nullptr) wish.subnet[Net(subnet).address.v6] = Net(subnet);
    return wish;
}
UnitWish Unit(const char* name, std::initializer_list<const char*> networks) {
    UnitWish wish{.unit = name, .host_name = name};
    for (const char* network : networks) wish.members.push_back({.network = network});
    return wish;
}
std::string AddressOf(const NetworkPlan& plan, std::string_view unit, size_t member = 0,
                      size_t address = 0) {
    const PlannedUnit* found = plan.FindUnit(unit);
    if (found == nullptr || !found->error.empty() || member >= found->members.size() ||
        address >= found->members[member].addresses.size())
        return found == nullptr ? "no unit" : found->error;
    return FormatPrefix(found->members[member].addresses[address]);
}

TEST(NetworkPlan, ANetworkHasASubnetAGatewayAndABridge) {
    const NetworkPlan plan =
        MakeNetworkPlan({.networks = {Network("lan", "10.1.0.0/24"), Network("own")}, .seed = "a"});
    ASSERT_EQ(plan.networks.size(), 2u);
    EXPECT_EQ(plan.networks[0].bridge, "hk-lan");
    EXPECT_EQ(plan.networks[0].addresses, std::vector{Net("10.1.0.1/24")});
    EXPECT_EQ(plan.networks[0].mtu, 1500u);
    EXPECT_EQ(plan.networks[1].addresses[0].length, 24u);
    EXPECT_TRUE(Contains(Net("10.89.0.0/16"), plan.networks[1].addresses[0].address));
    EXPECT_EQ(plan.networks[1].mac[0], 2);
    EXPECT_NE(plan.networks[0].mac, plan.networks[1].mac);
}

TEST(NetworkPlan, AMemberUponALinkHasNoPortAndNoBridge) {
    NetworkWish lan = Network("lan", "192.0.2.0/24");
    lan.kind = "macvlan";
    lan.parent = "eth1";
    PlanInput input{
        .networks = {lan,
                     {.name = "ipvlan:eth2", .kind = "ipvlan", .parent = "eth2"},
                     Network("own")},
        .units = {Unit("a", {"lan"}), Unit("b", {"ipvlan:eth2"}), Unit("c", {"lan", "own"})}};
    input.units[1].members[0].address[0] = At("198.51.100.7");
    input.units[1].members[0].length[0] = 25;
    input.units[1].members[0].gateway[0] = At("198.51.100.1");
    input.units[2].ports = {{.host = 80, .container = 80, .protocol = 6}};
    const NetworkPlan plan = MakeNetworkPlan(input);
    const PlannedNetwork& planned = *plan.FindNetwork("lan");
    EXPECT_TRUE(planned.bridge.empty() && planned.addresses.empty()) << "the device is not in it";
    const PlannedMember& a = plan.FindUnit("a")->members[0];
    EXPECT_TRUE(a.port.empty());
    EXPECT_TRUE(Contains(Net("192.0.2.0/24"), a.addresses[0].address));
    EXPECT_EQ(a.upper, (UpperLink{"macvlan", "eth1", 0, false, {At("192.0.2.1")}}));
    EXPECT_EQ(a.mac[0], 2);
    const PlannedMember& b = plan.FindUnit("b")->members[0];
    EXPECT_EQ(b.addresses, std::vector{Net("198.51.100.7/25")});
    EXPECT_EQ(b.upper, (UpperLink{"ipvlan", "eth2", 0, false, {At("198.51.100.1")}}));
    EXPECT_EQ(b.mac, MacAddress{}) << "its parent's";
    // Published is what lies behind the device.
    const PlannedUnit& c = *plan.FindUnit("c");
    ASSERT_EQ(c.ports.size(), 1u);
    EXPECT_EQ(c.ports[0].to, c.members[1].addresses[0].address);
    for (const PlannedUnit& unit : plan.units) EXPECT_EQ(ReadUnit(WriteUnit(unit)), unit);
    // Without an address it is the LAN's routers that give one.
    input.units[1].members[0].address[0].reset();
    EXPECT_TRUE(MakeNetworkPlan(input).FindUnit("b")->members[0].upper.hears_routers);
}

TEST(NetworkPlan, ChosenSubnetsOverlapNothing) {
    PlanInput input{.networks = {Network("wide", "10.89.0.0/17")},
                    .taken = {Net("10.89.128.0/18")}};
    for (int i = 0; i < 64; ++i)
        input.networks.push_back(Network(Cat("n", std::to_string(i)).c_str()));
    input.networks.push_back(Network("unlucky"));
    input.units = {Unit("web", {"unlucky"})};
    const NetworkPlan plan = MakeNetworkPlan(input);
    std::vector<IpPrefix> seen = {Net("10.89.0.0/17"), Net("10.89.128.0/18")};
    size_t without = 0;
    for (const auto& network : plan.networks) {
        if (network.name == "wide") continue;
        if (network.addresses.empty()) {
            ++without;
            continue;
        }
        for (const auto& other : seen) EXPECT_FALSE(Overlap(network.addresses[0], other));
        seen.push_back(network.addresses[0]);
    }
    EXPECT_EQ(without, 1u);  // 64 are left for 65
    EXPECT_EQ(AddressOf(plan, "web"),
              "network 'unlucky': no subnet is free for it; write Subnet= in unlucky.network");
}

TEST(NetworkPlan, TheSameFilesMakeTheSamePlanInWhateverOrder) {
    PlanInput input{.networks = {Network("a"), Network("b")},
                    .units = {Unit("web", {"a"}), Unit("db", {"a", "b"}), Unit("x", {"b"})},
                    .seed = "machine"};
    const NetworkPlan plan = MakeNetworkPlan(input);
    std::ranges::reverse(input.units);
    std::ranges::reverse(input.networks);
    const NetworkPlan again = MakeNetworkPlan(input);
    EXPECT_EQ(plan.networks, again.networks);
    EXPECT_EQ(plan.units, again.units);
    input.leases = ReadLeases(WriteLeases(plan.leases));
    const NetworkPlan next_boot = MakeNetworkPlan(input);
    EXPECT_EQ(plan.units, next_boot.units);
    EXPECT_EQ(WriteLeases(plan.leases), WriteLeases(next_boot.leases));
}

TEST(NetworkPlan, AUnitKeepsItsAddressWhateverComesAndGoes) {
    PlanInput input{.networks = {Network("lan", "10.1.0.0/27")}};
    for (int i = 0; i < 20; ++i)
        input.units.push_back(Unit(Cat("u", std::to_string(i)).c_str(), {"lan"}));
    const NetworkPlan first = MakeNetworkPlan(input);
    std::set<std::string> all;
    for (const auto& unit : first.units) all.insert(AddressOf(first, unit.unit));
    EXPECT_EQ(all.size(), 20u);
    EXPECT_FALSE(all.contains("10.1.0.0/27") || all.contains("10.1.0.1/27") ||
                 all.contains("10.1.0.31/27"));

    // Half of them go, others come: nobody that stays moves, and who returns finds its own.
    PlanInput later = input;
    later.leases = first.leases;
    std::erase_if(later.units, [](const UnitWish& unit) { return unit.unit.size() == 2; });
    for (const char* name : {"aaa", "zzz", "mmm"}) later.units.push_back(Unit(name, {"lan"}));
    const NetworkPlan second = MakeNetworkPlan(later);
    for (const auto& unit : second.units)
        if (unit.unit[0] == 'u') {
            EXPECT_EQ(AddressOf(second, unit.unit), AddressOf(first, unit.unit));
        }
    input.leases = second.leases;
    const NetworkPlan third = MakeNetworkPlan(input);
    for (const auto& unit : third.units)
        EXPECT_EQ(AddressOf(third, unit.unit), AddressOf(first, unit.unit)) << unit.unit;
}

TEST(NetworkPlan, AnAddressThatIsKeptForNobodyIsTakenWhereNoneIsLeft) {
    PlanInput input{.networks = {Network("lan", "10.1.0.0/29")}};
    for (const char* name : {"a", "b", "c", "d", "e"}) input.units.push_back(Unit(name, {"lan"}));
    const NetworkPlan full = MakeNetworkPlan(input);
    EXPECT_TRUE(AddressOf(full, "e").starts_with("10.1.0."));
    input.units.push_back(Unit("f", {"lan"}));
    input.leases = full.leases;
    EXPECT_EQ(AddressOf(MakeNetworkPlan(input), "f"),
              "network 'lan' has no free address from 10.1.0.0 to 10.1.0.7; widen Subnet= or "
              "IPRange= in lan.network");
    input.units.erase(input.units.begin());  // "a" is gone for good
    EXPECT_EQ(AddressOf(MakeNetworkPlan(input), "f"), AddressOf(full, "a"));
}

TEST(NetworkPlan, WhatIsWrittenDownIsNobodyElses) {
    PlanInput input{.networks = {Network("lan", "10.1.0.0/29")}};
    input.units = {Unit("web", {"lan"})};
    const NetworkPlan first = MakeNetworkPlan(input);
    UnitWish db = Unit("db", {"lan"});
    db.members[0].address[0] = first.FindUnit("web")->members[0].addresses[0].address;
    db.members[0].mac = MacAddress{2, 1, 1, 1, 1, 1};
    db.members[0].interface_name = "lan0";
    input.units.push_back(db);
    input.leases = first.leases;
    const NetworkPlan second = MakeNetworkPlan(input);
    EXPECT_EQ(AddressOf(second, "db"), AddressOf(first, "web"));
    EXPECT_NE(AddressOf(second, "web"), AddressOf(first, "web"));
    EXPECT_EQ(second.FindUnit("db")->members[0].mac, (MacAddress{2, 1, 1, 1, 1, 1}));
    EXPECT_EQ(second.FindUnit("db")->members[0].interface, "lan0");
    EXPECT_FALSE(WriteLeases(second.leases).find("address lan db") != std::string::npos);
}

TEST(NetworkPlan, RangesAndGatewaysHold) {
    NetworkWish lan = Network("lan", "10.1.0.0/24");
    lan.range[0] = {At("10.1.0.16"), At("10.1.0.17")};
    lan.gateway[0] = At("10.1.0.16");
    const NetworkPlan plan =
        MakeNetworkPlan({.networks = {lan}, .units = {Unit("a", {"lan"}), Unit("b", {"lan"})}});
    EXPECT_EQ(plan.networks[0].addresses[0], Net("10.1.0.16/24"));
    EXPECT_EQ(AddressOf(plan, "a"), "10.1.0.17/24");
    EXPECT_TRUE(AddressOf(plan, "b").starts_with("network 'lan' has no free address"));
}

TEST(NetworkPlan, IPv6IsUniqueToTheMachine) {
    NetworkWish lan = Network("lan");
    lan.v6 = true;
    const NetworkPlan one =
        MakeNetworkPlan({.networks = {lan}, .units = {Unit("a", {"lan"})}, .seed = "1"});
    const NetworkPlan two =
        MakeNetworkPlan({.networks = {lan}, .units = {Unit("a", {"lan"})}, .seed = "2"});
    ASSERT_EQ(one.networks[0].addresses.size(), 2u);
    EXPECT_EQ(one.networks[0].addresses[1].address.bytes[0], 0xfd);
    EXPECT_EQ(one.networks[0].addresses[1].length, 64u);
    EXPECT_NE(one.networks[0].addresses[1], two.networks[0].addresses[1]);
    EXPECT_EQ(one.networks[0].addresses[0], two.networks[0].addresses[0]);
    EXPECT_TRUE(
        Contains(one.networks[0].addresses[1], one.FindUnit("a")->members[0].addresses[1].address));
    EXPECT_NE(one.FindUnit("a")->members[0].mac, two.FindUnit("a")->members[0].mac);
}

TEST(NetworkPlan, ANetworkHasTheFamiliesThatPodmanGivesIt) {
    NetworkWish six = Network("six", "fd01::/64"), both = Network("both", "fd02::/64");
    both.v6 = true;
    const NetworkPlan plan = MakeNetworkPlan(
        {.networks = {six, both}, .units = {Unit("a", {"six"}), Unit("b", {"both"})}});
    EXPECT_EQ(plan.FindNetwork("six")->addresses, std::vector{Net("fd01::1/64")});
    EXPECT_EQ(plan.FindUnit("a")->members[0].addresses.size(), 1u);
    EXPECT_EQ(plan.FindNetwork("both")->addresses.size(), 2u);
    EXPECT_EQ(plan.FindUnit("b")->members[0].addresses.size(), 2u);
}

TEST(NetworkPlan, LinksHaveNamesThatThePeopleKnow) {
    EXPECT_EQ(LinkName("hv-", "web", {}), "hv-web");
    EXPECT_EQ(LinkName("hv-", "twelve-chars", {}), "hv-twelve-chars");
    const std::string cut = LinkName("hv-", "thirteen-char", {});
    EXPECT_EQ(cut.size(), 15u);
    EXPECT_TRUE(cut.starts_with("hv-thirte-"));
    EXPECT_NE(LinkName("hv-", "thirteen-chap", {}), cut);
    EXPECT_NE(LinkName("hv-", "thirteen-char", {cut}), cut);
    EXPECT_TRUE(LinkName("hv-", "a@b", {}).starts_with("hv-a.b-"));
    EXPECT_NE(LinkName("hv-", "web", {"hv-web"}), "hv-web");
}

TEST(NetworkPlan, AUnitInSeveralNetworksHasALinkInEach) {
    PlanInput input{.networks = {Network("lan"), Network("dmz")},
                    .units = {Unit("web", {"lan", "dmz"})}};
    input.units[0].members[1].interface_name = "eth0";
    const NetworkPlan plan = MakeNetworkPlan(input);
    const auto& members = plan.FindUnit("web")->members;
    ASSERT_EQ(members.size(), 2u);
    EXPECT_EQ(members[0].interface, "eth1");
    EXPECT_EQ(members[1].interface, "eth0");
    EXPECT_NE(members[0].port, members[1].port);
    EXPECT_NE(members[0].mac, members[1].mac);
}

TEST(NetworkPlan, PortsLeadToTheUnitOneByOne) {
    PlanInput input{.networks = {Network("inside", "10.1.0.0/24"), Network("lan", "10.2.0.0/24")},
                    .units = {Unit("web", {"inside", "lan"})}};
    input.networks[0].internal = true;
    input.units[0].ports = {
        {.host = 8000, .container = 80, .count = 2, .protocol = IPPROTO_TCP},
        {.address = At("127.0.0.1"), .host = 53, .container = 53, .protocol = IPPROTO_UDP}};
    const NetworkPlan plan = MakeNetworkPlan(input);
    const PlannedUnit& web = *plan.FindUnit("web");
    const IpAddress to = web.members[1].addresses[0].address;
    EXPECT_EQ(web.ports, (std::vector<FirewallPort>{{std::nullopt, IPPROTO_TCP, 8000, to, 80},
                                                    {std::nullopt, IPPROTO_TCP, 8001, to, 81},
                                                    {At("127.0.0.1"), IPPROTO_UDP, 53, to, 53}}));
    input.units[0].ports = {{.address = At("::1"), .host = 1, .container = 1, .protocol = 6}};
    EXPECT_EQ(MakeNetworkPlan(input).FindUnit("web")->error,
              "PublishPort= of an IPv6 address leads nowhere: network 'lan' has none; write "
              "IPv6=yes in lan.network");
    input.units[0].ports = {{.host = 1, .container = 1, .count = 30000, .protocol = 6}};
    EXPECT_EQ(MakeNetworkPlan(input).FindUnit("web")->error,
              "PublishPort= has more than 4096 ports; publish those that are used");
}

TEST(NetworkPlan, APortThatHuskChoosesStaysTheSame) {
    PlanInput input{.networks = {Network("lan")},
                    .units = {Unit("a", {"lan"}), Unit("b", {"lan"})}};
    for (auto& unit : input.units)
        unit.ports = {{.container = 80, .protocol = IPPROTO_TCP},
                      {.container = 80, .protocol = IPPROTO_UDP}};
    const NetworkPlan plan = MakeNetworkPlan(input);
    const uint16_t port = plan.FindUnit("b")->ports[0].port;
    EXPECT_GE(port, 49152);
    EXPECT_NE(port, plan.FindUnit("a")->ports[0].port);
    // Somebody writes down just that one: it is theirs, and the other moves.
    input.units[0].ports[0].host = port;
    input.leases = plan.leases;
    const NetworkPlan next = MakeNetworkPlan(input);
    EXPECT_EQ(next.FindUnit("a")->ports[0].port, port);
    EXPECT_NE(next.FindUnit("b")->ports[0].port, port);
    EXPECT_EQ(next.FindUnit("b")->ports[1].port, plan.FindUnit("b")->ports[1].port);
}

TEST(NetworkPlan, AConnectedUnitIsReadBackAsItWasWritten) {
    PlanInput input{.networks = {Network("lan"), Network("dmz")},
                    .units = {Unit("web", {"lan", "dmz"})}};
    input.networks[0].v6 = true;
    input.units[0].members[0].aliases = {"a", "b"};
    input.units[0].ports = {{.host = 80, .container = 8080, .count = 3, .protocol = IPPROTO_TCP},
                            {.address = At("::1"), .host = 1, .container = 2, .protocol = 17}};
    const PlannedUnit web = *MakeNetworkPlan(input).FindUnit("web");
    ASSERT_EQ(web.error, "");
    const std::string text = WriteUnit(web);
    EXPECT_EQ(ReadUnit(text), web);
    // Cut anywhere, it is damaged.
    for (size_t size = 0; size < text.size() - 1; ++size)
        EXPECT_FALSE(ReadUnit(text.substr(0, size))) << text.substr(0, size);
    for (const char* bad :
         {"", "end\n", "address 10.0.0.1/24\nend\n", "unit a b\nport x 1 2 3 4\nend\n",
          "unit a b\nmember l p e 02:00:00:00:00:0g\nend\n",
          "unit a b\nport any 6 80 10.0.0.1 99999\nend\n"})
        EXPECT_FALSE(ReadUnit(bad)) << bad;
}

TEST(NetworkPlan, DamagedLeasesAreLeftOut) {
    const Leases leases = ReadLeases(
        "network lan 10.89.3.0/24\n"
        "network lan 10.89.3.1/24\n"
        "address lan web 10.89.3.7\n"
        "address lan web\n"
        "address lan web x\n"
        "port web 80 1 6 50000\n"
        "port web 80 1 6 70000\n"
        "\n# a word\nnonsense 1 2 3\nport");
    EXPECT_EQ(leases.size(), 3u);
    PlanInput input{.networks = {Network("lan")}, .units = {Unit("web", {"lan"})}};
    input.leases = leases;
    EXPECT_EQ(AddressOf(MakeNetworkPlan(input), "web"), "10.89.3.7/24");
    // A lease of another subnet holds no more, and a stolen gateway never did.
    input.leases = ReadLeases("address lan web 10.1.0.7\n");
    EXPECT_TRUE(AddressOf(MakeNetworkPlan(input), "web").starts_with("10.89."));
    input.leases = ReadLeases("network lan 10.89.3.0/24\naddress lan web 10.89.3.1\n");
    EXPECT_NE(AddressOf(MakeNetworkPlan(input), "web"), "10.89.3.1/24");
}

TEST(NetworkPlan, AThousandUnitsAreNoLongWork) {
    PlanInput input{.networks = {Network("lan", "10.1.0.0/16")}};
    for (int i = 0; i < 1000; ++i) {
        input.units.push_back(Unit(Cat("unit", std::to_string(i)).c_str(), {"lan"}));
        input.units.back().ports = {{.container = 80, .protocol = IPPROTO_TCP}};
    }
    const NetworkPlan plan = MakeNetworkPlan(input);
    std::set<std::string> links, addresses;
    for (const auto& unit : plan.units) {
        EXPECT_EQ(unit.error, "");
        links.insert(unit.members[0].port);
        addresses.insert(AddressOf(plan, unit.unit));
    }
    EXPECT_EQ(links.size(), 1000u);
    EXPECT_EQ(addresses.size(), 1000u);
}

}  // namespace
}  // namespace husk::network
