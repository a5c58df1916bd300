// What networks and the units in them have to agree on.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/text.h"
#include "config/network_rules.h"
#include "tests/lib/temporary_folder.h"

namespace husk::config {
namespace {

// Every problem of a folder with these files, one a line.
std::string Says(const std::map<std::string, std::string>& files) {
    const husk::testing::TemporaryFolder folder;
    for (const auto& [name, text] : files)
        folder.Write(name, name.ends_with(".network") ? Cat("[Network]\n", text)
                                                      : Cat("[Container]\nExec=/x\n", text));
    const LoadedFolder loaded = LoadUnits({folder.path()});
    std::string out;
    auto add = [&](const Problems& problems) {
        for (const Problem& problem : problems) {
            std::string line = Describe(problem);
            for (size_t at; (at = line.find(folder.path() + "/")) != line.npos;)
                line.erase(at, folder.path().size() + 1);
            out += line + "\n";
        }
    };
    add(loaded.problems);
    for (const LoadedUnit& unit : loaded.units) add(unit.problems);
    return out;
}

constexpr char kLan[] = "Network=lan.network\n";

TEST(NetworkRules, AWholeNetworkIsTaken) {
    EXPECT_EQ(Says({{"lan.network",
                     "Subnet=10.1.0.0/24\nSubnet=fd01::/64\nGateway=10.1.0.254\n"
                     "IPRange=10.1.0.16/28\nOptions=mtu=1400\nDNS=10.1.0.254\n"},
                    {"other.network", "Internal=yes\nIPv6=yes\n"},
                    {"web.container",
                     "Network=lan.network:ip=10.1.0.7,ip6=fd01::7\nNetwork=other.network\n"
                     "PublishPort=80:80\nAddHost=device:host-gateway\nNetworkAlias=www\n"},
                    {"db.container", Cat(kLan, "IP=10.1.0.8\nPublishPort=127.0.0.1:5432:5432\n")}}),
              "");
}

TEST(NetworkRules, GatewaysAndRangesLieInTheirSubnet) {
    EXPECT_EQ(Says({{"a.network", "Subnet=10.1.0.0/24\nGateway=10.2.0.1\nIPRange=10.2.0.0/28\n"},
                    {"b.network", "Gateway=10.3.0.1\nIPRange=fd00::/80\n"},
                    {"c.network", "Subnet=10.4.0.0/24\nGateway=10.4.0.255\n"}}),
              "a.network:3: error: key 'Gateway': '10.2.0.1' is not an address of subnet "
              "'10.1.0.0/24' (one of the subnet, and not its first or last)\n"
              "a.network:4: error: key 'IPRange': from '10.2.0.0' to '10.2.0.15' is not all in "
              "subnet '10.1.0.0/24' (addresses of the subnet)\n"
              "b.network:2: error: key 'Gateway': '10.3.0.1' has no Subnet= that it lies in (write "
              "the Subnet=)\n"
              "b.network:3: error: key 'IPRange': there is no Subnet= that it lies in (write the "
              "Subnet=)\n"
              "c.network:3: error: key 'Gateway': '10.4.0.255' is not an address of subnet "
              "'10.4.0.0/24' (one of the subnet, and not its first or last)\n");
}

TEST(NetworkRules, SubnetsAreWideEnoughAndOneOfAFamily) {
    EXPECT_EQ(Says({{"a.network", "Subnet=10.1.0.0/31\n"},
                    {"b.network", "Subnet=10.2.0.0/24\nSubnet=10.3.0.0/24\n"}}),
              "a.network:2: error: key 'Subnet': '10.1.0.0/31' has no room for units (a length of "
              "at most 30, or 126)\n"
              "b.network:3: error: key 'Subnet': '10.3.0.0/24' is the second one of IPv4 (one of "
              "each family; an empty assignment in front drops the others)\n");
}

TEST(NetworkRules, SubnetsThatOverlapRefuseTheSecondAndItsUnits) {
    EXPECT_EQ(
        Says({{"a.network", "Subnet=10.0.0.0/8\n"},
              {"b.network", "Subnet=10.1.0.0/16\n"},
              {"web.container", "Network=b.network\n"},
              {"db.container", "Network=a.network\n"}}),
        "b.network:2: error: key 'Subnet': '10.1.0.0/16' overlaps '10.0.0.0/8' of network "
        "'a' (a.network:2) (give each network addresses of its own, or drop Subnet= to have "
        "husk do it)\n"
        "web.container:3: error: network 'b' is refused: key 'Subnet': '10.1.0.0/16' overlaps "
        "'10.0.0.0/8' of network 'a' (a.network:2) (mend b.network)\n");
}

TEST(NetworkRules, ANetworkThatIsNotThereIsNamed) {
    EXPECT_EQ(Says({{"lan.network", ""},
                    {"a.container", "Network=lann.network\n"},
                    {"b.container", "Network=production.network\n"}}),
              "a.container:3: error: network 'lann' does not exist (did you mean 'lan'?)\n"
              "b.container:3: error: network 'production' does not exist (write "
              "production.network with [Network] in it)\n");
}

TEST(NetworkRules, AnAddressIsFreeAndOfTheSubnet) {
    EXPECT_EQ(Says({{"lan.network", "Subnet=10.1.0.0/24\n"},
                    {"own.network", ""},
                    {"a.container", Cat(kLan, "IP=10.1.0.5\n")},
                    {"b.container", "Network=lan.network:ip=10.1.0.5\n"},
                    {"c.container", Cat(kLan, "IP=10.2.0.5\n")},
                    {"d.container", Cat(kLan, "IP=10.1.0.1\n")},
                    {"e.container", "Network=own.network\nIP=10.1.0.6\n"},
                    {"f.container", Cat(kLan, "IP6=fd00::5\n")}}),
              "b.container:3: error: key 'Network': '10.1.0.5' is taken by unit 'a' "
              "(a.container:4) (choose another address, or drop it to have husk do it)\n"
              "c.container:4: error: key 'IP': '10.2.0.5' is no address of a unit in subnet "
              "'10.1.0.0/24' of network 'lan' (one of the subnet, and not its first or last)\n"
              "d.container:4: error: key 'IP': '10.1.0.1' is the gateway of network 'lan' (choose "
              "another address)\n"
              "e.container:4: error: key 'IP': '10.1.0.6' is asked for, and network 'own' has no "
              "Subnet= (write Subnet= in own.network, or drop the address)\n"
              "f.container:4: error: key 'IP6': 'fd00::5' is asked for, and network 'lan' has no "
              "IPv6 Subnet= (write Subnet= in lan.network, or drop the address)\n");
}

TEST(NetworkRules, APortIsPublishedOnceUnlessTheUnitsNeverRunTogether) {
    EXPECT_EQ(Says({{"lan.network", ""},
                    {"a.container", Cat(kLan, "PublishPort=8000-8009:80-89\n")},
                    {"b.container", Cat(kLan, "PublishPort=127.0.0.1:8009:80\n")},
                    {"c.container", Cat(kLan,
                                        "PublishPort=8009:80/udp\nPublishPort=90:1\n"
                                        "PublishPort=90:2\n")}}),
              "b.container:4: error: key 'PublishPort': port '127.0.0.1:8009/tcp' is published by "
              "unit 'a' (a.container:4) (choose another port of the device)\n"
              "c.container:6: error: key 'PublishPort': port '90/tcp' is published twice "
              "(c.container:5) (choose another port of the device)\n");
    EXPECT_EQ(Says({{"lan.network", ""},
                    {"blue.container", Cat(kLan, "PublishPort=80:80\n")},
                    {"green.container", Cat(kLan,
                                            "PublishPort=80:80\n[Unit]\nConflicts=blue\n[Install]\n"
                                            "Enabled=no\n")}}),
              "");
}

TEST(NetworkRules, KeysOfNetworksNeedOne) {
    EXPECT_EQ(Says({{"a.container", "IP=10.0.0.1\nPublishPort=80:80\n"},
                    {"b.container", "Network=host\nPublishPort=80:80\nNetworkAlias=x\n"},
                    {"c.container", "AddHost=x:host-gateway\n"}}),
              "a.container:3: error: key 'IP' is for networks, and this unit has Network=none "
              "(write Network=NAME.network, or drop it)\n"
              "a.container:4: error: key 'PublishPort' leads into a network, and this unit has "
              "Network=none (write Network=NAME.network, or drop it)\n"
              "b.container:4: error: key 'PublishPort' leads into a network, and this unit has "
              "Network=host (the program's ports are the device's already: drop it)\n"
              "b.container:5: error: key 'NetworkAlias' is for networks, and this unit has "
              "Network=host (write Network=NAME.network, or drop it)\n"
              "c.container:3: error: key 'AddHost': 'host-gateway' is the device's address on a "
              "network, and this unit has Network=none (write an address)\n");
}

TEST(NetworkRules, SeveralNetworksAreToldApart) {
    EXPECT_EQ(Says({{"lan.network", "Subnet=10.1.0.0/24\n"},
                    {"dmz.network", ""},
                    {"a.container", "Network=lan.network\nNetwork=lan.network\n"},
                    {"b.container", "Network=lan.network\nNetwork=dmz.network\nIP=10.1.0.9\n"},
                    {"c.container",
                     "Network=lan.network:interface_name=x\n"
                     "Network=dmz.network:interface_name=x\n"},
                    {"d.container", "Network=host\nNetwork=lan.network\n"},
                    {"e.container", "Network=lan.network\nNetwork=\nNetwork=host\n"}}),
              "a.container:4: error: key 'Network': network 'lan' is given twice (drop one of the "
              "two)\n"
              "b.container:5: error: key 'IP' is given, and the unit is in several networks (write "
              "Network=NAME.network:ip=ADDRESS for each)\n"
              "c.container:4: error: key 'Network': two networks are to be link 'x' (give each a "
              "name of its own)\n"
              "d.container:4: error: key 'Network': 'lan.network' does not go together with the "
              "Network= before it (an empty Network= in front drops that)\n");
}

TEST(NetworkRules, NothingIsPublishedFromInternalNetworksAlone) {
    EXPECT_EQ(Says({{"lan.network", "Internal=yes\n"},
                    {"a.container", Cat(kLan, "PublishPort=80:80\n")}}),
              "a.container:4: error: key 'PublishPort': nothing leads into an Internal= network, "
              "and the unit is in no other (add a network that is not, or drop it)\n");
}

TEST(NetworkRules, RightsOverTheNetworkThatWouldBeNoneAreRefused) {
    EXPECT_EQ(Says({{"lan.network", ""},
                    {"a.container", Cat(kLan, "AddCapability=NET_RAW\n")},
                    {"b.container", Cat(kLan, "AddCapability=NET_RAW\nUserNS=host\n")},
                    {"c.container", Cat(kLan, "AddCapability=NET_BIND_SERVICE\n")}}),
              "a.container:4: error: key 'AddCapability': 'CAP_NET_RAW' is not supported yet on a "
              "NAME.network with users of its own (write UserNS=host, or leave it out: 'ping' and "
              "ports below 1024 need no right there)\n");
}

}  // namespace
}  // namespace husk::config
