#include "network/ruleset.h"

#include <algorithm>

namespace husk::network {

size_t SizeOf(Field field) {
    switch (field) {
        case Field::kInputLink:
        case Field::kOutputLink:
        case Field::kIp6Source:
        case Field::kIp6Destination:
        case Field::kNeighbourTarget: return 16;
        case Field::kProtocolFamily:
        case Field::kTransport:
        case Field::kIcmp6Type: return 1;
        case Field::kEtherType:
        case Field::kDestinationPort: return 2;
        case Field::kEtherSource:
        case Field::kArpSenderMac: return 6;
        case Field::kArpSenderAddress:
        case Field::kIp4Source:
        case Field::kIp4Destination:
        case Field::kDestinationKind:
        case Field::kConnectionState:
        case Field::kConnectionStatus: return 4;
    }
    return 0;
}

Set* FindSet(Table& table, std::string_view name) {
    const auto found = std::ranges::find(table.sets, name, &Set::name);
    return found == table.sets.end() ? nullptr : &*found;
}

Key& Key::Add(const void* data, size_t size, size_t room) {
    const auto* first = static_cast<const uint8_t*>(data);
    bytes_.insert(bytes_.end(), first, first + size);
    bytes_.resize(bytes_.size() + room - size);
    return *this;
}

Key& Key::Link(std::string_view name) {
    return Add(name.data(), std::min(name.size(), kMaxLinkName), kMaxLinkName + 1);
}
Key& Key::Mac(const MacAddress& mac) { return Add(mac.data(), mac.size(), 8); }
Key& Key::Address(const IpAddress& address) {
    return Add(address.bytes.data(), address.Size(), address.Size());
}
Key& Key::Number8(uint8_t number) { return Add(&number, 1, 4); }
Key& Key::Port(uint16_t port) {
    const uint8_t bytes[] = {static_cast<uint8_t>(port >> 8), static_cast<uint8_t>(port & 0xff)};
    return Add(bytes, sizeof bytes, 4);
}

}  // namespace husk::network
