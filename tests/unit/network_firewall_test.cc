// The rules as text, and the same rules in a kernel: nft(8) is asked whether what husk's own
// messages made is what its text means.
#include <cstdio>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <array>

#include "base/file.h"
#include "base/text.h"
#include "config/network_values.h"
#include "network/firewall.h"
#include "network/nftables.h"
#include "network/ruleset_text.h"
#include "tests/lib/own_network.h"

namespace husk::network {
namespace {

IpPrefix Net(const char* text) { return *config::ParseIpPrefix(text); }
IpAddress At(const char* text) { return *config::ParseIpAddress(text); }

Firewall Example() {
    return {.networks = {{"hk-lan", {Net("10.89.1.0/24"), Net("fd00::/64")}, false},
                         {"hk-db", {Net("10.89.2.0/24")}, true}},
            .members = {{"hv-web", {2, 0, 0, 0, 0, 1}, {At("10.89.1.5"), At("fd00::5")}},
                        {"hv-db", {2, 0, 0, 0, 0, 2}, {At("10.89.2.6")}}},
            .ports = {{std::nullopt, IPPROTO_TCP, 8080, At("10.89.1.5"), 80},
                      {std::nullopt, IPPROTO_TCP, 8080, At("fd00::5"), 80},
                      {At("192.0.2.1"), IPPROTO_UDP, 53, At("10.89.1.5"), 5353},
                      {At("2001:db8::1"), IPPROTO_SCTP, 7, At("fd00::5"), 7}}};
}

constexpr char kExpected[] = R"(table inet husk {
	map published4 {
		type inet_proto . inet_service : ipv4_addr . inet_service
		elements = { tcp . 8080 : 10.89.1.5 . 80 }
	}
	map published4_at {
		type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service
		elements = { 192.0.2.1 . udp . 53 : 10.89.1.5 . 5353 }
	}
	map published6 {
		type inet_proto . inet_service : ipv6_addr . inet_service
		elements = { tcp . 8080 : fd00::5 . 80 }
	}
	map published6_at {
		type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service
		elements = { 2001:db8::1 . sctp . 7 : fd00::5 . 7 }
	}
	set bridges {
		type ifname
		elements = { "hk-lan", "hk-db" }
	}
	set internal {
		type ifname
		elements = { "hk-db" }
	}
	set same {
		type ifname . ifname
		elements = { "hk-lan" . "hk-lan", "hk-db" . "hk-db" }
	}
	chain early {
		type filter hook prerouting priority -300; policy accept;
		meta nfproto ipv4 ip daddr 127.0.0.0/8 iifname @bridges drop
		meta nfproto ipv6 ip6 daddr ::1 iifname @bridges drop
	}
	chain prerouting {
		type nat hook prerouting priority -100; policy accept;
		fib daddr type local jump published
	}
	chain output {
		type nat hook output priority -100; policy accept;
		fib daddr type local jump published
	}
	chain input {
		type filter hook input priority 0; policy accept;
		iifname @bridges jump from_units
	}
	chain published {
		meta nfproto ipv4 dnat ip to ip daddr . meta l4proto . th dport map @published4_at
		meta nfproto ipv4 dnat ip to meta l4proto . th dport map @published4
		meta nfproto ipv6 dnat ip6 to ip6 daddr . meta l4proto . th dport map @published6_at
		meta nfproto ipv6 dnat ip6 to meta l4proto . th dport map @published6
	}
	chain from_units {
		ct state established,related accept
		meta l4proto icmp accept
		meta l4proto ipv6-icmp icmpv6 type 128 accept
		meta l4proto ipv6-icmp icmpv6 type 135 accept
		meta l4proto ipv6-icmp icmpv6 type 136 accept
		reject with icmpx admin-prohibited
	}
	chain forward {
		type filter hook forward priority 0; policy drop;
		ct state established,related accept
		iifname . oifname @same accept
		iifname @bridges ct state invalid drop
		iifname @internal reject with icmpx admin-prohibited
		oifname @internal reject with icmpx admin-prohibited
		oifname @bridges ct status dnat accept
		oifname @bridges reject with icmpx admin-prohibited
		iifname @bridges accept
	}
	chain postrouting {
		type nat hook postrouting priority 100; policy accept;
		oifname @bridges meta nfproto ipv4 ip saddr 127.0.0.0/8 masquerade
		oifname @bridges meta nfproto ipv6 ip6 saddr ::1 masquerade
		oifname "hk-lan" meta nfproto ipv4 ip saddr 10.89.1.0/24 masquerade
		oifname != @bridges meta nfproto ipv4 ip saddr 10.89.1.0/24 masquerade
		oifname "hk-lan" meta nfproto ipv6 ip6 saddr fd00::/64 masquerade
		oifname != @bridges meta nfproto ipv6 ip6 saddr fd00::/64 masquerade
		oifname "hk-db" meta nfproto ipv4 ip saddr 10.89.2.0/24 masquerade
	}
}
table bridge husk {
	set macs {
		type ifname . ether_addr
		elements = { "hv-web" . 02:00:00:00:00:01, "hv-db" . 02:00:00:00:00:02 }
	}
	set addresses4 {
		type ifname . ipv4_addr
		elements = { "hv-web" . 10.89.1.5, "hv-db" . 10.89.2.6 }
	}
	set addresses6 {
		type ifname . ipv6_addr
		elements = { "hv-web" . fd00::5, "hv-web" . fe80::ff:fe00:1 }
	}
	chain prerouting {
		type filter hook prerouting priority -300; policy accept;
		iifname "hv-*" jump from_port
	}
	chain from_port {
		iifname . ether saddr != @macs drop
		ether type arp iifname . arp saddr ether != @macs drop
		ether type arp iifname . arp saddr ip @addresses4 accept
		ether type ip iifname . ip saddr @addresses4 accept
		ether type ip6 meta l4proto ipv6-icmp icmpv6 type 134 drop
		ether type ip6 meta l4proto ipv6-icmp icmpv6 type 137 drop
		ether type ip6 meta l4proto ipv6-icmp icmpv6 type 136 iifname . @th,64,128 != @addresses6 drop
		ether type ip6 iifname . ip6 saddr @addresses6 accept
		ether type ip6 ip6 saddr :: meta l4proto ipv6-icmp icmpv6 type 135 accept
		ether type ip6 ip6 saddr :: meta l4proto ipv6-icmp icmpv6 type 131 accept
		ether type ip6 ip6 saddr :: meta l4proto ipv6-icmp icmpv6 type 132 accept
		ether type ip6 ip6 saddr :: meta l4proto ipv6-icmp icmpv6 type 143 accept
		drop
	}
	chain forward {
		type filter hook forward priority 0; policy accept;
		iifname "hv-*" ether type ip meta l4proto udp th dport 68 drop
		iifname "hv-*" ether type ip6 meta l4proto udp th dport 546 drop
	}
}
)";

