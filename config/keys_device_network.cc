// Rows of [Network] of /etc/husk/system.conf. Link= begins a link; the keys behind it are about
// that one.
#include "config/key_parsers.h"
#include "config/network_values.h"

namespace husk::config {
namespace {

using C = SystemConfig;
using L = LinkDefinition;
using T = ValueType;

constexpr size_t kMaxLinkName = 15;  // bytes (IFNAMSIZ)

Value<std::string> ParseLink(std::string_view text) {
    constexpr char kHint[] = "its name as in eth0, or a pattern such as en*";
    const bool pattern = text.find_first_of("*?[") != text.npos;
    bool good = !text.empty() && text.size() <= (pattern ? 64 : kMaxLinkName) && text != "." &&
                text != ".." && text != "all" && text != "default";
    for (char c : text) good = good && c > ' ' && c < '\x7f' && c != '/' && c != ':';
    if (!good) return Bad(Cat(Quote(text), " is not a link"), kHint);
    if (text == "lo") return Bad("the loopback link is always up", "drop it");
    if (text.starts_with("hk-") || text.starts_with("hv-"))
        return Bad(Cat("link ", Quote(text), " is husk's own"), kHint);
    return std::string(text);
}

Outcome BeginLink(C& system, const KeyInput& input) {
    if (input.resets) return system.links.clear(), Outcome{};
    auto name = ParseLink(input.text);
    // A group in any case: the keys behind a bad name are none of the link before it.
    system.links.push_back({.match = name.value_or(""), .at = input.at});
    if (!name) return std::unexpected(std::move(name).error());
    for (const L& other : system.links)
        if (&other != &system.links.back() && other.match == *name) {
            system.links.back().match.clear();
            return Bad(Cat("link ", Quote(*name), " is there already (line ",
                           std::to_string(other.at.line), ")"),
                       "write all of its keys behind the first one");
        }
    return CheckCount(system.links.size());
}

constexpr char kBegins[] = "Link";

template <auto Member, auto Parse>
constexpr KeyCode kSetLink = kInGroup<&C::links, kBegins, kSetPath<Parse, Member>>;
template <auto Member, auto Parse>
constexpr KeyCode kAppendLink = kInGroup<&C::links, kBegins, kAppendPath<Parse, Member>>;

Value<IpPrefix> ParseLinkAddress(std::string_view text) {
    auto prefix = ParseIpPrefix(text);
    if (!prefix) return prefix;
    const IpPrefix& it = *prefix;
    const bool whole = it.length == it.address.Bits();
    if (it.length == 0 || it.address.IsAny() ||
        (!whole && it.length != it.address.Bits() - 1 && it.address == FirstOf(it)))
        return Bad(Cat(Quote(text), " is a network, and no address in it"),
                   "the address of the device with the length of its network, as in 10.0.0.2/24");
    return prefix;
}

// DEST/LEN [GATEWAY]
Value<DeviceRoute> ParseRoute(std::string_view text) {
    const auto words = SplitWords(text);
    if (words.empty() || words.size() > 2)
        return Bad(Cat(Quote(text), " is not a route"),
                   "DESTINATION/LENGTH GATEWAY, as in 10.8.0.0/16 10.0.0.1");
    auto destination = ParseSubnet(words[0]);
    if (!destination) return std::unexpected(std::move(destination).error());
    DeviceRoute route{.destination = *destination};
    if (words.size() == 1) {
        if (destination->length == 0)
            return Bad(Cat(Quote(text), " is the way to everywhere"), "write Gateway=ADDRESS");
        return route;
    }
    auto gateway = ParseIpAddress(words[1]);
    if (!gateway) return std::unexpected(std::move(gateway).error());
    if (gateway->v6 != destination->address.v6)
        return Bad(Cat(Quote(text), " leads from IPv4 to IPv6"), "both of one family");
    route.gateway = *gateway;
    return route;
}

template <typename Item>
Value<std::vector<Item>> EachOf(std::string_view text, Value<Item> (*parse)(std::string_view)) {
    std::vector<Item> items;
    for (std::string_view word : SplitWords(text)) {
        auto item = parse(word);
        if (!item) return std::unexpected(std::move(item).error());
        items.push_back(std::move(*item));
    }
    return items;
}
Value<std::vector<IpAddress>> ParseServers(std::string_view text) {
    return EachOf(text, ParseIpAddress);
}
Value<std::vector<std::string>> ParseDomains(std::string_view text) {
    return EachOf(text, ParseHostName);
}

// Less than 1280 and there is no IPv6 on it; 68 is the least that IPv4 works with.
Value<uint32_t> ParseMtu(std::string_view text) {
    auto mtu = ParseRange(text, 68, 65535);
    if (!mtu) return std::unexpected(std::move(mtu).error());
    return static_cast<uint32_t>(*mtu);
}

constexpr KeyRow kNetwork[] = {
    {"Link", T::kText, "",
     "Begins a link of the device: the keys behind it, up to the next Link=, are about this one. "
     "Its name means any link, a pattern such as en* physical ones that are not named. Physical "
     "links are always brought up, named or not, also those that appear later.",
     kOwn<BeginLink>},
    {"Address", T::kText, "",
     "A static address with the length of its network; may be given more than once. It is put "
     "back when the link comes back. For addresses by DHCP run the unit of a client, such as "
     "dhcpcd of the demo.",
     kAppendLink<&L::addresses, WithPlace<ParseLinkAddress>>},
    {"Gateway", T::kText, "", "Where packets for elsewhere are sent, one of each family.",
     kAppendLink<&L::gateways, WithPlace<ParseIpAddress>>},
    {"Route", T::kText, "",
     "DESTINATION/LENGTH GATEWAY: a further route. Without the gateway the destination is on the "
     "link itself.",
     kAppendLink<&L::routes, WithPlace<ParseRoute>>},
    {"DNS", T::kText, "",
     "Name servers of the device and, where they say nothing else, of its units. They go before "
     "those that clients write into /run/husk/dns.",
     kAppendLink<&L::dns, ParseServers>},
    {"DNSSearch", T::kText, "", "Search domains, likewise.",
     kAppendLink<&L::dns_search, ParseDomains>},
    {"MTU", T::kNumber, "", "Bytes of the largest packet.", kSetLink<&L::mtu, ParseMtu>},
    {"IPv6AcceptRA", T::kBoolean, "the kernel's",
     "Whether the kernel takes addresses and routes from router advertisements, also while IPv6 "
     "is forwarded. A client that does it itself, as dhcpcd does, wants no.",
     kSetLink<&L::accept_ra, ParseBoolean>},
    {"RequiredForOnline", T::kBoolean, "yes",
     "The device is not online before this link has a carrier and its addresses.",
     kSetLink<&L::required, ParseBoolean>},
};

constexpr char kPerLink[] = "write Link=NAME and the keys for it behind it";
constexpr Refused kRefused[] = {
    {"DHCP",
     "husk asks for no address itself; run the unit of a client, such as dhcpcd of the demo "
     "(images/demo/units/dhcpcd.container), and leave it out"},
    {"Name MACAddress", kPerLink},
    {"Domains", "it is another name of DNSSearch=", "Network.DNSSearch"},
    {"MTUBytes", "it is another name of MTU=", "Network.MTU"},
    {"LinkLocalAddressing", "a client such as dhcpcd does it; leave it out"},
};

}  // namespace

std::span<const KeyRow> DeviceNetworkKeys() { return kNetwork; }
std::span<const Refused> DeviceNetworkRefused() { return kRefused; }

}  // namespace husk::config
