// Against the kernel: each test runs in a child with a user and a network namespace of its own, so
// that no root is needed and nothing of the machine is touched.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.h"
#include "base/text.h"
#include "config/network_values.h"
#include "network/links.h"
#include "tests/lib/own_network.h"

namespace husk::network {
namespace {

IpPrefix Net(const char* text) { return *config::ParseIpPrefix(text); }
IpAddress At(const char* text) { return *config::ParseIpAddress(text); }

#define ASSERT_GOOD(expression)                   \
    do {                                          \
        const auto& good = (expression);          \
        ASSERT_TRUE(good) << good.error().text(); \
    } while (false)

constexpr MacAddress kMac = {0x02, 0x68, 0, 0, 0, 1}, kPeerMac = {0x02, 0x68, 0, 0, 0, 2};

// A bridge 'lan', and the pair 'port' and 'eth0' with eth0 in another namespace.
void MakeNetwork(NetlinkSocket& socket, OwnedFd& other) {
    ASSERT_GOOD(
        MakeBridge(socket, {.name = "lan", .alias = "husk network lan", .mac = kMac, .mtu = 1400}));
    auto bridge = FindLink(socket, "lan");
    ASSERT_TRUE(bridge && *bridge);
    auto made = MakeNetworkNamespace();
    ASSERT_GOOD(made);
    other = std::move(*made);
    ASSERT_GOOD(MakeVethPair(socket, {.name = "port", .mtu = 1400, .master = (*bridge)->index},
                             {.name = "eth0", .mac = kPeerMac, .mtu = 1400}, other.get()));
}

TEST(NetworkLinks, ABridgeIsMadeFoundAndRemoved) {
    InOwnNetwork([] {
        auto socket = NetlinkSocket::Open(NETLINK_ROUTE);
        ASSERT_GOOD(socket);
        ASSERT_GOOD(MakeBridge(
            *socket, {.name = "lan", .alias = "husk network lan", .mac = kMac, .mtu = 1400}));
        auto found = FindLink(*socket, "lan");
        ASSERT_TRUE(found && *found);
        EXPECT_EQ((*found)->kind, "bridge");
        EXPECT_EQ((*found)->alias, "husk network lan");
        EXPECT_EQ((*found)->mac, kMac);
        EXPECT_EQ((*found)->mtu, 1400u);
        EXPECT_FALSE((*found)->up);
        ASSERT_GOOD(ChangeLink(*socket, **found, {.up = true}));
        EXPECT_TRUE((*FindLink(*socket, "lan"))->up);
        ASSERT_GOOD(RemoveLink(*socket, "lan"));
        EXPECT_FALSE(FindLink(*socket, "lan")->has_value());
        ASSERT_GOOD(RemoveLink(*socket, "lan"));  // gone is as good
    });
}

TEST(NetworkLinks, TheLoopbackIsTakenOnEachOfSeveralLinks) {
    InOwnNetwork([] {
        auto socket = NetlinkSocket::Open(NETLINK_ROUTE);
        ASSERT_GOOD(socket);
        for (const char* name : {"lan", "dmz", "lan"}) {
            (void)MakeBridge(*socket, {.name = name});
            auto found = FindLink(*socket, name);
            ASSERT_TRUE(found && *found);
            ASSERT_GOOD(ChangeLink(*socket, **found, {.up = true}));
            ASSERT_GOOD(TakeLoopback6(*socket, **found));
        }
        const std::string routes = *ReadFile("/proc/net/ipv6_route", 65536);
        for (const char* name : {"lan", "dmz"}) {
            size_t count = 0;
            for (auto line : Split(routes, '\n'))
                count += line.starts_with("00000000000000000000000000000001 80") &&
                         Trim(line).ends_with(name);
            EXPECT_EQ(count, 1u) << routes;
        }
    });
}

TEST(NetworkLinks, AnErrorNamesTheLinkAndSaysWhy) {
    InOwnNetwork([] {
        auto socket = NetlinkSocket::Open(NETLINK_ROUTE);
        ASSERT_GOOD(socket);
        ASSERT_GOOD(MakeBridge(*socket, {.name = "lan"}));
        Status again = MakeBridge(*socket, {.name = "lan"});
        ASSERT_FALSE(again);
        EXPECT_EQ(again.error().code(), EEXIST);
        EXPECT_EQ(again.error().text(), "make bridge 'lan': File exists");
        Status small = MakeBridge(*socket, {.name = "small", .mtu = 70000});
        ASSERT_FALSE(small);  // in the kernel's own words
        EXPECT_EQ(small.error().text(),
                  "make bridge 'small' (mtu greater than device maximum): Invalid argument");
        Status route =
            AddRoute(*socket, {.destination = Net("0.0.0.0/0"), .gateway = At("10.1.2.3")});
        ASSERT_FALSE(route);
        EXPECT_TRUE(route.error().text().starts_with("add route '0.0.0.0/0' by '10.1.2.3' ("))
            << route.error().text();
    });
}

TEST(NetworkLinks, AContainersEndIsBornInItsNamespaceWithAddressAndRoute) {
    InOwnNetwork([] {
        auto socket = NetlinkSocket::Open(NETLINK_ROUTE);
        ASSERT_GOOD(socket);
        OwnedFd other;
        MakeNetwork(*socket, other);
        EXPECT_FALSE(FindLink(*socket, "eth0")->has_value());
        EXPECT_EQ((*FindLink(*socket, "port"))->master, (*FindLink(*socket, "lan"))->index);

        auto inside = NetlinkSocket::OpenIn(other.get(), NETLINK_ROUTE);
        ASSERT_GOOD(inside);
        auto eth0 = FindLink(*inside, "eth0");
        ASSERT_TRUE(eth0 && *eth0);
        EXPECT_EQ((*eth0)->kind, "veth");
        EXPECT_EQ((*eth0)->mac, kPeerMac);
        EXPECT_EQ((*eth0)->mtu, 1400u);
        ASSERT_GOOD(AddAddress(*inside, **eth0, Net("10.9.0.2/24")));
        ASSERT_GOOD(AddAddress(*inside, **eth0, Net("fd09::2/64")));
        ASSERT_GOOD(AddAddress(*inside, **eth0, Net("10.9.0.2/24")));  // there already
        ASSERT_GOOD(ChangeLink(*inside, **eth0, {.up = true}));
        ASSERT_GOOD(AddRoute(
            *inside,
            {.destination = Net("0.0.0.0/0"), .gateway = At("10.9.0.1"), .index = (*eth0)->index}));
        auto addresses = ListAddresses(*inside);
        ASSERT_GOOD(addresses);
        for (const char* wanted : {"10.9.0.2/24", "fd09::2/64"})
            EXPECT_EQ(std::ranges::count(*addresses, Net(wanted), &LinkAddress::prefix), 1)
                << wanted;
        auto routes = ListRoutes(*inside);
        ASSERT_GOOD(routes);
        EXPECT_TRUE(std::ranges::any_of(*routes, [](const Route& route) {
            return route.destination.length == 0 && route.gateway == At("10.9.0.1");
        }));
        ASSERT_GOOD(RemoveAddress(*inside, **eth0, Net("10.9.0.2/24")));
        addresses = ListAddresses(*inside);
        EXPECT_EQ(std::ranges::count(*addresses, Net("10.9.0.2/24"), &LinkAddress::prefix), 0);
    });
}

TEST(NetworkLinks, AMacvlanIsBornInItsNamespaceUponAnotherLink) {
    InOwnNetwork([] {
        auto socket = NetlinkSocket::Open(NETLINK_ROUTE);
        ASSERT_GOOD(socket);
        OwnedFd other;
        MakeNetwork(*socket, other);
        auto port = FindLink(*socket, "port");
        ASSERT_GOOD(ChangeLink(*socket, **port, {.master = 0u}));
        EXPECT_EQ((*FindLink(*socket, "port"))->master, 0u);
        ASSERT_GOOD(
            MakeUpperLink(*socket, "macvlan", (*port)->index, {.name = "port"}, other.get()));
        auto inside = NetlinkSocket::OpenIn(other.get(), NETLINK_ROUTE);
        ASSERT_GOOD(inside);
        EXPECT_EQ((*FindLink(*inside, "port"))->kind, "macvlan");
    });
}

TEST(NetworkLinks, CountersTellWhatWentThrough) {
    InOwnNetwork([] {
        auto socket = NetlinkSocket::Open(NETLINK_ROUTE);
        ASSERT_GOOD(socket);
        auto lo = FindLink(*socket, "lo");
        ASSERT_TRUE(lo && *lo);
        ASSERT_GOOD(ChangeLink(*socket, **lo, {.up = true}));
        const OwnedFd sender(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        sockaddr_in to{.sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {}, .sin_zero = {}};
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        ASSERT_EQ(::sendto(sender.get(), "husk", 4, 0, reinterpret_cast<sockaddr*>(&to), sizeof to),
                  4);
        auto links = ListLinks(*socket);
        ASSERT_GOOD(links);
        const auto found = std::ranges::find(*links, "lo", &Link::name);
        ASSERT_NE(found, links->end());
        EXPECT_GE(found->sent_packets, 1u);
        EXPECT_GE(found->received_bytes, 32u);
    });
}

}  // namespace
}  // namespace husk::network
