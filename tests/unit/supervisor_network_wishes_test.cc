// From the keys of files to the wishes that addresses are planned by, and to what a container of a
// unit in networks has in its root.
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <algorithm>

#include "base/text.h"
#include "config/load.h"
#include "supervisor/network_wishes.h"
#include "supervisor/spec_builder.h"

namespace husk::supervisor {
namespace {

config::Unit Unit(const char* keys) {
    auto loaded = config::ParseUnit("web", "web.container", Cat("[Container]\nExec=/x\n", keys));
    EXPECT_FALSE(loaded.refused) << config::DescribeFirst(loaded.problems);
    return std::move(loaded.unit);
}
IpAddress At(const char* text) { return *ParseAddress(text); }

TEST(NetworkWishes, AUnitWishesForWhatItsKeysSay) {
    EXPECT_FALSE(WishOf(Unit("")));
    EXPECT_FALSE(WishOf(Unit("Network=host\n")));
    const auto wish =
        WishOf(Unit("Network=lan.network:ip=10.0.0.5,alias=shop,interface_name=x0\n"
                    "Network=dmz.network:ip6=fd00::5,mac=02:00:00:00:00:01\n"
                    "NetworkAlias=www\nHostName=host\n"
                    "PublishPort=[::1]:8000-8001:80-81/udp\nPublishPort=7/sctp\n"));
    ASSERT_TRUE(wish);
    EXPECT_EQ(wish->host_name, "host");
    ASSERT_EQ(wish->members.size(), 2u);
    EXPECT_EQ(wish->members[0].network, "lan");
    EXPECT_EQ(wish->members[0].address[0], At("10.0.0.5"));
    EXPECT_FALSE(wish->members[0].address[1]);
    EXPECT_EQ(wish->members[0].interface_name, "x0");
    EXPECT_EQ(wish->members[0].aliases, (std::vector<std::string>{"www", "shop"}));
    EXPECT_EQ(wish->members[1].address[1], At("fd00::5"));
    EXPECT_EQ(wish->members[1].mac, (network::MacAddress{2, 0, 0, 0, 0, 1}));
    ASSERT_EQ(wish->ports.size(), 2u);
    EXPECT_EQ(wish->ports[0].address, At("::1"));
    EXPECT_EQ(wish->ports[0].host, 8000);
    EXPECT_EQ(wish->ports[0].container, 80);
    EXPECT_EQ(wish->ports[0].count, 2);
    EXPECT_EQ(wish->ports[0].protocol, IPPROTO_UDP);
    EXPECT_EQ(wish->ports[1].host, 0);
    EXPECT_EQ(wish->ports[1].protocol, IPPROTO_SCTP);
}

TEST(NetworkWishes, AnAddressOfItsOwnKeyIsThatOfItsOneNetwork) {
    const auto wish = WishOf(Unit("Network=lan.network\nIP=10.0.0.5\nIP6=fd00::5\n"));
    ASSERT_TRUE(wish);
    EXPECT_EQ(wish->members[0].address[0], At("10.0.0.5"));
    EXPECT_EQ(wish->members[0].address[1], At("fd00::5"));
}

TEST(NetworkWishes, ANetworkWishesForWhatItsFileSays) {
    config::NetworkDefinition lan{.name = "lan", .path = "/u/lan.network"};
    lan.subnets = {{*ParsePrefix("10.1.0.0/24"), {}}, {*ParsePrefix("fd01::/64"), {}}};
    lan.gateways = {{At("10.1.0.9"), {}}};
    lan.ranges = {{{At("fd01::1"), At("fd01::9")}, {}}};
    lan.internal = true;
    lan.mtu = 1400;
    lan.dns = {At("10.1.0.9")};
    const network::NetworkWish wish = WishOf(lan);
    EXPECT_EQ(wish.path, "/u/lan.network");
    EXPECT_EQ(wish.subnet[0], ParsePrefix("10.1.0.0/24"));
    EXPECT_EQ(wish.subnet[1], ParsePrefix("fd01::/64"));
    EXPECT_EQ(wish.gateway[0], At("10.1.0.9"));
    EXPECT_FALSE(wish.gateway[1] || wish.range[0]);
    EXPECT_EQ(wish.range[1]->last, At("fd01::9"));
    EXPECT_TRUE(wish.internal && !wish.v6);
    EXPECT_EQ(wish.mtu, 1400u);
    EXPECT_EQ(wish.name_servers, std::vector{At("10.1.0.9")});
}

const DeviceFacts kDevice = {.run_directory = "/run/husk",
                             .state_directory = "/var/lib/husk",
                             .resolv_conf = "nameserver 192.0.2.1\n"};

container::ContainerSpec Spec(const config::Unit& unit) {
    UnitFacts facts;
    facts.id_range = {.base = 1 << 20};
    facts.volume_is_directory.assign(unit.container.volumes.size(), false);
    auto spec = BuildSpec(unit, {}, kDevice, facts);
    EXPECT_TRUE(spec) << spec.error().text();
    return std::move(*spec);
}
const rootfs::RootFile* File(const container::ContainerSpec& spec, const char* path) {
    const auto found = std::ranges::find(spec.root.files, path, &rootfs::RootFile::path);
    return found == spec.root.files.end() ? nullptr : &*found;
}
std::string SourceOf(const container::ContainerSpec& spec, const char* path) {
    std::string source;
    for (const auto& bind : spec.root.binds)
        if (bind.destination == path) source += bind.source;
    return source;
}

TEST(NetworkWishes, NamesAreMountedWhereTheyMayChange) {
    const config::Unit unit = Unit("Network=lan.network\n");
    const auto spec = Spec(unit);
    EXPECT_EQ(spec.network, container::NetworkKind::kJoin);
    EXPECT_TRUE(spec.root.kept_network && !spec.root.own_network);
    EXPECT_EQ(SourceOf(spec, "/etc/hosts"), HostsFile(unit, kDevice));
    EXPECT_EQ(SourceOf(spec, "/etc/resolv.conf"), ResolverFile(unit, kDevice));
    EXPECT_TRUE(File(spec, "/etc/hosts") == nullptr && File(spec, "/etc/resolv.conf") == nullptr);
    // Units of the same networks share them; others do not.
    EXPECT_EQ(HostsFile(Unit("Network=lan.network\nUser=5\n"), kDevice), HostsFile(unit, kDevice));
    EXPECT_NE(HostsFile(Unit("Network=dmz.network\n"), kDevice), HostsFile(unit, kDevice));
    EXPECT_NE(HostsFile(Unit("Network=lan.network\nAddHost=a:10.0.0.1\n"), kDevice),
              HostsFile(unit, kDevice));
    EXPECT_NE(ResolverFile(Unit("Network=lan.network\nDNS=10.0.0.1\n"), kDevice),
              ResolverFile(unit, kDevice));
}

TEST(NetworkWishes, AFileOfTheUnitsOwnIsLeftAlone) {
    const auto spec = Spec(Unit("Network=lan.network\nVolume=/my/hosts:/etc/hosts:ro\nDNS=none\n"));
    EXPECT_EQ(SourceOf(spec, "/etc/hosts"), "/my/hosts");
    EXPECT_EQ(SourceOf(spec, "/etc/resolv.conf"), "");
    EXPECT_EQ(File(spec, "/etc/resolv.conf"), nullptr);
}

TEST(NetworkWishes, WhoSharesANetworkFollowsTheDevicesNameServers) {
    for (const char* network : {"Network=host\n", "Network=db.container\n"}) {
        const config::Unit unit = Unit(network);
        const auto spec = Spec(unit);
        EXPECT_EQ(SourceOf(spec, "/etc/resolv.conf"), ResolverFile(unit, kDevice)) << network;
        EXPECT_EQ(File(spec, "/etc/resolv.conf"), nullptr) << network;
        EXPECT_EQ(SourceOf(spec, "/etc/hosts"), "") << network;
        EXPECT_NE(File(spec, "/etc/hosts"), nullptr) << network;
    }
    EXPECT_NE(ResolverFile(Unit("Network=host\n"), kDevice),
              ResolverFile(Unit("Network=lan.network\n"), kDevice));
}

TEST(NetworkWishes, WithoutANetworkNamesAreWrittenOnce) {
    const auto spec = Spec(Unit("AddHost=db;db2:10.0.0.7\nDNSSearch=example.org\n"));
    ASSERT_NE(File(spec, "/etc/hosts"), nullptr);
    EXPECT_EQ(File(spec, "/etc/hosts")->content,
              "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n127.0.1.1\tweb\n"
              "10.0.0.7\tdb db2\n");
    EXPECT_EQ(File(spec, "/etc/resolv.conf")->content,
              "nameserver 192.0.2.1\nsearch example.org\n");
    EXPECT_EQ(File(Spec(Unit("")), "/etc/resolv.conf")->content, kDevice.resolv_conf);
}

}  // namespace
}  // namespace husk::supervisor
