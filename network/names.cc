#include "network/names.h"

#include <algorithm>

#include "base/text.h"

namespace husk::network {
namespace {

void AddLine(std::string& text, const IpAddress& address, const std::vector<std::string>& names) {
    std::vector<std::string> unique;
    for (const std::string& name : names)
        if (!name.empty() && std::ranges::find(unique, name) == unique.end())
            unique.push_back(name);
    if (!unique.empty()) text += Cat(FormatAddress(address), "\t", Join(unique, " "), "\n");
}

std::vector<std::string> NamesOf(const PlannedUnit& unit, const PlannedMember& member) {
    std::vector<std::string> names = {unit.unit, unit.host_name};
    names.insert(names.end(), member.names.begin(), member.names.end());
    return names;
}

// ::1, 127.0.0.0/8, and "fe80::1%eth0", which is of a link of the device.
bool IsOfDevice(std::string_view server) {
    const auto address = ParseAddress(server.substr(0, server.find('%')));
    if (!address) return false;
    if (!address->v6) return address->bytes[0] == 127;
    if (address->bytes[0] == 0xfe && (address->bytes[1] & 0xc0) == 0x80) return true;
    IpAddress loopback{.v6 = true};
    loopback.bytes[15] = 1;
    return *address == loopback;
}

}  // namespace

std::string HostsText(const NetworkPlan& plan, const std::vector<std::string>& networks,
                      const std::vector<HostLine>& more) {
    std::string text = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n";
    for (const HostLine& line : more) {
        auto address = line.address;
        if (!address && !networks.empty())
            if (const auto* network = plan.FindNetwork(networks[0]);
                network != nullptr && !network->addresses.empty())
                address = network->addresses[0].address;
        if (address) AddLine(text, *address, line.names);
    }
    for (const PlannedUnit& unit : plan.units) {
        const PlannedMember* shared = nullptr;
        for (const std::string& network : networks)
            for (const PlannedMember& member : unit.members)
                if (shared == nullptr && member.network == network) shared = &member;
        if (shared == nullptr) continue;
        for (const IpPrefix& address : shared->addresses)
            AddLine(text, address.address, NamesOf(unit, *shared));
    }
    return text;
}

std::string ResolverText(const ResolverWish& wish, const std::vector<IpAddress>& of_networks,
                         std::string_view device, bool on_device) {
    std::string servers, search, options;
    for (std::string_view line : Split(device, '\n')) {
        const auto words = SplitWords(line);
        if (words.size() < 2) continue;
        if (words[0] == "nameserver" && (on_device || !IsOfDevice(words[1])))
            servers += Cat("nameserver ", words[1], "\n");
        if (words[0] == "search" || words[0] == "domain") search = Cat(line, "\n");
        if (words[0] == "options") options += Cat(line, "\n");
    }
    const auto& given = wish.servers.empty() ? of_networks : wish.servers;
    if (!given.empty()) servers.clear();
    for (const IpAddress& address : given)
        servers += Cat("nameserver ", FormatAddress(address), "\n");
    if (!wish.search.empty()) {
        std::vector<std::string> domains;
        for (const std::string& domain : wish.search)
            if (!domain.empty()) domains.push_back(domain);
        search = domains.empty() ? "" : Cat("search ", Join(domains, " "), "\n");
    }
    if (!wish.options.empty()) options = Cat("options ", Join(wish.options, " "), "\n");
    return Cat(servers, search, options);
}

}  // namespace husk::network
