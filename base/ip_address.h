// An address of the Internet protocol, of either version.
#pragma once

#include <cstddef>
#include <cstdint>

#include <array>
#include <compare>
#include <optional>
#include <string>
#include <string_view>

namespace husk {

struct IpAddress {
    bool v6 = false;
    std::array<uint8_t, 16> bytes = {};  // network order; the first four of an IPv4 address
    friend auto operator<=>(const IpAddress&, const IpAddress&) = default;
    bool IsAny() const { return bytes == std::array<uint8_t, 16>{}; }
    size_t Size() const { return v6 ? 16 : 4; }
    unsigned Bits() const { return v6 ? 128 : 32; }
};

// An address with the length of its network: 10.88.0.1/16.
struct IpPrefix {
    IpAddress address;
    unsigned length = 0;  // bits
    friend bool operator==(const IpPrefix&, const IpPrefix&) = default;
};

// "10.88.0.1", "fd00::1"
std::string FormatAddress(const IpAddress& address);
std::string FormatPrefix(const IpPrefix& prefix);

// What these two write, and what people do; nothing where it is something else.
std::optional<IpAddress> ParseAddress(std::string_view text);
std::optional<IpPrefix> ParsePrefix(std::string_view text);

// The first address of the prefix, and the last.
IpAddress FirstOf(const IpPrefix& prefix);
IpAddress LastOf(const IpPrefix& prefix);
bool Contains(const IpPrefix& prefix, const IpAddress& address);
bool Overlap(const IpPrefix& a, const IpPrefix& b);
// `address` + `count`, in the last 64 bits; wraps around there.
IpAddress Advance(const IpAddress& address, uint64_t count);
// b - a in the last 64 bits, of two addresses of one family.
uint64_t Distance(const IpAddress& a, const IpAddress& b);

}  // namespace husk
