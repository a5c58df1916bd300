#include <gtest/gtest.h>

#include "network/name_servers.h"

namespace husk::network {
namespace {

using Texts = std::vector<std::string>;

TEST(NameServers, OnlyServersAndDomainsAreRead) {
    const NameServers read = ReadNameServers(
        "# a comment\nnameserver 192.0.2.1\nnameserver 192.0.2.1\nnameserver fe80::1%eth0\n"
        "nameserver fe80::1%\nnameserver 0.0.0.0\nnameserver 10.1%eth0\nnameserver x\nnameserver\n"
        "  nameserver fd00::53  \nsearch example.org lan bad/name -x .y\noptions rotate\n"
        "search lan\nnameserver 192.0.2.1/24\nnameserver 10.0.0.1%eth0\n");
    EXPECT_EQ(read.servers, (Texts{"192.0.2.1", "fe80::1%eth0", "fd00::53"}));
    EXPECT_EQ(read.search, (Texts{"example.org", "lan"}));
}

TEST(NameServers, NobodyAddsWithoutEnd) {
    std::string text;
    for (int i = 1; i < 200; ++i)
        text += "nameserver 10.0.0." + std::to_string(i) + "\nsearch d" + std::to_string(i) + "\n";
    const NameServers read = ReadNameServers(text);
    EXPECT_EQ(read.servers.size(), kMaxNameServers);
    EXPECT_EQ(read.search.size(), kMaxSearchDomains);
}

TEST(NameServers, TheFileGoesBeforeClients) {
    std::vector<LinkWish> wishes(1);
    wishes[0].name_servers = {*ParseAddress("192.0.2.53")};
    wishes[0].search = {"example.org"};
    const std::vector<NameServers> clients = {{{"10.0.2.3"}, {"lan"}}, {{"192.0.2.53"}, {}}};
    EXPECT_EQ(DeviceResolverText(wishes, clients),
              "nameserver 192.0.2.53\nnameserver 10.0.2.3\nsearch example.org lan\n");
    EXPECT_EQ(DeviceResolverText({}, {}), "");
}

}  // namespace
}  // namespace husk::network
