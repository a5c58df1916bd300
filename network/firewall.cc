#include "network/firewall.h"

#include <linux/if_ether.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>

#include <algorithm>

namespace husk::network {
namespace {

constexpr char kTable[] = "husk";
// netfilter_ipv4.h, netfilter_bridge.h; the names of nft(8).
constexpr int kRaw = -300, kDestinationNat = -100, kFilter = 0, kSourceNat = 100;
constexpr int kBridgeFirst = -300;
constexpr uint8_t kIp4 = 2, kIp6 = 10;                            // NFPROTO_*
constexpr uint32_t kLocal = 2;                                    // RTN_LOCAL
constexpr uint32_t kInvalid = 1, kEstablished = 2, kRelated = 4,  // bits of ct state
    kEstablishedOrRelated = kEstablished | kRelated;
constexpr char kFlows[] = "flows";
constexpr uint16_t kDhcpClient = 68, kDhcp6Client = 546;
constexpr uint8_t kMulticastListenerReport = 131, kMulticastListenerDone = 132,
                  kMulticastListenerReport2 = 143;

using enum Field;

Bytes Native(uint32_t value) {
    Bytes bytes(sizeof value);
    __builtin_memcpy(bytes.data(), &value, sizeof value);
    return bytes;
}
Bytes Big16(uint16_t value) {
    return {static_cast<uint8_t>(value >> 8), static_cast<uint8_t>(value & 0xff)};
}

Match Is(Field field, Bytes value) {
    return {.kind = Match::Kind::kEquals, .fields = {field}, .value = std::move(value)};
}
Match Is(Field field, uint8_t value) { return Is(field, Bytes{value}); }
Match Has(Field field, uint32_t bits) {
    return {.kind = Match::Kind::kBits, .fields = {field}, .value = Native(bits)};
}
Match In(std::vector<Field> fields, const char* set) {
    return {.kind = Match::Kind::kInSet, .fields = std::move(fields), .set = set};
}
Match NotIn(std::vector<Field> fields, const char* set) {
    Match match = In(std::move(fields), set);
    match.negated = true;
    return match;
}
Match Within(Field field, const IpPrefix& prefix) {
    const IpAddress first = FirstOf(prefix);
    return {.kind = Match::Kind::kInPrefix,
            .fields = {field},
            .value = Bytes(first.bytes.begin(),
                           first.bytes.begin() + static_cast<ptrdiff_t>(first.Size())),
            .bits = prefix.length};
}
Match OnLink(Field field, std::string_view name) { return Is(field, Key().Link(name).Take()); }
Match Protocol(bool v6) { return Is(kProtocolFamily, v6 ? kIp6 : kIp4); }

Rule Do(Action action, std::vector<Match> matches) {
    return {.matches = std::move(matches), .action = action};
}
Rule Jump(const char* chain, std::vector<Match> matches) {
    return {.matches = std::move(matches), .action = Action::kJump, .target = chain};
}
Rule Offload(std::vector<Match> matches) {
    return {.matches = std::move(matches), .action = Action::kOffload, .target = kFlows};
}
Rule Redirect(bool v6, std::vector<Field> key, const char* map) {
    return {.matches = {Protocol(v6)},
            .action = Action::kRedirect,
            .target = map,
            .key = std::move(key),
            .v6 = v6};
}

// Each once: the kernel refuses a transaction that has one twice.
void Add(Set& set, Element element) {
    if (std::ranges::find(set.elements, element.key, &Element::key) == set.elements.end())
        set.elements.push_back(std::move(element));
}

// --- inet husk -----------------------------------------------------------------------------------

std::vector<Set> PortMaps() {
    using Data = Set::Data;
    return {{"published4", {kTransport, kDestinationPort}, Data::kIp4Port, {}},
            {"published4_at", {kIp4Destination, kTransport, kDestinationPort}, Data::kIp4Port, {}},
            {"published6", {kTransport, kDestinationPort}, Data::kIp6Port, {}},
            {"published6_at", {kIp6Destination, kTransport, kDestinationPort}, Data::kIp6Port, {}}};
}

void AddPort(std::vector<Set>& maps, const FirewallPort& port) {
    const bool any = !port.address || port.address->IsAny();
    const size_t index = (port.to.v6 ? 2u : 0u) + (any ? 0u : 1u);
    Key key, data;
    if (!any) key.Address(*port.address);
    key.Number8(port.protocol).Port(port.port);
    data.Address(port.to).Port(port.to_port);
    Add(maps[index], {key.Take(), data.Take()});
}

Chain Published() {
    Chain chain{.name = "published"};
    chain.rules = {
        Redirect(false, {kIp4Destination, kTransport, kDestinationPort}, "published4_at"),
        Redirect(false, {kTransport, kDestinationPort}, "published4"),
        Redirect(true, {kIp6Destination, kTransport, kDestinationPort}, "published6_at"),
        Redirect(true, {kTransport, kDestinationPort}, "published6"),
    };
    return chain;
}

const IpPrefix& Loopback() {
    static constexpr IpPrefix kLoopback{.address = {.v6 = false, .bytes = {127}}, .length = 8};
    return kLoopback;
}

Bytes Loopback6() {
    Bytes address(16);
    address.back() = 1;
    return address;
}

Chain Postrouting(const Firewall& firewall) {
    Chain chain{.name = "postrouting",
                .hook = Chain::Hook::kPostrouting,
                .nat = true,
                .priority = kSourceNat};
    // What the device asks of a published port by its own loopback has to find its way back.
    chain.rules.push_back(Do(Action::kMasquerade, {In({kOutputLink}, "bridges"), Protocol(false),
                                                   Within(kIp4Source, Loopback())}));
    chain.rules.push_back(Do(Action::kMasquerade, {In({kOutputLink}, "bridges"), Protocol(true),
                                                   Is(kIp6Source, Loopback6())}));
    for (const FirewallNetwork& network : firewall.networks)
        for (const IpPrefix& subnet : network.subnets) {
            const bool v6 = subnet.address.v6;
            const Match from = Within(v6 ? kIp6Source : kIp4Source, subnet);
            // A member that asks for a published port of its own network: the answer has to come
            // back by the device, which knows of the other port.
            chain.rules.push_back(
                Do(Action::kMasquerade, {OnLink(kOutputLink, network.bridge), Protocol(v6), from}));
            if (!network.internal)
                chain.rules.push_back(
                    Do(Action::kMasquerade, {NotIn({kOutputLink}, "bridges"), Protocol(v6), from}));
        }
    return chain;
}

Chain Forward(const Firewall& firewall) {
    Chain chain{.name = "forward",
                .hook = Chain::Hook::kForward,
                .priority = kFilter,
                .drops = !firewall.forwards_for_others};
    chain.rules = {
        Do(Action::kAccept, {Has(kConnectionState, kEstablishedOrRelated)}),
        // Members of one network, where br_netfilter shows their frames here.
        Do(Action::kAccept, {In({kInputLink, kOutputLink}, "same")}),
        // What belongs to no connection passes NAT by, and would show outside where it comes from.
        Do(Action::kDrop, {In({kInputLink}, "bridges"), Has(kConnectionState, kInvalid)}),
        Do(Action::kReject, {In({kInputLink}, "internal")}),
        Do(Action::kReject, {In({kOutputLink}, "internal")}),
        Do(Action::kAccept, {In({kOutputLink}, "bridges"), Has(kConnectionStatus, IPS_DST_NAT)}),
        Do(Action::kReject, {In({kOutputLink}, "bridges")}),
        Do(Action::kAccept, {In({kInputLink}, "bridges")}),
    };
    // A packet to a bridge is enough: each connection has some. Not what br_netfilter shows: the
    // route of such a frame is the bridge's own, which must not outlive it in a flow.
    if (firewall.flow_links)
        chain.rules.insert(
            chain.rules.begin(),
            Offload({Has(kConnectionState, kEstablished), In({kOutputLink}, "bridges"),
                     NotIn({kInputLink, kOutputLink}, "same")}));
    return chain;
}

// What units may ask of the device itself: where it is, and nothing else.
Chain FromUnits() {
    Chain chain{.name = "from_units"};
    chain.rules = {
        Do(Action::kAccept, {Has(kConnectionState, kEstablishedOrRelated)}),
        Do(Action::kAccept, {Is(kTransport, IPPROTO_ICMP)}),
    };
    for (uint8_t type :
         {uint8_t{ICMP6_ECHO_REQUEST}, uint8_t{ND_NEIGHBOR_SOLICIT}, uint8_t{ND_NEIGHBOR_ADVERT}})
        chain.rules.push_back(
            Do(Action::kAccept, {Is(kTransport, IPPROTO_ICMPV6), Is(kIcmp6Type, type)}));
    chain.rules.push_back(Do(Action::kReject, {}));
    return chain;
}

Table InetTable(const Firewall& firewall) {
    Table table{.family = TableFamily::kInet, .name = kTable};
    Set bridges{.name = "bridges", .key = {kInputLink}},
        internal{.name = "internal", .key = {kInputLink}},
        same{.name = "same", .key = {kInputLink, kOutputLink}};
    for (const FirewallNetwork& network : firewall.networks) {
        Add(bridges, {Key().Link(network.bridge).Take(), {}});
        Add(same, {Key().Link(network.bridge).Link(network.bridge).Take(), {}});
        if (network.internal) Add(internal, {Key().Link(network.bridge).Take(), {}});
    }
    if (firewall.flow_links) {
        table.flowtable = kFlows;
        table.flow_links = *firewall.flow_links;
    }
    table.sets = PortMaps();
    for (const FirewallPort& port : firewall.ports) AddPort(table.sets, port);
    for (Set* set : {&bridges, &internal, &same}) table.sets.push_back(std::move(*set));

    using Hook = Chain::Hook;
    const Match to_device = Is(kDestinationKind, Native(kLocal));
    // Bridges take packets to 127.0.0.0/8 and ::1, since answers to the device's own look so after
    // NAT; before it, nobody's does.
    Chain early{.name = "early", .hook = Hook::kPrerouting, .priority = kRaw};
    // What is cheap to ask comes first: every packet of the device comes by here.
    early.rules = {Do(Action::kDrop, {Protocol(false), Within(kIp4Destination, Loopback()),
                                      In({kInputLink}, "bridges")}),
                   Do(Action::kDrop, {Protocol(true), Is(kIp6Destination, Loopback6()),
                                      In({kInputLink}, "bridges")})};
    Chain arriving{
        .name = "prerouting", .hook = Hook::kPrerouting, .nat = true, .priority = kDestinationNat};
    arriving.rules = {Jump("published", {to_device})};
    Chain leaving{
        .name = "output", .hook = Hook::kOutput, .nat = true, .priority = kDestinationNat};
    leaving.rules = {Jump("published", {to_device})};
    Chain input{.name = "input", .hook = Hook::kInput, .priority = kFilter};
    input.rules = {Jump("from_units", {In({kInputLink}, "bridges")})};
    for (Chain* chain : {&early, &arriving, &leaving, &input})
        table.chains.push_back(std::move(*chain));
    table.chains.push_back(Published());
    table.chains.push_back(FromUnits());
    table.chains.push_back(Forward(firewall));
    table.chains.push_back(Postrouting(firewall));
    return table;
}

// --- bridge husk ---------------------------------------------------------------------------------

std::vector<Set> SenderSets() {
    return {{"macs", {kInputLink, kEtherSource}, Set::Data::kNone, {}},
            {"addresses4", {kInputLink, kIp4Source}, Set::Data::kNone, {}},
            {"addresses6", {kInputLink, kIp6Source}, Set::Data::kNone, {}}};
}

// fe80::/64 with the MAC in it: RFC 4291, appendix A.
IpAddress LinkLocal(const MacAddress& mac) {
    IpAddress address{.v6 = true};
    address.bytes = {
        0xfe,   0x80,   0,    0,    0,      0,      0,     0, static_cast<uint8_t>(mac[0] ^ 2),
        mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]};
    return address;
}

void AddMember(std::vector<Set>& sets, const FirewallMember& member) {
    Add(sets[0], {Key().Link(member.port).Mac(member.mac).Take(), {}});
    bool has_v6 = false;
    for (const IpAddress& address : member.addresses) {
        Add(sets[address.v6 ? 2 : 1], {Key().Link(member.port).Address(address).Take(), {}});
        has_v6 |= address.v6;
    }
    if (has_v6) Add(sets[2], {Key().Link(member.port).Address(LinkLocal(member.mac)).Take(), {}});
}

Chain FromPort() {
    Chain chain{.name = "from_port"};
    auto& rules = chain.rules;
    auto add = [&](Action action, std::vector<Match> matches) {
        rules.push_back(Do(action, std::move(matches)));
    };
    const Match arp = Is(kEtherType, Big16(ETH_P_ARP)), ip4 = Is(kEtherType, Big16(ETH_P_IP)),
                ip6 = Is(kEtherType, Big16(ETH_P_IPV6)), icmp6 = Is(kTransport, IPPROTO_ICMPV6);
    add(Action::kDrop, {NotIn({kInputLink, kEtherSource}, "macs")});
    add(Action::kDrop, {arp, NotIn({kInputLink, kArpSenderMac}, "macs")});
    add(Action::kAccept, {arp, In({kInputLink, kArpSenderAddress}, "addresses4")});
    add(Action::kAccept, {ip4, In({kInputLink, kIp4Source}, "addresses4")});
    for (uint8_t type : {uint8_t{ND_ROUTER_ADVERT}, uint8_t{ND_REDIRECT}})
        add(Action::kDrop, {ip6, icmp6, Is(kIcmp6Type, type)});
    add(Action::kDrop, {ip6, icmp6, Is(kIcmp6Type, ND_NEIGHBOR_ADVERT),
                        NotIn({kInputLink, kNeighbourTarget}, "addresses6")});
    add(Action::kAccept, {ip6, In({kInputLink, kIp6Source}, "addresses6")});
    // Before it has an address a link asks whether somebody else does, and which groups it is in.
    for (uint8_t type : {uint8_t{ND_NEIGHBOR_SOLICIT}, kMulticastListenerReport,
                         kMulticastListenerDone, kMulticastListenerReport2})
        add(Action::kAccept, {ip6, Is(kIp6Source, Bytes(16)), icmp6, Is(kIcmp6Type, type)});
    add(Action::kDrop, {});
    return chain;
}

Table BridgeTable(const Firewall& firewall) {
    Table table{.family = TableFamily::kBridge, .name = kTable, .sets = SenderSets()};
    for (const FirewallMember& member : firewall.members) AddMember(table.sets, member);
    Chain first{.name = "prerouting", .hook = Chain::Hook::kPrerouting, .priority = kBridgeFirst};
    first.rules = {
        Jump("from_port", {Is(kInputLink, Bytes(kPortPrefix.begin(), kPortPrefix.end()))})};
    table.chains.push_back(std::move(first));
    table.chains.push_back(FromPort());
    // Addresses of a network are husk's to give. What goes through the device, to a relay say, is
    // not between two ports.
    Chain between{.name = "forward", .hook = Chain::Hook::kForward, .priority = kFilter};
    for (const auto& [type, port] : {std::pair(ETH_P_IP, kDhcpClient), {ETH_P_IPV6, kDhcp6Client}})
        between.rules.push_back(
            Do(Action::kDrop, {Is(kInputLink, Bytes(kPortPrefix.begin(), kPortPrefix.end())),
                               Is(kEtherType, Big16(static_cast<uint16_t>(type))),
                               Is(kTransport, IPPROTO_UDP), Is(kDestinationPort, Big16(port))}));
    table.chains.push_back(std::move(between));
    return table;
}

}  // namespace

