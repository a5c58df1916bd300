#include "base/ip_address.h"

#include <arpa/inet.h>

#include "base/text.h"

namespace husk {
namespace {

// The bits after the network's, all zero or all one.
IpAddress WithHostBits(const IpPrefix& prefix, bool ones) {
    IpAddress address = prefix.address;
    for (unsigned bit = prefix.length; bit < address.Bits(); ++bit) {
        const auto mask = static_cast<uint8_t>(1u << (7 - bit % 8));
        uint8_t& byte = address.bytes[bit / 8];
        byte = static_cast<uint8_t>(ones ? byte | mask : byte & ~mask);
    }
    return address;
}

uint64_t Low(const IpAddress& address) {
    uint64_t value = 0;
    for (size_t i = address.v6 ? 8 : 0; i < address.Size(); ++i)
        value = value << 8 | address.bytes[i];
    return value;
}

}  // namespace

std::string FormatAddress(const IpAddress& address) {
    char text[INET6_ADDRSTRLEN] = "";
    // Cannot fail: the family is known and the room is enough.
    (void)::inet_ntop(address.v6 ? AF_INET6 : AF_INET, address.bytes.data(), text, sizeof text);
    return text;
}

std::string FormatPrefix(const IpPrefix& prefix) {
    return Cat(FormatAddress(prefix.address), "/", std::to_string(prefix.length));
}

std::optional<IpAddress> ParseAddress(std::string_view text) {
    IpAddress address{.v6 = text.find(':') != text.npos};
    const std::string terminated(text);
    if (::inet_pton(address.v6 ? AF_INET6 : AF_INET, terminated.c_str(), address.bytes.data()) != 1)
        return std::nullopt;
    return address;
}

std::optional<IpPrefix> ParsePrefix(std::string_view text) {
    const size_t slash = text.find('/');
    const auto address = ParseAddress(text.substr(0, slash));
    if (!address || slash == text.npos) return std::nullopt;
    const auto length = ParseUnsigned(text.substr(slash + 1));
    if (!length || *length > address->Bits()) return std::nullopt;
    return IpPrefix{*address, static_cast<unsigned>(*length)};
}

IpAddress FirstOf(const IpPrefix& prefix) { return WithHostBits(prefix, false); }
IpAddress LastOf(const IpPrefix& prefix) { return WithHostBits(prefix, true); }

bool Contains(const IpPrefix& prefix, const IpAddress& address) {
    return prefix.address.v6 == address.v6 && FirstOf({address, prefix.length}) == FirstOf(prefix);
}

bool Overlap(const IpPrefix& a, const IpPrefix& b) {
    return a.length <= b.length ? Contains(a, b.address) : Contains(b, a.address);
}

IpAddress Advance(const IpAddress& address, uint64_t count) {
    IpAddress next = address;
    uint64_t value = Low(address) + count;
    for (size_t i = address.Size(); i-- > (address.v6 ? 8u : 0u); value >>= 8)
        next.bytes[i] = static_cast<uint8_t>(value & 0xff);
    return next;
}

uint64_t Distance(const IpAddress& a, const IpAddress& b) { return Low(b) - Low(a); }

}  // namespace husk
