// What of a plan is kept in files: leases, and how a unit was connected.
#include <algorithm>

#include "base/text.h"
#include "network/plan.h"

namespace husk::network {

std::string WriteLeases(const Leases& leases) {
    std::string text =
        "# Addresses and ports that husk gave out. Without this file they may change.\n";
    for (const Lease& lease : leases) {
        if (lease.network.empty())
            text += Cat("port ", lease.unit, " ", std::to_string(lease.port.container), " ",
                        std::to_string(lease.port.count), " ", std::to_string(lease.port.protocol),
                        " ", std::to_string(lease.port.host), "\n");
        else if (lease.unit.empty())
            text += Cat("network ", lease.network, " ", FormatPrefix(lease.prefix), "\n");
        else
            text += Cat("address ", lease.network, " ", lease.unit, " ",
                        FormatAddress(lease.prefix.address), "\n");
    }
    return text;
}

namespace {

std::optional<Lease> ReadLease(const std::vector<std::string_view>& words) {
    Lease lease;
    auto number = [&](size_t index, uint64_t least, uint64_t most) {
        const auto value = ParseUnsigned(words[index]);
        return value && *value >= least && *value <= most ? value : std::nullopt;
    };
    if (words.size() == 3 && words[0] == "network") {
        const auto prefix = ParsePrefix(words[2]);
        if (!prefix || FirstOf(*prefix) != prefix->address) return std::nullopt;
        lease.network = words[1];
        lease.prefix = *prefix;
        return lease;
    }
    if (words.size() == 4 && words[0] == "address") {
        const auto address = ParseAddress(words[3]);
        if (!address) return std::nullopt;
        lease.network = words[1];
        lease.unit = words[2];
        lease.prefix = {*address, address->Bits()};
        return lease;
    }
    if (words.size() != 6 || words[0] != "port") return std::nullopt;
    const auto container = number(2, 1, 65535), count = number(3, 1, 65535),
               protocol = number(4, 1, 255), host = number(5, 1, 65535);
    if (!container || !count || !protocol || !host) return std::nullopt;
    lease.unit = words[1];
    lease.port = {.address = {},
                  .host = static_cast<uint16_t>(*host),
                  .container = static_cast<uint16_t>(*container),
                  .count = static_cast<uint16_t>(*count),
                  .protocol = static_cast<uint8_t>(*protocol)};
    return lease;
}

}  // namespace

Leases ReadLeases(std::string_view text) {
    Leases leases;
    while (!text.empty() && leases.size() < kMaxLeases) {
        const size_t end = std::min(text.find('\n'), text.size());
        if (auto lease = ReadLease(SplitWords(text.substr(0, end))))
            leases.push_back(std::move(*lease));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return leases;
}

std::string WriteUnit(const PlannedUnit& unit) {
    std::string text = Cat("unit ", unit.unit, " ", unit.host_name, "\n");
    for (const PlannedMember& member : unit.members) {
        text += Cat("member ", member.network, " ", member.port.empty() ? "-" : member.port, " ",
                    member.interface, " ", FormatMac(member.mac), "\n");
        for (const IpPrefix& address : member.addresses)
            text += Cat("address ", FormatPrefix(address), "\n");
        for (const std::string& name : member.names) text += Cat("name ", name, "\n");
        if (member.upper.kind.empty()) continue;
        text += Cat("upon ", member.upper.kind, " ", member.upper.parent, " ",
                    std::to_string(member.upper.mtu), member.upper.hears_routers ? " yes" : " no");
        for (const IpAddress& gateway : member.upper.gateways)
            text += Cat(" ", FormatAddress(gateway));
        text += "\n";
    }
    for (const FirewallPort& port : unit.ports)
        text += Cat("port ", port.address ? FormatAddress(*port.address) : std::string("any"), " ",
                    std::to_string(port.protocol), " ", std::to_string(port.port), " ",
                    FormatAddress(port.to), " ", std::to_string(port.to_port), "\n");
    return text + "end\n";
}

namespace {

bool ReadPort(const std::vector<std::string_view>& words, PlannedUnit& unit) {
    const auto protocol = ParseUnsigned(words[2]), port = ParseUnsigned(words[3]),
               to_port = ParseUnsigned(words[5]);
    const auto at = words[1] == "any" ? std::nullopt : ParseAddress(words[1]);
    const auto to = ParseAddress(words[4]);
    if (!protocol || *protocol > 255 || !port || *port > 65535 || !to_port || *to_port > 65535 ||
        !to || (words[1] != "any" && !at))
        return false;
    unit.ports.push_back({at, static_cast<uint8_t>(*protocol), static_cast<uint16_t>(*port), *to,
                          static_cast<uint16_t>(*to_port)});
    return true;
}

bool ReadUpperLink(const std::vector<std::string_view>& words, UpperLink& upper) {
    const auto mtu = ParseUnsigned(words[3]);
    if (!mtu || *mtu > UINT32_MAX || words[2].size() > kMaxLinkName) return false;
    upper = {.kind = std::string(words[1]),
             .parent = std::string(words[2]),
             .mtu = static_cast<uint32_t>(*mtu),
             .hears_routers = words[4] == "yes"};
    for (size_t i = 5; i < words.size(); ++i) {
        const auto gateway = ParseAddress(words[i]);
        if (!gateway) return false;
        upper.gateways.push_back(*gateway);
    }
    return true;
}

bool ReadUnitLine(const std::vector<std::string_view>& words, PlannedUnit& unit) {
    if (words.size() == 3 && words[0] == "unit") {
        unit.unit = words[1];
        unit.host_name = words[2];
        return true;
    }
    if (words.size() == 5 && words[0] == "member") {
        const auto mac = ParseMacAddress(words[4]);
        if (!mac || words[2].size() > kMaxLinkName || words[3].size() > kMaxLinkName) return false;
        unit.members.push_back({.network = std::string(words[1]),
                                .port = words[2] == "-" ? std::string() : std::string(words[2]),
                                .interface = std::string(words[3]),
                                .mac = *mac});
        return true;
    }
    if (words.size() == 2 && words[0] == "address" && !unit.members.empty()) {
        const auto prefix = ParsePrefix(words[1]);
        if (prefix) unit.members.back().addresses.push_back(*prefix);
        return prefix.has_value();
    }
    if (words.size() == 2 && words[0] == "name" && !unit.members.empty()) {
        unit.members.back().names.emplace_back(words[1]);
        return true;
    }
    if (words.size() >= 5 && words[0] == "upon" && !unit.members.empty())
        return ReadUpperLink(words, unit.members.back().upper);
    return words.size() == 6 && words[0] == "port" && ReadPort(words, unit);
}

}  // namespace

std::optional<PlannedUnit> ReadUnit(std::string_view text) {
    PlannedUnit unit;
    while (!text.empty()) {
        const size_t end = std::min(text.find('\n'), text.size());
        const auto words = SplitWords(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (words.size() == 1 && words[0] == "end" && text.empty() && !unit.unit.empty())
            return unit;
        if (!ReadUnitLine(words, unit)) return std::nullopt;
    }
    return std::nullopt;
}

}  // namespace husk::network