std::vector<Table> MakeTables(const Firewall& firewall) {
    return {InetTable(firewall), BridgeTable(firewall)};
}

Table FlowLinks(std::vector<std::string> links) {
    return {.family = TableFamily::kInet,
            .name = kTable,
            .flowtable = kFlows,
            .flow_links = std::move(links)};
}

Table FlowProbe() {
    Table table = FlowLinks({});
    table.name = "husk-probe";
    Chain chain{.name = "forward", .hook = Chain::Hook::kForward, .priority = kFilter};
    chain.rules = {Offload({})};
    table.chains.push_back(std::move(chain));
    return table;
}

std::vector<std::string> FlowLinksOf(const std::vector<Link>& links) {
    std::vector<std::string> names;
    for (const Link& link : links)
        if (link.ethernet && !link.name.starts_with(kBridgePrefix)) names.push_back(link.name);
    return names;
}

const char* OptionsOf(std::string_view refusal) {
    // By what the rules of each chain are made of; the first that fits counts.
    static constexpr struct {
        std::string_view part;
        const char* options;
    } kParts[] = {
        // Such a kernel has no tables for bridges; where those are a module, it lacks their part.
        {"'bridge husk'", "CONFIG_BRIDGE, CONFIG_NF_TABLES_BRIDGE and CONFIG_NFT_BRIDGE_META"},
        {"make table", "CONFIG_NF_TABLES_INET"},
        {"make chain", "CONFIG_NFT_NAT"},
        {"'postrouting'", "CONFIG_NFT_MASQ"},
        {"'published'", "CONFIG_NFT_NAT"},
        {"'prerouting'", "CONFIG_NFT_FIB_INET"},
        {"'output'", "CONFIG_NFT_FIB_INET"},
        {"'forward'", "CONFIG_NFT_CT and CONFIG_NFT_REJECT_INET"},
        {"'from_units'", "CONFIG_NFT_CT and CONFIG_NFT_REJECT_INET"},
    };
    for (const auto& one : kParts)
        if (refusal.find(one.part) != refusal.npos) return one.options;
    return "CONFIG_NF_TABLES";
}

std::vector<Table> ElementsOf(const std::vector<FirewallMember>& members,
                              const std::vector<FirewallPort>& ports, bool flows) {
    Table inet{.family = TableFamily::kInet, .name = kTable, .sets = PortMaps()};
    for (const FirewallPort& port : ports) AddPort(inet.sets, port);
    if (flows) {
        inet.flowtable = kFlows;
        for (const FirewallMember& member : members) inet.flow_links.push_back(member.port);
    }
    Table bridge{.family = TableFamily::kBridge, .name = kTable, .sets = SenderSets()};
    for (const FirewallMember& member : members) AddMember(bridge.sets, member);
    for (Table* table : {&inet, &bridge})
        std::erase_if(table->sets, [](const Set& set) { return set.elements.empty(); });
    return {std::move(inet), std::move(bridge)};
}

}  // namespace husk::network
