#include <gtest/gtest.h>

#include "network/device_links.h"

namespace husk::network {
namespace {

IpPrefix Net(const char* text) { return *ParsePrefix(text); }
Link Of(uint32_t index, const char* name, bool up, const char* kind = "") {
    return {.index = index, .name = name, .kind = kind, .mtu = 1500, .up = up, .running = up};
}

std::vector<LinkWish> Static() {
    LinkWish wish{.match = "eth0", .addresses = {Net("10.1.0.2/24")}, .mtu = 1400};
    wish.routes = {{Net("0.0.0.0/0"), ParseAddress("10.9.9.1")}, {Net("10.9.9.1/32"), {}}};
    return {wish};
}

TEST(DeviceLinks, ANewLinkGetsAllOfItAndRoutesToGatewaysComeFirst) {
    const auto wishes = Static();
    const auto plan = PlanLinks(wishes, std::vector{Of(2, "eth0", false)}, {}, {}, {});
    ASSERT_EQ(plan.size(), 1u);
    EXPECT_TRUE(plan[0].bring_up);
    EXPECT_EQ(plan[0].mtu, 1400u);
    EXPECT_EQ(plan[0].addresses, std::vector{Net("10.1.0.2/24")});
    ASSERT_EQ(plan[0].routes.size(), 2u);
    EXPECT_FALSE(plan[0].routes[0].gateway);
    EXPECT_EQ(plan[0].routes[0].index, 2u);
    EXPECT_EQ(plan[0].routes[1].gateway, ParseAddress("10.9.9.1"));
}

TEST(DeviceLinks, OnlyWhatIsMissingIsPutBack) {
    const auto wishes = Static();
    std::vector<Link> links = {Of(2, "eth0", true)};
    links[0].mtu = 1400;
    const std::vector<LinkAddress> there = {{2, Net("10.1.0.2/24")}, {2, Net("10.1.0.99/24")}};
    std::vector<Route> routes = {{Net("10.9.9.1/32"), {}, 2}};
    const std::vector<uint32_t> known = {2};
    auto plan = PlanLinks(wishes, links, there, routes, known);
    ASSERT_EQ(plan.size(), 1u);
    EXPECT_TRUE(plan[0].addresses.empty());
    EXPECT_EQ(plan[0].mtu, 0u);
    ASSERT_EQ(plan[0].routes.size(), 1u);
    routes.push_back(plan[0].routes[0]);
    EXPECT_TRUE(PlanLinks(wishes, links, there, routes, known).empty());
    // The same address on another link is not there.
    plan =
        PlanLinks(wishes, links, std::vector<LinkAddress>{{3, Net("10.1.0.2/24")}}, routes, known);
    ASSERT_EQ(plan.size(), 1u);
    EXPECT_EQ(plan[0].addresses, std::vector{Net("10.1.0.2/24")});
}

TEST(DeviceLinks, WhoTakesALinkDownMeansIt) {
    const auto wishes = Static();
    const std::vector<Link> links = {Of(2, "eth0", false), Of(3, "eth1", false)};
    EXPECT_TRUE(PlanLinks(wishes, links, {}, {}, std::vector<uint32_t>{2, 3}).empty());
    // It was away and has come back: another index.
    EXPECT_EQ(PlanLinks(wishes, links, {}, {}, std::vector<uint32_t>{7, 3}).size(), 1u);
}

TEST(DeviceLinks, AllPhysicalLinksComeUpAndNobodyElses) {
    const auto plan =
        PlanLinks({},
                  std::vector{Of(1, "lo", false), Of(2, "eth0", false), Of(3, "eth1", true),
                              Of(4, "br0", false, "bridge"), Of(5, "hv-web", false, "veth")},
                  {}, {}, {});
    ASSERT_EQ(plan.size(), 2u);
    EXPECT_EQ(plan[0].link.name, "eth0");
    EXPECT_TRUE(plan[0].bring_up && plan[0].is_new && plan[0].wish == nullptr);
    EXPECT_EQ(plan[1].link.name, "eth1");
    EXPECT_FALSE(plan[1].bring_up);
}

TEST(DeviceLinks, ThoseOfUnitsAreNotTheDevices) {
    EXPECT_TRUE(IsOfDevice(Of(2, "eth0", true)) && IsOfDevice(Of(3, "br0", true, "bridge")));
    EXPECT_TRUE(IsOfDevice(Of(4, "hv-x", true)));  // a device of that name
    EXPECT_FALSE(IsOfDevice(Of(1, "lo", true)) || IsOfDevice(Of(5, "hv-web", true, "veth")) ||
                 IsOfDevice(Of(6, "hk-lan", true, "bridge")));
}

TEST(DeviceLinks, AnAddressSaysWhoGaveIt) {
    const auto wishes = Static();
    auto origin = [&](const char* address, bool permanent, const LinkWish* wish) {
        return std::string(
            OriginOf({.index = 2, .prefix = Net(address), .permanent = permanent}, wish));
    };
    EXPECT_EQ(origin("10.1.0.2/24", true, &wishes[0]), "system.conf");
    EXPECT_EQ(origin("10.1.0.2/24", true, nullptr), "other");
    EXPECT_EQ(origin("10.1.0.3/24", true, &wishes[0]), "other");
    EXPECT_EQ(origin("10.1.0.3/24", false, &wishes[0]), "lease");
    EXPECT_EQ(origin("2001:db8::1/64", false, nullptr), "lease");
    EXPECT_EQ(origin("fe80::1/64", true, nullptr), "kernel");
}

}  // namespace
}  // namespace husk::network
