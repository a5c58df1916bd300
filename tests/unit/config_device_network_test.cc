// [Network] of system.conf.
#include <gtest/gtest.h>

#include "base/text.h"
#include "config/device_network_rules.h"
#include "config/keys.h"
#include "supervisor/network_wishes.h"

namespace husk::config {
namespace {

struct Read {
    SystemConfig system;
    std::string said;
};

Read Load(std::string_view text) {
    Read out;
    IniFile file = ReadIni("system.conf", text);
    Problems problems = std::move(file.problems);
    ApplySystemFile(out.system, file, "system.conf", {}, problems);
    CheckDeviceNetwork(out.system, "system.conf", problems);
    for (const Problem& problem : problems)
        out.said +=
            Cat(std::to_string(problem.at.line), ": ", problem.text, " (", problem.hint, ")\n");
    return out;
}

TEST(DeviceNetwork, KeysBehindLinkAreAboutThatLink) {
    const Read read = Load(
        "[Network]\nLink=eth0\nAddress=10.1.0.2/24\nAddress=fd00::2/64\nGateway=10.1.0.1\n"
        "Gateway=fe80::1\nRoute=10.8.0.0/16 10.1.0.9\nRoute=10.7.0.0/16\nDNS=10.1.0.1 fd00::1\n"
        "DNSSearch=example.org lan\nMTU=1400\nIPv6AcceptRA=no\n"
        "Link=en*\nRequiredForOnline=no\n");
    EXPECT_EQ(read.said, "");
    ASSERT_EQ(read.system.links.size(), 2u);
    const LinkDefinition& eth0 = read.system.links[0];
    EXPECT_EQ(eth0.match, "eth0");
    EXPECT_EQ(eth0.addresses.size(), 2u);
    EXPECT_EQ(eth0.gateways.size(), 2u);
    EXPECT_EQ(eth0.dns.size(), 2u);
    EXPECT_EQ(eth0.dns_search, (std::vector<std::string>{"example.org", "lan"}));
    EXPECT_EQ(eth0.mtu, 1400u);
    EXPECT_EQ(eth0.accept_ra, false);
    EXPECT_TRUE(eth0.required);
    EXPECT_EQ(read.system.links[1].match, "en*");
    EXPECT_FALSE(read.system.links[1].required);

    const auto wishes = supervisor::LinkWishesOf(read.system);
    ASSERT_EQ(wishes.size(), 2u);
    ASSERT_EQ(wishes[0].routes.size(), 4u);
    EXPECT_FALSE(wishes[0].routes[1].gateway);
    EXPECT_EQ(wishes[0].routes[2].destination, ParsePrefix("0.0.0.0/0"));
    EXPECT_EQ(wishes[0].routes[3].destination, ParsePrefix("::/0"));
}

TEST(DeviceNetwork, AKeyWithoutALinkIsNobodys) {
    EXPECT_EQ(
        Load("[Network]\nAddress=10.1.0.2/24\nLink=eth0\n").said,
        "2: key 'Address': it stands before any Link= (write Link= in front of it, with what it "
        "is for)\n");
    const Read bad =
        Load("[Network]\nLink=eth0\nLink=lo\nMTU=1400\nLink=eth0\nAddress=10.1.0.2/24\n");
    EXPECT_EQ(bad.said,
              "3: key 'Link': the loopback link is always up (drop it)\n"
              "5: key 'Link': link 'eth0' is there already (line 2) (write all of its keys behind "
              "the first one)\n");
    EXPECT_EQ(bad.system.links[0].mtu, 0u);
    EXPECT_EQ(supervisor::LinkWishesOf(bad.system).size(), 1u);
}

TEST(DeviceNetwork, ValuesThatAreNoneAreRefused) {
    for (const char* line :
         {"Address=10.1.0.0/24", "Address=10.1.0.2", "Address=0.0.0.0/0", "Address=0.0.0.0/8",
          "Gateway=10.1", "Route=10.8.0.1/16", "Route=0.0.0.0/0", "Route=10.8.0.0/16 fd00::1",
          "Route=10.8.0.0/16 10.1.0.1 5", "DNS=one", "DNSSearch=-a", "MTU=20", "IPv6AcceptRA=so",
          "RequiredForOnline=routable", "Link=hk-lan", "Link=a/b", "Link=a-name-that-is-too-long",
          "Link=all"}) {
        const Read read = Load(Cat("[Network]\nLink=eth0\n", line, "\n"));
        EXPECT_NE(read.said.find(
                      Cat("3: key '",
                          std::string_view(line).substr(0, std::string_view(line).find('=')), "'")),
                  std::string::npos)
            << line << ": " << read.said;
    }
    for (const char* line :
         {"Address=10.1.0.2/31", "Address=10.1.0.2/32", "Address=fd00::7/128", "MTU=9000"})
        EXPECT_EQ(Load(Cat("[Network]\nLink=eth0\n", line, "\n")).said, "") << line;
}

TEST(DeviceNetwork, DhcpIsAClientsBusiness) {
    const Read read = Load("[Network]\nDHCP=yes\n");
    EXPECT_NE(read.said.find("run the unit of a client, such as dhcpcd"), std::string::npos)
        << read.said;
}

TEST(DeviceNetwork, AGatewayHasToBeReachedAndThereIsOneOfAFamily) {
    EXPECT_EQ(Load("[Network]\nLink=eth0\nAddress=10.1.0.2/24\nGateway=10.2.0.1\n").said,
              "4: key 'Gateway': gateway '10.2.0.1' is in no network of link 'eth0' (one that an "
              "Address= of the link reaches, or write Route=10.2.0.1/32 for it)\n");
    EXPECT_EQ(
        Load("[Network]\nLink=eth0\nAddress=10.1.0.2/32\nRoute=10.2.0.1/32\nGateway=10.2.0.1\n")
            .said,
        "");
    EXPECT_EQ(Load("[Network]\nLink=eth0\nAddress=10.1.0.2/24\nGateway=10.1.0.1\n"
                   "Link=eth1\nAddress=10.2.0.2/24\nGateway=10.2.0.1\n")
                  .said,
              "7: key 'Gateway': '10.2.0.1' is a second way to everywhere (line 4) (one gateway of "
              "each family, and Route= for what is behind another)\n");
    EXPECT_EQ(
        Load("[Network]\nLink=eth0\nAddress=10.1.0.2/24\nLink=eth1\nAddress=10.1.0.2/16\n").said,
        "5: key 'Address': '10.1.0.2' is given to link 'eth0' (line 3) (an address of its own "
        "for each link)\n");
}

}  // namespace
}  // namespace husk::config