TEST(NetworkFirewall, TheRulesAreThese) {
    EXPECT_EQ(RulesetText(MakeTables(Example())), kExpected);
}

TEST(NetworkFirewall, ADeviceThatRoutedBeforeGoesOnToDoSo) {
    Firewall firewall = Example();
    firewall.forwards_for_others = true;
    EXPECT_NE(RulesetText(MakeTables(firewall)).find("hook forward priority 0; policy accept"),
              std::string::npos);
}

TEST(NetworkFirewall, AUnitBringsItsOwnElementsAndNothingElse) {
    const Firewall example = Example();
    EXPECT_EQ(RulesetText(ElementsOf({example.members[1]}, {example.ports[2]})),
              "table inet husk {\n"
              "\tmap published4_at {\n"
              "\t\ttype ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service\n"
              "\t\telements = { 192.0.2.1 . udp . 53 : 10.89.1.5 . 5353 }\n\t}\n}\n"
              "table bridge husk {\n"
              "\tset macs {\n\t\ttype ifname . ether_addr\n"
              "\t\telements = { \"hv-db\" . 02:00:00:00:00:02 }\n\t}\n"
              "\tset addresses4 {\n\t\ttype ifname . ipv4_addr\n"
              "\t\telements = { \"hv-db\" . 10.89.2.6 }\n\t}\n}\n");
}

