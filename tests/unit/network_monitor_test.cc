// Against the kernel, in a network namespace of the test's own.
#include <gtest/gtest.h>
#include <linux/rtnetlink.h>

#include "config/network_values.h"
#include "network/links.h"
#include "network/monitor.h"
#include "tests/lib/own_network.h"

namespace husk::network {
namespace {

IpPrefix Net(const char* text) { return *config::ParseIpPrefix(text); }

struct Watched {
    Watched() {
        auto opened = NetlinkSocket::Open(NETLINK_ROUTE);
        EXPECT_TRUE(opened);
        socket.emplace(std::move(*opened));
        EXPECT_TRUE(monitor.Begin());
    }
    // How often a change was told of within so long.
    int ToldWithin(int milliseconds) {
        told = 0;
        const Instant end = MonotonicNow() + std::chrono::milliseconds(milliseconds);
        while (MonotonicNow() < end) EXPECT_TRUE(loop.RunOnce(end - MonotonicNow()));
        return told;
    }
    // Whether one is told of at all, soon.
    bool IsTold() {
        told = 0;
        const Instant end = MonotonicNow() + std::chrono::seconds(5);
        while (told == 0 && MonotonicNow() < end) EXPECT_TRUE(loop.RunOnce(end - MonotonicNow()));
        const bool was = told > 0;
        (void)ToldWithin(230);  // of the same
        return was;
    }
    Link Find(const char* name) { return **FindLink(*socket, name); }

    EventLoop loop = std::move(*EventLoop::Create());
    std::optional<NetlinkSocket> socket;
    int told = 0;
    Monitor monitor{loop, [this] { ++told; }};
};

TEST(NetworkMonitor, TellsOfLinksAddressesAndDefaultRoutes) {
    InOwnNetwork([] {
        Watched watched;
        ASSERT_TRUE(MakeBridge(*watched.socket, {.name = "eth0"}));
        EXPECT_TRUE(watched.IsTold());
        ASSERT_TRUE(ChangeLink(*watched.socket, watched.Find("eth0"), {.up = true}));
        EXPECT_TRUE(watched.IsTold());
        ASSERT_TRUE(AddAddress(*watched.socket, watched.Find("eth0"), Net("192.0.2.1/24")));
        EXPECT_TRUE(watched.IsTold());
        ASSERT_TRUE(AddAddress(*watched.socket, watched.Find("eth0"), Net("2001:db8::1/64")));
        EXPECT_TRUE(watched.IsTold());
        const IpAddress gateway = *config::ParseIpAddress("192.0.2.9");
        ASSERT_TRUE(
            AddRoute(*watched.socket, {.destination = Net("198.51.100.0/24"), .gateway = gateway}));
        EXPECT_EQ(watched.ToldWithin(300), 0) << "not a default route";
        ASSERT_TRUE(
            AddRoute(*watched.socket, {.destination = Net("0.0.0.0/0"), .gateway = gateway}));
        EXPECT_TRUE(watched.IsTold());
        ASSERT_TRUE(RemoveLink(*watched.socket, "eth0"));
        EXPECT_TRUE(watched.IsTold());
    });
}

TEST(NetworkMonitor, SaysNothingOfHusksOwnLinks) {
    InOwnNetwork([] {
        Watched watched;
        ASSERT_TRUE(MakeBridge(*watched.socket, {.name = "hk-lan"}));
        auto other = MakeNetworkNamespace();
        ASSERT_TRUE(other);
        for (const char* name : {"hv-a", "hv-b"}) {
            ASSERT_TRUE(MakeVethPair(*watched.socket,
                                     {.name = name, .master = watched.Find("hk-lan").index},
                                     {.name = std::string("eth-") + name}, other->get()));
        }
        ASSERT_TRUE(ChangeLink(*watched.socket, watched.Find("hv-a"), {.master = 0}));
        ASSERT_TRUE(RemoveLink(*watched.socket, "hv-a"));
        EXPECT_EQ(watched.ToldWithin(300), 0);
        // Alike, and not husk's.
        ASSERT_TRUE(MakeBridge(*watched.socket, {.name = "hx-lan"}));
        EXPECT_TRUE(watched.IsTold());
        ASSERT_TRUE(MakeBridge(*watched.socket, {.name = "h"}));
        EXPECT_TRUE(watched.IsTold());
    });
}

TEST(NetworkMonitor, TellsOfAFloodNowAndThen) {
    InOwnNetwork([] {
        Watched watched;
        ASSERT_TRUE(MakeBridge(*watched.socket, {.name = "eth0"}));
        // More than the socket holds: what is lost makes no difference.
        for (int i = 0; i < 600; ++i) {
            ASSERT_TRUE(ChangeLink(*watched.socket, watched.Find("eth0"), {.up = i % 2 == 0}));
            if (i % 100 == 0) {
                ASSERT_TRUE(watched.loop.RunOnce(Duration{}));
            }
        }
        const int told = watched.ToldWithin(700);
        EXPECT_GE(told, 1);
        EXPECT_LE(told, 5);
        EXPECT_EQ(watched.ToldWithin(300), 0);
        ASSERT_TRUE(RemoveLink(*watched.socket, "eth0"));
        EXPECT_TRUE(watched.IsTold()) << "and goes on listening";
    });
}

}  // namespace
}  // namespace husk::network
