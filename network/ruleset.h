// Tables of nftables as plain data: what husk wants the kernel to have. Made by firewall.h, put in
// place by nftables.h, and written as nft(8) reads it by ruleset_text.h, for people and tests.
#pragma once

#include <cstdint>

#include <string>
#include <string_view>
#include <vector>

#include "network/links.h"

namespace husk::network {

enum class TableFamily : uint8_t { kInet = 1, kBridge = 7 };  // NFPROTO_*

// What a packet is asked for. Values are as the packet has them, but for kDestinationKind and the
// two of connections, which are in the machine's order.
enum class Field : uint8_t {
    kInputLink,   // 16 bytes, padded with NULs
    kOutputLink,  // the same
    kProtocolFamily,
    kTransport,  // IPPROTO_*
    kEtherType,
    kEtherSource,
    kArpSenderMac,
    kArpSenderAddress,
    kIp4Source,
    kIp4Destination,
    kIp6Source,
    kIp6Destination,
    kDestinationPort,
    kIcmp6Type,
    kNeighbourTarget,  // of a neighbour solicitation or advertisement
    kDestinationKind,  // RTN_*: is it an address of the device?
    kConnectionState,
    kConnectionStatus,
};
size_t SizeOf(Field field);  // bytes

using Bytes = std::vector<uint8_t>;

// One condition. Several fields are looked up together, in a set.
struct Match {
    enum class Kind : uint8_t {
        kEquals,    // to `value`, which may be shorter than the field: it begins so
        kBits,      // any bit of `value` is set
        kInPrefix,  // the first `bits` bits are those of `value`
        kInSet,
    };
    Kind kind = Kind::kEquals;
    std::vector<Field> fields;
    bool negated = false;
    Bytes value;
    unsigned bits = 0;
    std::string set;
};

enum class Action : uint8_t {
    kAccept,
    kDrop,
    kReject,  // and the sender is told: administratively prohibited
    kReturn,
    kJump,        // to the chain `target`
    kMasquerade,  // leaves with the address of the link that it leaves by
    kRedirect,    // to where the map `target` has it by `key`: DNAT; else the next rule
    kOffload,     // the connection's next packets go by the flowtable `target`; the next rule
};

struct Rule {
    std::vector<Match> matches;
    Action action = Action::kAccept;
    std::string target;
    std::vector<Field> key;  // kRedirect
    bool v6 = false;         // kRedirect: the map has IPv6 addresses
};

struct Chain {
    std::string name;
    // Of a base chain: where packets come by.
    enum class Hook : uint8_t { kPrerouting, kInput, kForward, kOutput, kPostrouting, kNone };
    Hook hook = Hook::kNone;
    bool nat = false;
    int priority = 0;
    bool drops = false;  // what no rule takes
    std::vector<Rule> rules;
};

struct Element {
    Bytes key;   // fields one behind the other, each padded to 4 bytes
    Bytes data;  // of a map
    friend auto operator<=>(const Element&, const Element&) = default;
};

// A set; a map where it leads to an address and a port.
struct Set {
    std::string name;
    std::vector<Field> key;
    enum class Data : uint8_t { kNone, kIp4Port, kIp6Port } data = Data::kNone;
    std::vector<Element> elements;  // each key once
};

struct Table {
    TableFamily family = TableFamily::kInet;
    std::string name;
    std::vector<Set> sets;
    std::vector<Chain> chains;
    // A flowtable: packets of the connections in it go from one of these links straight to another,
    // past routing, rules and bridges. Without a name there is none.
    std::string flowtable;
    std::vector<std::string> flow_links;
};

Set* FindSet(Table& table, std::string_view name);

// Keys, field by field.
class Key {
  public:
    Key& Link(std::string_view name);
    Key& Mac(const MacAddress& mac);
    Key& Address(const IpAddress& address);
    Key& Number8(uint8_t number);
    Key& Port(uint16_t port);
    Bytes Take() { return std::move(bytes_); }

  private:
    Key& Add(const void* data, size_t size, size_t room);
    Bytes bytes_;
};

}  // namespace husk::network