// How `text` differs from `base`, line by line: what it has besides. Empty where it lacks a line.
std::string Besides(const std::string& base, const std::string& text) {
    std::string more;
    const auto lines = Split(base, '\n');
    auto next = lines.begin();
    for (std::string_view line : Split(text, '\n'))
        if (next != lines.end() && *next == line)
            ++next;
        else
            more += Cat(line, "\n");
    return next == lines.end() ? more : std::string();
}

TEST(NetworkFirewall, EstablishedConnectionsOfNetworksGoByAFlowtableAndNoOthers) {
    Firewall firewall = Example();
    firewall.flow_links = {"eth0", "hv-db", "hv-web"};
    EXPECT_EQ(Besides(kExpected, RulesetText(MakeTables(firewall))),
              "\tflowtable flows {\n\t\thook ingress priority 0;\n"
              "\t\tdevices = { \"eth0\", \"hv-db\", \"hv-web\" };\n\t}\n"
              "\t\tct state established oifname @bridges iifname . oifname != @same "
              "flow add @flows\n");
    // Before the rule that takes all that is established.
    const auto tables = MakeTables(firewall);
    for (const Chain& chain : tables[0].chains)
        EXPECT_EQ(chain.rules[0].action == Action::kOffload, chain.name == "forward");
    // None of its links is there yet.
    firewall.flow_links.emplace();
    EXPECT_NE(RulesetText(MakeTables(firewall)).find("priority 0;\n\t}\n"), std::string::npos);
}

TEST(NetworkFirewall, AUnitBringsItsPortsToTheFlowtable) {
    const Firewall example = Example();
    const std::string without = RulesetText(ElementsOf({example.members[1]}, {}));
    EXPECT_EQ(Besides(without, RulesetText(ElementsOf({example.members[1]}, {}, true))),
              "\tflowtable flows {\n\t\thook ingress priority 0;\n"
              "\t\tdevices = { \"hv-db\" };\n\t}\n");
    EXPECT_EQ(RulesetText(std::vector{FlowLinks({"eth1"})}),
              "table inet husk {\n\tflowtable flows {\n\t\thook ingress priority 0;\n"
              "\t\tdevices = { \"eth1\" };\n\t}\n}\n");
}

TEST(NetworkFirewall, TheFlowtableHasLinksOfEthernetButNoBridgesOfHusk) {
    auto link = [](const char* name, bool ethernet) {
        Link made;
        made.name = name;
        made.ethernet = ethernet;
        return made;
    };
    EXPECT_EQ(FlowLinksOf({link("lo", false), link("eth0", true), link("hk-lan", true),
                           link("hv-web", true), link("wg0", false), link("br0", true)}),
              (std::vector<std::string>{"eth0", "hv-web", "br0"}));
}

std::string Output(const std::string& command) {
    std::string out;
    FILE* pipe = ::popen(command.c_str(), "r");
    if (pipe == nullptr) return "no pipe";
    std::array<char, 4096> buffer;
    while (const size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe))
        out.append(buffer.data(), got);
    const int status = ::pclose(pipe);
    return status == 0 ? out : Cat(out, "\nstatus ", std::to_string(status));
}

Status Put(const std::vector<Table>& tables) {
    auto socket = NetlinkSocket::Open(NETLINK_NETFILTER);
    if (!socket) return Fail(std::move(socket).error());
    return Commit(*socket, ReplaceTables(tables));
}

// As nft(8) lists them, after nft(8) has read what `text` says.
std::string AsNftHasIt(const std::string& text, const char* table) {
    std::string path = "/tmp/husk-rules-XXXXXX";
    const OwnedFd file(::mkstemp(path.data()));
    EXPECT_TRUE(WriteAll(file.get(), text, path));
    const std::string said = Output(Cat("nft -f ", path, " 2>&1"));
    (void)::unlink(path.c_str());
    EXPECT_EQ(said, "");
    return Output(Cat("nft list table ", table));
}

