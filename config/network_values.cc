#include "config/network_values.h"

#include <arpa/inet.h>

#include <algorithm>

#include "base/text.h"

namespace husk::config {
namespace {

constexpr char kPublishHint[] =
    "[[ADDRESS:]PORT:]CONTAINER-PORT[/tcp|udp|sctp], an IPv6 address in brackets";

// "[IPV6]REST" or "ADDRESS:REST": the address is taken off `text` with what ends it.
std::string_view TakeHost(std::string_view& text) {
    std::string_view host;
    if (text.starts_with('[')) {
        const size_t close = text.find("]:");
        if (close == text.npos) return {};
        host = text.substr(1, close - 1);
        text.remove_prefix(close + 2);
    } else if (const size_t colon = text.find(':'); colon != text.npos) {
        host = text.substr(0, colon);
        text.remove_prefix(colon + 1);
    }
    return host;
}

struct PortRange {
    uint16_t first = 0, count = 1;
};

Value<PortRange> ParsePortRange(std::string_view text) {
    const auto ends = Split(text, '-');
    if (ends.size() > 2)
        return Bad(Cat(Quote(text), " is not a range of ports"), "FIRST-LAST, as in 8000-8009");
    auto first = ParsePort(ends[0]);
    if (!first) return std::unexpected(std::move(first).error());
    auto last = ParsePort(ends.back());
    if (!last) return std::unexpected(std::move(last).error());
    if (*last < *first)
        return Bad(Cat("range ", Quote(text), " ends before it begins"), "FIRST-LAST");
    return PortRange{*first, static_cast<uint16_t>(*last - *first + 1)};
}

constexpr Choice kProtocols[] = {
    {"tcp", static_cast<int>(PortProtocol::kTcp)},
    {"udp", static_cast<int>(PortProtocol::kUdp)},
    {"sctp", static_cast<int>(PortProtocol::kSctp)},
};

// Where a health check asks: names are not looked up, since that could take any time.
Value<std::string> ParseCheckedHost(std::string_view text) {
    if (text == "localhost" || ParseIpAddress(text)) return std::string(text);
    return Bad(Cat(Quote(text), " is not an address"),
               "an address or localhost; other names are not looked up");
}

}  // namespace

Value<IpAddress> ParseIpAddress(std::string_view text) {
    IpAddress address;
    address.v6 = text.find(':') != text.npos;
    const std::string terminated(text);
    if (::inet_pton(address.v6 ? AF_INET6 : AF_INET, terminated.c_str(), address.bytes.data()) == 1)
        return address;
    return Bad(Cat(Quote(text), " is not an address"), "as in 10.0.0.2 or fd00::2");
}

Value<IpAddress> ParseIp4Address(std::string_view text) {
    auto address = ParseIpAddress(text);
    if (address && address->v6)
        return Bad(Cat(Quote(text), " is an IPv6 address"), "write IP6= for it");
    return address;
}

Value<IpAddress> ParseIp6Address(std::string_view text) {
    auto address = ParseIpAddress(text);
    if (address && !address->v6)
        return Bad(Cat(Quote(text), " is an IPv4 address"), "write IP= for it");
    return address;
}

Value<IpPrefix> ParseIpPrefix(std::string_view text) {
    const size_t slash = text.find('/');
    auto address = ParseIpAddress(text.substr(0, slash));
    if (!address) return std::unexpected(std::move(address).error());
    const unsigned most = address->v6 ? 128 : 32;
    const auto length = slash == text.npos ? std::nullopt : ParseUnsigned(text.substr(slash + 1));
    if (!length || *length > most)
        return Bad(Cat(Quote(text), " has no length of the network"),
                   Cat("ADDRESS/LENGTH with a length of 0 to ", std::to_string(most)));
    return IpPrefix{*address, static_cast<unsigned>(*length)};
}

Value<IpPrefix> ParseSubnet(std::string_view text) {
    auto prefix = ParseIpPrefix(text);
    if (!prefix) return prefix;
    for (unsigned bit = prefix->length; bit < 128; ++bit)
        if ((prefix->address.bytes[bit / 8] >> (7 - bit % 8) & 1) != 0)
            return Bad(Cat(Quote(text), " is an address in a network, not a network"),
                       "set the bits after the length to 0, as in 10.88.0.0/16");
    return prefix;
}

Value<IpRange> ParseIpRange(std::string_view text) {
    if (const size_t dash = text.find('-'); dash != text.npos) {
        auto first = ParseIpAddress(text.substr(0, dash));
        if (!first) return std::unexpected(std::move(first).error());
        auto last = ParseIpAddress(text.substr(dash + 1));
        if (!last) return std::unexpected(std::move(last).error());
        if (first->v6 != last->v6 || first->bytes > last->bytes)
            return Bad(Cat(Quote(text), " is not a range of addresses"),
                       "FIRST-LAST of one family, the lower one first");
        return IpRange{*first, *last};
    }
    auto prefix = ParseSubnet(text);
    if (!prefix) return std::unexpected(std::move(prefix).error());
    IpRange range{prefix->address, prefix->address};
    for (unsigned bit = prefix->length; bit < (range.last.v6 ? 128u : 32u); ++bit)
        range.last.bytes[bit / 8] |= static_cast<uint8_t>(1u << (7 - bit % 8));
    return range;
}

Value<uint16_t> ParsePort(std::string_view text) {
    auto port = ParseUnsigned(text);
    if (!port || *port == 0 || *port > UINT16_MAX)
        return Bad(Cat(Quote(text), " is not a port"), "1 to 65535");
    return static_cast<uint16_t>(*port);
}

Value<PublishedPort> ParsePublishedPort(std::string_view text) {
    PublishedPort port;
    std::string_view rest = text;
    if (const size_t slash = rest.find('/'); slash != rest.npos) {
        auto protocol = ParseChoice(rest.substr(slash + 1), kProtocols);
        if (!protocol) return std::unexpected(std::move(protocol).error());
        port.protocol = static_cast<PortProtocol>(*protocol);
        rest = rest.substr(0, slash);
    }
    const bool bracket = rest.starts_with('[');
    const auto colons = std::count(rest.begin(), rest.end(), ':');
    if (bracket || colons > 1) {
        const std::string_view host = TakeHost(rest);
        if (std::count(rest.begin(), rest.end(), ':') > 1 || host.empty() ||
            (!bracket && host.find(':') != host.npos))
            return Bad(Cat(Quote(text), " is not a published port"), kPublishHint);
        auto address = ParseIpAddress(host);
        if (!address) return std::unexpected(std::move(address).error());
        port.address = *address;
    }
    const size_t colon = rest.rfind(':');
    auto container = ParsePortRange(colon == rest.npos ? rest : rest.substr(colon + 1));
    if (!container) return Bad(std::move(container.error()->text), kPublishHint);
    port.container = container->first;
    port.count = container->count;
    if (colon == rest.npos || colon == 0) return port;
    auto host = ParsePortRange(rest.substr(0, colon));
    if (!host) return Bad(std::move(host.error()->text), kPublishHint);
    if (host->count != container->count)
        return Bad(Cat("ranges of ", Quote(text), " are not of the same length"),
                   "as many ports of the device as of the container");
    port.host = host->first;
    return port;
}

bool Overlaps(const PublishedPort& a, const PublishedPort& b) {
    if (a.protocol != b.protocol || a.host == 0 || b.host == 0) return false;
    if (a.host + a.count <= b.host || b.host + b.count <= a.host) return false;
    if (!a.address || !b.address) return true;
    return a.address->v6 == b.address->v6 &&
           (a.address == b.address || a.address->IsAny() || b.address->IsAny());
}

Value<HostEntry> ParseHostEntry(std::string_view text) {
    const size_t colon = text.find(':');
    if (colon == text.npos)
        return Bad(Cat(Quote(text), " has no address"), "NAME:ADDRESS, as in db:10.0.0.2");
    HostEntry entry;
    for (std::string_view name : Split(text.substr(0, colon), ';')) {
        auto good = ParseHostName(name);
        if (!good) return std::unexpected(std::move(good).error());
        entry.names.push_back(std::move(*good));
    }
    const std::string_view address = text.substr(colon + 1);
    if (address == "host-gateway") return entry;
    auto parsed = ParseIpAddress(address);
    if (!parsed) return std::unexpected(std::move(parsed).error());
    entry.address = *parsed;
    return entry;
}

Value<std::optional<IpAddress>> ParseNameServer(std::string_view text) {
    if (text == "none") return std::optional<IpAddress>();
    auto address = ParseIpAddress(text);
    if (!address) return Bad(std::move(address.error()->text), "an address, or 'none'");
    return std::optional(*address);
}

Value<std::string> ParseSearchDomain(std::string_view text) {
    if (text == ".") return std::string();
    return ParseHostName(text);
}

Value<HealthTarget> ParseHealthHttp(std::string_view text) {
    constexpr char kHint[] = "http://HOST[:PORT][/PATH], as in http://localhost:8080/health";
    if (text.starts_with("https://"))
        return Bad(Cat(Quote(text), ": a check by https is not supported"),
                   "http:// or HealthCmd=");
    std::string_view rest = text;
    if (!rest.starts_with("http://")) return Bad(Cat(Quote(text), " is not an address"), kHint);
    rest.remove_prefix(7);
    HealthTarget target;
    if (const size_t slash = rest.find('/'); slash != rest.npos) {
        target.path = rest.substr(slash);
        rest = rest.substr(0, slash);
    }
    if (std::ranges::any_of(target.path, [](char c) { return c <= ' ' || c == '\x7f'; }))
        return Bad(Cat("path ", Quote(target.path), " has a blank or a control character"),
                   "write %%20 for a blank");
    std::string_view host = rest;
    if (const size_t colon = rest.rfind(':'); colon != rest.npos && !rest.ends_with(']')) {
        auto port = ParsePort(rest.substr(colon + 1));
        if (!port) return std::unexpected(std::move(port).error());
        target.port = *port;
        host = rest.substr(0, colon);
    }
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    auto good = ParseCheckedHost(host);
    if (!good) return std::unexpected(std::move(good).error());
    target.host = std::move(*good);
    return target;
}

Value<HealthTarget> ParseHealthTcp(std::string_view text) {
    HealthTarget target{.host = "localhost"};
    std::string_view rest = text;
    if (const std::string_view host = TakeHost(rest); rest.size() != text.size()) {
        auto good = ParseCheckedHost(host);
        if (!good) return std::unexpected(std::move(good).error());
        target.host = std::move(*good);
    }
    auto port = ParsePort(rest);
    if (!port) return Bad(std::move(port.error()->text), "[HOST:]PORT");
    target.port = *port;
    return target;
}

Value<ListenAddress> ParseListenAddress(std::string_view text) {
    constexpr size_t kMostPath = 107;  // unix(7): sun_path with its NUL
    ListenAddress listen;
    if (text.starts_with('/') || text.starts_with('@')) {
        if (text.size() > kMostPath || text == "@")
            return Bad(Cat(Quote(text), " is not the name of a socket"), "1 to 107 bytes");
        listen.path = text;
        if (text[0] == '@') return listen;
        auto path = ParsePath(text);
        if (!path) return std::unexpected(std::move(path).error());
        listen.path = std::move(*path);
        return listen;
    }
    std::string_view rest = text;
    const std::string_view host = TakeHost(rest);
    if (rest.size() != text.size()) {
        auto address = ParseIpAddress(host);
        if (!address) return std::unexpected(std::move(address).error());
        listen.address = *address;
    }
    auto port = ParsePort(rest);
    if (!port)
        return Bad(std::move(port.error()->text),
                   "a path, @NAME, PORT, ADDRESS:PORT or [IPV6]:PORT");
    listen.port = *port;
    return listen;
}

const char* ListenKey(Listener::Kind kind) {
    switch (kind) {
        case Listener::Kind::kStream: return "ListenStream";
        case Listener::Kind::kDatagram: return "ListenDatagram";
        case Listener::Kind::kFifo: return "ListenFIFO";
    }
    return "";
}

std::string ListenText(const ListenAddress& listen) {
    if (!listen.path.empty()) return listen.path;
    std::string port = std::to_string(listen.port);
    if (!listen.address) return port;
    char text[INET6_ADDRSTRLEN] = {};
    const bool v6 = listen.address->v6;
    // Cannot fail: there is room for any address.
    (void)::inet_ntop(v6 ? AF_INET6 : AF_INET, listen.address->bytes.data(), text, sizeof text);
    return v6 ? Cat("[", text, "]:", port) : Cat(text, ":", port);
}

bool Clashes(const Listener& a, const Listener& b) {
    const ListenAddress &one = a.address, &other = b.address;
    if (!one.path.empty() || !other.path.empty())
        return one.path == other.path && (one.path[0] != '@' || a.kind == b.kind);
    if (a.kind != b.kind || one.port != other.port) return false;
    // [::] takes IPv4 along, and so does a port alone.
    const bool all = !one.address || !other.address ||
                     (one.address->IsAny() && (one.address->v6 || !other.address->v6)) ||
                     (other.address->IsAny() && (other.address->v6 || !one.address->v6));
    return all || *one.address == *other.address;
}

}  // namespace husk::config
