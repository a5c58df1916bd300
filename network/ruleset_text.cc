#include "network/ruleset_text.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>

#include "base/text.h"

namespace husk::network {
namespace {

std::string FieldText(Field field, TableFamily family) {
    switch (field) {
        case Field::kInputLink: return "iifname";
        case Field::kOutputLink: return "oifname";
        case Field::kProtocolFamily: return "meta nfproto";
        case Field::kTransport: return "meta l4proto";
        case Field::kEtherType: return "ether type";
        case Field::kEtherSource: return "ether saddr";
        case Field::kArpSenderMac: return "arp saddr ether";
        case Field::kArpSenderAddress: return "arp saddr ip";
        case Field::kIp4Source: return "ip saddr";
        case Field::kIp4Destination: return "ip daddr";
        case Field::kIp6Source: return "ip6 saddr";
        case Field::kIp6Destination: return "ip6 daddr";
        case Field::kDestinationPort: return "th dport";
        case Field::kIcmp6Type: return "icmpv6 type";
        case Field::kNeighbourTarget: return "@th,64,128";
        case Field::kDestinationKind: return "fib daddr type";
        case Field::kConnectionState: return "ct state";
        case Field::kConnectionStatus: return "ct status";
    }
    (void)family;
    return {};
}

const char* TypeText(Field field) {
    switch (field) {
        case Field::kInputLink:
        case Field::kOutputLink: return "ifname";
        case Field::kEtherSource:
        case Field::kArpSenderMac: return "ether_addr";
        case Field::kIp4Source:
        case Field::kIp4Destination:
        case Field::kArpSenderAddress: return "ipv4_addr";
        case Field::kIp6Source:
        case Field::kIp6Destination:
        case Field::kNeighbourTarget: return "ipv6_addr";
        case Field::kTransport: return "inet_proto";
        case Field::kDestinationPort: return "inet_service";
        case Field::kEtherType: return "ether_type";
        case Field::kProtocolFamily: return "nf_proto";
        case Field::kIcmp6Type: return "icmpv6_type";
        case Field::kDestinationKind: return "fib_addrtype";
        case Field::kConnectionState: return "ct_state";
        case Field::kConnectionStatus: return "ct_status";
    }
    return "";
}

template <typename Each>
std::string JoinFields(const std::vector<Field>& fields, Each each) {
    std::string text;
    for (Field field : fields) text += Cat(text.empty() ? "" : " . ", each(field));
    return text;
}

uint32_t Native32(std::span<const uint8_t> bytes) {
    uint32_t value = 0;
    __builtin_memcpy(&value, bytes.data(), std::min(bytes.size(), sizeof value));
    return value;
}

IpAddress AddressOf(std::span<const uint8_t> bytes, bool v6) {
    IpAddress address{.v6 = v6};
    __builtin_memcpy(address.bytes.data(), bytes.data(), std::min(bytes.size(), address.Size()));
    return address;
}

std::string ValueText(Field field, std::span<const uint8_t> bytes) {
    switch (field) {
        case Field::kInputLink:
        case Field::kOutputLink: {
            std::string_view name(reinterpret_cast<const char*>(bytes.data()), bytes.size());
            const bool whole = name.find('\0') != name.npos;
            return Cat("\"", name.substr(0, name.find('\0')), whole ? "\"" : "*\"");
        }
        case Field::kEtherSource:
        case Field::kArpSenderMac: {
            MacAddress mac{};
            __builtin_memcpy(mac.data(), bytes.data(), std::min(bytes.size(), mac.size()));
            return FormatMac(mac);
        }
        case Field::kIp4Source:
        case Field::kIp4Destination:
        case Field::kArpSenderAddress: return FormatAddress(AddressOf(bytes, false));
        case Field::kIp6Source:
        case Field::kIp6Destination:
        case Field::kNeighbourTarget: return FormatAddress(AddressOf(bytes, true));
        case Field::kTransport:
            switch (bytes[0]) {
                case IPPROTO_TCP: return "tcp";
                case IPPROTO_UDP: return "udp";
                case IPPROTO_SCTP: return "sctp";
                case IPPROTO_ICMP: return "icmp";
                case IPPROTO_ICMPV6: return "ipv6-icmp";
            }
            return std::to_string(bytes[0]);
        case Field::kProtocolFamily: return bytes[0] == 2 ? "ipv4" : "ipv6";
        case Field::kEtherType:
            switch (bytes[0] << 8 | bytes[1]) {
                case 0x0800: return "ip";
                case 0x0806: return "arp";
                case 0x86dd: return "ip6";
            }
            return std::to_string(bytes[0] << 8 | bytes[1]);
        case Field::kDestinationPort: return std::to_string(bytes[0] << 8 | bytes[1]);
        case Field::kIcmp6Type: return std::to_string(bytes[0]);
        case Field::kDestinationKind: return Native32(bytes) == 2 ? "local" : "?";
        case Field::kConnectionState:
            return Native32(bytes) == 6   ? "established,related"
                   : Native32(bytes) == 2 ? "established"
                   : Native32(bytes) == 1 ? "invalid"
                                          : std::to_string(Native32(bytes));
        case Field::kConnectionStatus:
            return Native32(bytes) == IPS_DST_NAT ? "dnat" : std::to_string(Native32(bytes));
    }
    return {};
}

std::string MatchText(const Match& match, TableFamily family) {
    const std::string fields =
        JoinFields(match.fields, [&](Field field) { return FieldText(field, family); });
    const char* not_ = match.negated ? " != " : " ";
    switch (match.kind) {
        case Match::Kind::kInSet: return Cat(fields, not_, "@", match.set);
        case Match::Kind::kInPrefix:
            return Cat(fields, not_, ValueText(match.fields[0], match.value), "/",
                       std::to_string(match.bits));
        case Match::Kind::kEquals:
        case Match::Kind::kBits: return Cat(fields, not_, ValueText(match.fields[0], match.value));
    }
    return {};
}

std::string ActionText(const Rule& rule, TableFamily family) {
    switch (rule.action) {
        case Action::kAccept: return "accept";
        case Action::kDrop: return "drop";
        case Action::kReturn: return "return";
        case Action::kReject: return "reject with icmpx admin-prohibited";
        case Action::kJump: return Cat("jump ", rule.target);
        case Action::kMasquerade: return "masquerade";
        case Action::kOffload: return Cat("flow add @", rule.target);
        case Action::kRedirect:
            return Cat("dnat ", rule.v6 ? "ip6" : "ip", " to ",
                       JoinFields(rule.key, [&](Field field) { return FieldText(field, family); }),
                       " map @", rule.target);
    }
    return {};
}

std::string ElementText(const Set& set, const Element& element) {
    std::string text;
    std::span<const uint8_t> rest(element.key);
    for (Field field : set.key) {
        text += Cat(text.empty() ? "" : " . ", ValueText(field, rest));
        rest = rest.subspan(std::min((SizeOf(field) + 3) & ~size_t{3}, rest.size()));
    }
    if (element.data.empty()) return text;
    const bool v6 = set.data == Set::Data::kIp6Port;
    const std::span<const uint8_t> data(element.data);
    return Cat(text, " : ", FormatAddress(AddressOf(data, v6)), " . ",
               ValueText(Field::kDestinationPort, data.subspan(v6 ? 16 : 4)));
}

std::string SetText(const Set& set) {
    const bool map = set.data != Set::Data::kNone;
    std::string text =
        Cat("\t", map ? "map " : "set ", set.name, " {\n\t\ttype ", JoinFields(set.key, TypeText));
    if (map)
        text += set.data == Set::Data::kIp6Port ? " : ipv6_addr . inet_service"
                                                : " : ipv4_addr . inet_service";
    text += "\n";
    if (!set.elements.empty()) {
        text += "\t\telements = { ";
        for (size_t i = 0; i < set.elements.size(); ++i)
            text += Cat(i == 0 ? "" : ", ", ElementText(set, set.elements[i]));
        text += " }\n";
    }
    return text + "\t}\n";
}

std::string FlowtableText(const Table& table) {
    std::string text = Cat("\tflowtable ", table.flowtable, " {\n\t\thook ingress priority 0;\n");
    if (!table.flow_links.empty()) {
        text += "\t\tdevices = { ";
        for (size_t i = 0; i < table.flow_links.size(); ++i)
            text += Cat(i == 0 ? "\"" : ", \"", table.flow_links[i], "\"");
        text += " };\n";
    }
    return text + "\t}\n";
}

std::string ChainText(const Chain& chain, TableFamily family) {
    constexpr const char* kHooks[] = {"prerouting", "input", "forward", "output", "postrouting"};
    std::string text = Cat("\tchain ", chain.name, " {\n");
    if (chain.hook != Chain::Hook::kNone)
        text += Cat("\t\ttype ", chain.nat ? "nat" : "filter", " hook ",
                    kHooks[static_cast<size_t>(chain.hook)], " priority ",
                    std::to_string(chain.priority), "; policy ", chain.drops ? "drop" : "accept",
                    ";\n");
    for (const Rule& rule : chain.rules) {
        text += "\t\t";
        for (const Match& match : rule.matches) text += MatchText(match, family) + " ";
        text += ActionText(rule, family) + "\n";
    }
    return text + "\t}\n";
}

}  // namespace

std::string RulesetText(std::span<const Table> tables) {
    std::string text;
    for (const Table& table : tables) {
        text += Cat("table ", table.family == TableFamily::kInet ? "inet " : "bridge ", table.name,
                    " {\n");
        for (const Set& set : table.sets) text += SetText(set);
        if (!table.flowtable.empty()) text += FlowtableText(table);
        for (const Chain& chain : table.chains) text += ChainText(chain, table.family);
        text += "}\n";
    }
    return text;
}

}  // namespace husk::network
