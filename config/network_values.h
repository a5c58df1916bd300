// Addresses, ports and names on networks, from text. Pure.
#pragma once

#include <cstdint>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/values.h"

namespace husk::config {

Value<IpAddress> ParseIpAddress(std::string_view text);
Value<IpAddress> ParseIp4Address(std::string_view text);
Value<IpAddress> ParseIp6Address(std::string_view text);
// ADDRESS/LENGTH
Value<IpPrefix> ParseIpPrefix(std::string_view text);
// The same, and nothing may be set in the address but the network's bits.
Value<IpPrefix> ParseSubnet(std::string_view text);
// ADDRESS/LENGTH or FIRST-LAST: of one family, in order.
Value<IpRange> ParseIpRange(std::string_view text);
// 1 to 65535.
Value<uint16_t> ParsePort(std::string_view text);

// [[IP:]HOST:]CONTAINER[/PROTOCOL]; ports may be ranges of the same length, IPv6 is in brackets.
Value<PublishedPort> ParsePublishedPort(std::string_view text);
// Whether both want the same port of the device.
bool Overlaps(const PublishedPort& a, const PublishedPort& b);

// NAME[;NAME...]:ADDRESS
Value<HostEntry> ParseHostEntry(std::string_view text);

// DNS=: an address, or "none".
Value<std::optional<IpAddress>> ParseNameServer(std::string_view text);
// DNSSearch=: a domain, or "." for none.
Value<std::string> ParseSearchDomain(std::string_view text);

// http://HOST[:PORT][/PATH]
Value<HealthTarget> ParseHealthHttp(std::string_view text);
// [HOST:]PORT
Value<HealthTarget> ParseHealthTcp(std::string_view text);

// A path, @ABSTRACT, PORT, ADDRESS:PORT or [IPV6]:PORT.
Value<ListenAddress> ParseListenAddress(std::string_view text);
const char* ListenKey(Listener::Kind kind);  // "ListenStream"
// The same as text again, which parses to the same.
std::string ListenText(const ListenAddress& listen);
// Whether the second of two listeners would find the first one's address in use.
bool Clashes(const Listener& a, const Listener& b);

}  // namespace husk::config
