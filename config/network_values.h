// Addresses, ports and names on networks, from text. Pure.
#pragma once

#include <cstdint>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/values.h"

namespace husk::config {

// An address with the length of its network: 10.88.0.1/16.
struct IpPrefix {
    IpAddress address;
    unsigned length = 0;  // bits
    friend bool operator==(const IpPrefix&, const IpPrefix&) = default;
};

Value<IpAddress> ParseIpAddress(std::string_view text);
Value<IpAddress> ParseIp4Address(std::string_view text);
Value<IpAddress> ParseIp6Address(std::string_view text);
// ADDRESS/LENGTH
Value<IpPrefix> ParseIpPrefix(std::string_view text);
// The same, and nothing may be set in the address but the network's bits.
Value<IpPrefix> ParseSubnet(std::string_view text);
// ADDRESS/LENGTH or FIRST-LAST: of one family, in order.
struct IpRange {
    IpAddress first, last;
};
Value<IpRange> ParseIpRange(std::string_view text);
// 1 to 65535.
Value<uint16_t> ParsePort(std::string_view text);

// [[IP:]HOST:]CONTAINER[/PROTOCOL]; ports may be ranges of the same length, IPv6 is in brackets.
Value<PublishedPort> ParsePublishedPort(std::string_view text);
// Whether both want the same port of the device.
bool Overlaps(const PublishedPort& a, const PublishedPort& b);

// A line of /etc/hosts.
struct HostEntry {
    std::vector<std::string> names;
    std::optional<IpAddress> address;  // none: "host-gateway"
};
// NAME[;NAME...]:ADDRESS
Value<HostEntry> ParseHostEntry(std::string_view text);

// DNS=: an address, or "none".
Value<std::optional<IpAddress>> ParseNameServer(std::string_view text);
// DNSSearch=: a domain, or "." for none.
Value<std::string> ParseSearchDomain(std::string_view text);

// Where a health check asks.
struct HealthTarget {
    std::string host;  // name or address, "localhost" where none is given
    uint16_t port = 80;
    std::string path = "/";  // HealthHttp= only
};
// http://HOST[:PORT][/PATH]
Value<HealthTarget> ParseHealthHttp(std::string_view text);
// [HOST:]PORT
Value<HealthTarget> ParseHealthTcp(std::string_view text);

// ListenStream=, ListenDatagram=: a path, @ABSTRACT, PORT, ADDRESS:PORT or [IPV6]:PORT.
struct ListenAddress {
    std::string path;  // of a Unix socket; begins with '@' in the abstract namespace
    std::optional<IpAddress> address;
    uint16_t port = 0;
};
Value<ListenAddress> ParseListenAddress(std::string_view text);

}  // namespace husk::config
