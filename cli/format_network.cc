// `husk network`.
#include <algorithm>

#include "base/text.h"
#include "cli/format.h"

namespace husk::cli {
namespace {

std::string OrDash(std::string text) { return text.empty() ? "-" : text; }

// A row whose last columns are lists: a line for the first of each, and one for each further one.
void AddRow(std::vector<std::vector<std::string>>& rows, std::vector<std::string> first,
            std::initializer_list<const std::vector<std::string>*> lists) {
    size_t lines = 1;
    for (const auto* list : lists) lines = std::max(lines, list->size());
    const size_t columns = first.size();
    for (size_t i = 0; i < lines; ++i) {
        std::vector<std::string> row =
            i == 0 ? std::move(first) : std::vector<std::string>(columns);
        for (const auto* list : lists)
            row.push_back(i < list->size() ? (*list)[i] : i == 0 ? "-" : "");
        rows.push_back(std::move(row));
    }
}

std::string StateOf(const LinkView& link) {
    return !link.up ? "down" : link.carrier ? "up" : "no carrier";
}

}  // namespace

std::string FormatNetworks(const std::vector<NetworkView>& networks, const Style& style) {
    if (networks.empty()) return "no network has a file\n";
    std::vector<std::vector<std::string>> rows = {{"NETWORK", "STATE", "UNITS", "ADDRESSES"}};
    for (const NetworkView& network : networks) {
        const auto up = std::ranges::count(network.members, true, &NetworkView::Member::up);
        AddRow(rows,
               {Visible(style, network.name),
                Cat(network.up ? "up" : "down", network.internal ? ", internal" : ""),
                Cat(std::to_string(up), " of ", std::to_string(network.members.size()))},
               {&network.addresses});
    }
    return Table(rows);
}

std::string FormatNetwork(const NetworkView& network, const Style& style) {
    std::string text = Cat(Visible(style, network.name), ": ", network.up ? "up" : "down",
                           network.internal ? ", internal" : "");
    if (network.parent.empty())
        text += Cat(", bridge ", network.bridge, ", the device is ",
                    OrDash(Join(network.addresses, " ")), "\n");
    else
        text += Cat(", ", network.driver, " upon link ", network.parent, "\n");
    if (network.members.empty()) return text + "no unit is in it\n";
    std::vector<std::vector<std::string>> rows = {
        {"UNIT", "STATE", "LINK", "RECEIVED", "SENT", "ADDRESSES", "PORTS"}};
    auto counted = [](const NetworkView::Member& member, uint64_t bytes) {
        return member.up ? FormatBytes(bytes) : std::string("-");
    };
    for (const auto& member : network.members)
        AddRow(rows,
               {Visible(style, member.unit), member.up ? "up" : "down", OrDash(member.link),
                counted(member, member.received_bytes), counted(member, member.sent_bytes)},
               {&member.addresses, &member.ports});
    return text + Table(rows);
}

std::string FormatLinks(const std::vector<LinkView>& links, const Style& style) {
    if (links.empty()) return "the device has no link of its own\n";
    std::vector<std::vector<std::string>> rows = {
        {"LINK", "STATE", "RECEIVED", "SENT", "ADDRESSES"}};
    for (const LinkView& link : links) {
        // Each link has one of the kernel's choice: of those that have another it says nothing.
        std::vector<std::string> addresses;
        for (const auto& one : link.addresses)
            if (one.by != "kernel") addresses.push_back(one.address);
        if (addresses.empty() && !link.addresses.empty())
            addresses.push_back(link.addresses.front().address);
        AddRow(rows,
               {Visible(style, link.name), StateOf(link), FormatBytes(link.traffic.received_bytes),
                FormatBytes(link.traffic.sent_bytes)},
               {&addresses});
    }
    return Table(rows);
}

std::string FormatLink(const LinkView& link, const Style& style) {
    const TrafficView& traffic = link.traffic;
    auto counted = [](const char* what, uint64_t bytes, uint64_t packets, uint64_t dropped) {
        return Cat(what, FormatBytes(bytes), " in ", std::to_string(packets), " packets, ",
                   std::to_string(dropped), " dropped\n");
    };
    std::string text =
        Cat(Visible(style, link.name), ": ", StateOf(link), link.kind.empty() ? "" : ", ",
            Visible(style, link.kind), ", MAC ", link.mac, ", MTU ", std::to_string(link.mtu), "\n",
            link.configured ? "set up by [Network] of system.conf\n"
                            : "system.conf says nothing of it\n",
            counted("received ", traffic.received_bytes, traffic.received_packets,
                    traffic.received_dropped),
            counted("sent ", traffic.sent_bytes, traffic.sent_packets, traffic.sent_dropped));
    if (link.addresses.empty()) return text + "no address\n";
    std::vector<std::vector<std::string>> rows = {{"ADDRESS", "BY"}};
    for (const auto& one : link.addresses) rows.push_back({one.address, one.by});
    return text + Table(rows);
}

}  // namespace husk::cli
