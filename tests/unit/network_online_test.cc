#include <gtest/gtest.h>

#include "network/online.h"

namespace husk::network {
namespace {

using Texts = std::vector<std::string>;

Link Up(uint32_t index, const char* name, const char* kind = "") {
    return {.index = index, .name = name, .kind = kind, .up = true, .running = true};
}
LinkAddress On(uint32_t index, const char* prefix) { return {index, *ParsePrefix(prefix)}; }

TEST(Online, ADeviceWithoutAFileNeedsOneLinkWithAnAddress) {
    std::vector<Link> links = {Up(1, "lo"), Up(2, "eth0"), Up(3, "eth1"),
                               Up(4, "hk-lan", "bridge")};
    links[2].running = false;
    std::vector<LinkAddress> addresses = {On(1, "127.0.0.1/8"), On(4, "10.89.0.1/24")};
    EXPECT_EQ(MissingForOnline({}, links, addresses),
              (Texts{"link 'eth0' has no address yet", "link 'eth1' has no carrier"}));
    addresses.push_back(On(2, "192.0.2.7/24"));
    EXPECT_EQ(MissingForOnline({}, links, addresses), Texts{});
    EXPECT_EQ(MissingForOnline({}, {}, {}), Texts{"the device has no link"});
}

TEST(Online, WhatReachesTheLinkAloneIsNoAddress) {
    const std::vector<Link> links = {Up(2, "eth0")};
    for (const char* address : {"169.254.3.4/16", "fe80::1/64", "127.0.0.2/8", "::1/128"})
        EXPECT_EQ(MissingForOnline({}, links, std::vector{On(2, address)}),
                  Texts{"link 'eth0' has no address yet"})
            << address;
    EXPECT_EQ(MissingForOnline({}, links, std::vector{On(2, "2001:db8::7/64")}), Texts{});
}

TEST(Online, EveryRequiredLinkCounts) {
    std::vector<LinkWish> wishes(2);
    wishes[0].match = "eth0";
    wishes[0].addresses = {*ParsePrefix("10.1.0.2/24"), *ParsePrefix("fd00::2/64")};
    wishes[1].match = "wan*";
    std::vector<Link> links = {Up(2, "eth0")};
    std::vector<LinkAddress> addresses = {On(2, "10.1.0.2/24"), On(2, "10.1.0.77/24")};
    EXPECT_EQ(
        MissingForOnline(wishes, links, addresses),
        (Texts{"there is no link 'wan*'", "link 'eth0' does not have address 'fd00::2/64' yet"}));
    addresses.push_back(On(2, "fd00::2/64"));
    addresses.back().tentative = true;
    links.push_back({.index = 3, .name = "wan0"});
    EXPECT_EQ(
        MissingForOnline(wishes, links, addresses),
        (Texts{"link 'eth0' does not have address 'fd00::2/64' yet", "link 'wan0' is not up"}));
    addresses.back().tentative = false;
    wishes[1].required = false;
    EXPECT_EQ(MissingForOnline(wishes, links, addresses), Texts{});
}

TEST(Online, ANameInFullMeansAnyLinkAndGoesBeforeAPattern) {
    std::vector<LinkWish> wishes(2);
    wishes[0].match = "e*";
    wishes[0].required = false;
    wishes[1].match = "eth0";
    const std::vector<Link> links = {Up(2, "eth0", "veth"), Up(3, "eth1", "veth"), Up(4, "eth2")};
    EXPECT_EQ(WishFor(wishes, links[0]), &wishes[1]);
    EXPECT_EQ(WishFor(wishes, links[1]), nullptr);
    EXPECT_EQ(WishFor(wishes, links[2]), &wishes[0]);
    EXPECT_EQ(MissingForOnline(wishes, {}, {}), Texts{"link 'eth0' is not there"});
    wishes.pop_back();
    EXPECT_EQ(MissingForOnline(wishes, links, {}), Texts{"link 'eth2' has no address yet"});
}

}  // namespace
}  // namespace husk::network