// Debian 12's nft(8) has no word for the target of an advertisement.
std::string WithoutAdvertisements(const std::string& text) {
    std::string kept;
    for (std::string_view line : Split(text, '\n'))
        if (line.find("addresses6 drop") == line.npos) kept += Cat(line, "\n");
    return kept;
}

bool HaveNft() { return std::system("command -v nft >/dev/null 2>&1") == 0; }

TEST(NetworkFirewall, TheKernelHasWhatTheTextSays) {
    if (!HaveNft()) GTEST_SKIP() << "there is no nft (apt-get install nftables)";
    for (const char* name : {"inet husk", "bridge husk"}) {
        InOwnNetwork([name] {
            const auto tables = MakeTables(Example());
            const Status put = Put(tables);
            ASSERT_TRUE(put) << put.error().text();
            const std::string ours = WithoutAdvertisements(Output(Cat("nft list table ", name)));
            const std::string text = WithoutAdvertisements(RulesetText(tables));
            ASSERT_EQ(Output("nft flush ruleset"), "");
            const std::string nfts = AsNftHasIt(text, name);
            EXPECT_EQ(ours, WithoutAdvertisements(nfts));
        });
    }
}

TEST(NetworkFirewall, ARefusalTellsWhatTheKernelLacks) {
    const auto of = [](const char* refusal) { return std::string_view(OptionsOf(refusal)); };
    EXPECT_EQ(of("change the rules of the network: Operation not supported"), "CONFIG_NF_TABLES");
    EXPECT_EQ(of("make table 'inet husk': Address family not supported by protocol"),
              "CONFIG_NF_TABLES_INET");
    EXPECT_EQ(of("add rule 1 of chain 'postrouting' of table 'inet husk': No such file"),
              "CONFIG_NFT_MASQ");
    EXPECT_EQ(of("add rule 1 of chain 'published' of table 'inet husk': No such file"),
              "CONFIG_NFT_NAT");
    EXPECT_EQ(of("add rule 1 of chain 'prerouting' of table 'inet husk': No such file"),
              "CONFIG_NFT_FIB_INET");
    for (const char* bridge : {"make table 'bridge husk': Address family not supported",
                               "add rule 1 of chain 'prerouting' of table 'bridge husk': No"})
        EXPECT_TRUE(of(bridge).starts_with("CONFIG_BRIDGE,")) << bridge;
}

TEST(NetworkFirewall, ATransactionReplacesAllAndLeavesOthersAlone) {
    if (!HaveNft()) GTEST_SKIP() << "there is no nft (apt-get install nftables)";
    InOwnNetwork([] {
        ASSERT_EQ(Output("nft add table inet others 2>&1"), "");
        Firewall firewall = Example();
        ASSERT_TRUE(Put(MakeTables(firewall)));
        firewall.ports = {{std::nullopt, IPPROTO_TCP, 9090, At("10.89.1.5"), 90}};
        ASSERT_TRUE(Put(MakeTables(firewall)));
        const std::string all = Output("nft list ruleset");
        EXPECT_NE(all.find("table inet others"), all.npos);
        EXPECT_NE(all.find("9090"), all.npos);
        EXPECT_EQ(all.find("8080"), all.npos);

        // One that the kernel refuses in its middle changes nothing.
        std::vector<Table> bad = MakeTables(Example());
        bad[0].chains.back().rules.push_back({.action = Action::kJump, .target = "nowhere"});
        const Status refused = Put(bad);
        ASSERT_FALSE(refused);
        EXPECT_EQ(
            refused.error().text(),
            "add rule 8 of chain 'postrouting' of table 'inet husk': No such file or directory");
        EXPECT_EQ(Output("nft list ruleset"), all);

        auto socket = NetlinkSocket::Open(NETLINK_NETFILTER);
        ASSERT_TRUE(socket);
        ASSERT_TRUE(Commit(*socket, RemoveTables(MakeTables({}))));
        EXPECT_EQ(Output("nft list ruleset"), "table inet others {\n}\n");
        ASSERT_TRUE(Commit(*socket, RemoveTables(MakeTables({}))));
    });
}

TEST(NetworkFirewall, ElementsComeAndGo) {
    if (!HaveNft()) GTEST_SKIP() << "there is no nft (apt-get install nftables)";
    InOwnNetwork([] {
        Firewall firewall = Example();
        firewall.members.clear();
        firewall.ports.clear();
        ASSERT_TRUE(Put(MakeTables(firewall)));
        const std::string without = Output("nft list ruleset");
        auto socket = NetlinkSocket::Open(NETLINK_NETFILTER);
        ASSERT_TRUE(socket);
        const Firewall example = Example();
        const auto elements = ElementsOf(example.members, example.ports);
        for (int i = 0; i < 2; ++i) {
            const Status added = Commit(*socket, ChangeElements(elements, true));
            ASSERT_TRUE(added) << added.error().text();
        }
        ASSERT_TRUE(Put(MakeTables(example)));
        const std::string with = Output("nft list ruleset");
        ASSERT_TRUE(Put(MakeTables(firewall)));
        ASSERT_TRUE(Commit(*socket, ChangeElements(elements, true)));
        EXPECT_EQ(Output("nft list ruleset"), with);
        ASSERT_TRUE(Commit(*socket, ChangeElements(elements, false)));
        EXPECT_EQ(Output("nft list ruleset"), without);
        EXPECT_FALSE(Commit(*socket, ChangeElements(elements, false)));
        EXPECT_TRUE(Commit(*socket, ChangeElements(ElementsOf({}, {}), true)));
    });
}

// Skipped where the kernel has none, as it may: tests/boot/test_network_flows.py has some.
TEST(NetworkFirewall, LinksJoinTheFlowtableAndStayInIt) {
    InOwnNetwork([] {
        auto socket = NetlinkSocket::Open(NETLINK_NETFILTER);
        ASSERT_TRUE(socket);
        const Status known = Commit(*socket, TryTable(FlowProbe()));
        // Nothing of it is left, whatever the kernel says.
        EXPECT_FALSE(ListFlowLinks(*socket, FlowProbe()));
        if (!known) return;
        auto route = NetlinkSocket::Open(NETLINK_ROUTE);
        ASSERT_TRUE(route);
        Firewall firewall = Example();
        firewall.flow_links.emplace();
        for (int i = 0; i < 300; ++i) {
            const std::string name = Cat("l", std::to_string(i));
            ASSERT_TRUE(MakeBridge(*route, {.name = name, .alias = "", .mac = {}}));
            if (i > 0) firewall.flow_links->push_back(name);
        }
        const Status put = Put(MakeTables(firewall));
        ASSERT_TRUE(put) << put.error().text();
        EXPECT_EQ(ListFlowLinks(*socket, FlowLinks({}))->size(), 299u);
        const Table more = FlowLinks({"l0", "l1"});
        for (int i = 0; i < 2; ++i) {
            ASSERT_TRUE(Commit(*socket, ChangeElements(std::span(&more, 1), true)));
            EXPECT_EQ(ListFlowLinks(*socket, FlowLinks({}))->size(), 300u);
        }
        ASSERT_TRUE(RemoveLink(*route, "l7"));
        EXPECT_EQ(ListFlowLinks(*socket, FlowLinks({}))->size(), 299u);
        const Table gone = FlowLinks({"l7"});
        EXPECT_FALSE(Commit(*socket, ChangeElements(std::span(&gone, 1), true)));
    });
}

TEST(NetworkFirewall, AThousandElementsAreMoreThanOneMessage) {
    InOwnNetwork([] {
        Firewall firewall;
        for (uint16_t i = 0; i < 5000; ++i)
            firewall.ports.push_back(
                {std::nullopt, IPPROTO_TCP, static_cast<uint16_t>(1000 + i), At("10.89.1.5"), 80});
        const Status put = Put(MakeTables(firewall));
        EXPECT_TRUE(put) << put.error().text();
    });
}

}  // namespace
}  // namespace husk::network
