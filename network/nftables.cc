#include "network/nftables.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>

#include "base/text.h"

namespace husk::network {
namespace {

// An attribute has 16 bits for its length.
constexpr size_t kElementsOfMessage = 400;
// The kernel takes no more than 255 (NFT_NETDEVICE_MAX).
constexpr size_t kLinksOfMessage = 200;
// The first of the registers that are 4 bytes wide.
constexpr uint32_t kFirst = NFT_REG32_00;

uint32_t Registers(Field field) { return static_cast<uint32_t>((SizeOf(field) + 3) / 4); }

// What nft(8) calls the type of a field, so that its lists of our sets can be read. The kernel does
// not look at it.
uint32_t TypeNumber(Field field) {
    constexpr uint32_t kIp4 = 7, kIp6 = 8, kMac = 9, kEtherType = 10, kProtocol = 12, kPort = 13,
                       kLinkName = 41, kInteger = 4;
    switch (field) {
        case Field::kInputLink:
        case Field::kOutputLink: return kLinkName;
        case Field::kEtherSource:
        case Field::kArpSenderMac: return kMac;
        case Field::kIp4Source:
        case Field::kIp4Destination:
        case Field::kArpSenderAddress: return kIp4;
        case Field::kIp6Source:
        case Field::kIp6Destination:
        case Field::kNeighbourTarget: return kIp6;
        case Field::kTransport: return kProtocol;
        case Field::kDestinationPort: return kPort;
        case Field::kEtherType: return kEtherType;
        case Field::kProtocolFamily:
        case Field::kIcmp6Type:
        case Field::kDestinationKind:
        case Field::kConnectionState:
        case Field::kConnectionStatus: return kInteger;
    }
    return kInteger;
}

uint32_t TypeOf(const std::vector<Field>& fields) {
    uint32_t type = 0;
    for (Field field : fields) type = type << 6 | TypeNumber(field);
    return type;
}

size_t RoomOf(const std::vector<Field>& fields) {
    // A single field is as long as it is; of several each begins at a register.
    if (fields.size() == 1) return SizeOf(fields[0]);
    size_t room = 0;
    for (Field field : fields) room += size_t{Registers(field)} * 4;
    return room;
}

std::string Called(TableFamily family, std::string_view table) {
    return Quote(Cat(family == TableFamily::kInet ? "inet " : "bridge ", table));
}
std::string Called(const Table& table) { return Called(table.family, table.name); }

class Writer {
  public:
    void Begin(int type, uint16_t flags, TableFamily family, std::string what) {
        const nfgenmsg header{static_cast<uint8_t>(family), NFNETLINK_V0, 0};
        out_.Begin(static_cast<uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type), flags, header,
                   std::move(what));
    }
    void BeginTransaction() { Frame(NFNL_MSG_BATCH_BEGIN, "change the rules of the network"); }
    Messages EndTransaction() {
        if (out_.count() == 1) return {};  // nothing is in it
        // The end is not answered for, but what stands before it.
        out_.AcknowledgeLast();
        Frame(NFNL_MSG_BATCH_END, "change the rules of the network");
        return std::move(out_);
    }

    void Table(int type, const network::Table& table, const char* verb) {
        Begin(type, type == NFT_MSG_NEWTABLE ? NLM_F_CREATE : uint16_t{0}, table.family,
              Cat(verb, " table ", Called(table)));
        out_.Text(NFTA_TABLE_NAME, table.name);
    }

    void Chain(const network::Table& table, const network::Chain& chain) {
        Begin(NFT_MSG_NEWCHAIN, NLM_F_CREATE, table.family,
              Cat("make chain ", Quote(chain.name), " of table ", Called(table)));
        out_.Text(NFTA_CHAIN_TABLE, table.name);
        out_.Text(NFTA_CHAIN_NAME, chain.name);
        if (chain.hook == network::Chain::Hook::kNone) return;
        const size_t hook = out_.Open(NFTA_CHAIN_HOOK);
        out_.Big32(NFTA_HOOK_HOOKNUM, HookNumber(chain.hook));
        out_.Big32(NFTA_HOOK_PRIORITY, static_cast<uint32_t>(chain.priority));
        out_.Close(hook);
        out_.Big32(NFTA_CHAIN_POLICY, chain.drops ? NF_DROP : NF_ACCEPT);
        out_.Text(NFTA_CHAIN_TYPE, chain.nat ? "nat" : "filter");
    }

    void Set(const network::Table& table, const network::Set& set, uint32_t id) {
        Begin(NFT_MSG_NEWSET, NLM_F_CREATE, table.family,
              Cat("make set ", Quote(set.name), " of table ", Called(table)));
        out_.Text(NFTA_SET_TABLE, table.name);
        out_.Text(NFTA_SET_NAME, set.name);
        const bool map = set.data != network::Set::Data::kNone;
        out_.Big32(NFTA_SET_FLAGS, map ? NFT_SET_MAP : 0);
        out_.Big32(NFTA_SET_KEY_TYPE, TypeOf(set.key));
        out_.Big32(NFTA_SET_KEY_LEN, static_cast<uint32_t>(RoomOf(set.key)));
        out_.Big32(NFTA_SET_ID, id);
        // For nft(8), which would read the names of links from the wrong end: their order of bytes
        // is the machine's (libnftnl's NFTNL_UDATA_SET_KEYBYTEORDER).
        if (set.key.size() == 1 && TypeNumber(set.key[0]) == TypeNumber(Field::kInputLink)) {
            const uint8_t order[] = {0, 4, 1, 0, 0, 0};
            out_.Bytes(NFTA_SET_USERDATA, order);
        }
        if (!map) return;
        const bool v6 = set.data == network::Set::Data::kIp6Port;
        out_.Big32(NFTA_SET_DATA_TYPE,
                   TypeOf({v6 ? Field::kIp6Source : Field::kIp4Source, Field::kDestinationPort}));
        out_.Big32(NFTA_SET_DATA_LEN, v6 ? 20 : 8);
    }

    void Elements(TableFamily family, const std::string& table, const network::Set& set,
                  const std::vector<Element>& elements, bool add) {
        for (size_t at = 0; at < elements.size(); at += kElementsOfMessage) {
            Begin(add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM, add ? NLM_F_CREATE : uint16_t{0},
                  family,
                  Cat(add ? "add to" : "remove from", " set ", Quote(set.name), " of table ",
                      Called(family, table)));
            out_.Text(NFTA_SET_ELEM_LIST_TABLE, table);
            out_.Text(NFTA_SET_ELEM_LIST_SET, set.name);
            const size_t list = out_.Open(NFTA_SET_ELEM_LIST_ELEMENTS);
            const size_t end = std::min(at + kElementsOfMessage, elements.size());
            for (size_t i = at; i < end; ++i) {
                const size_t element = out_.Open(NFTA_LIST_ELEM);
                Value(NFTA_SET_ELEM_KEY, elements[i].key.data(),
                      std::min(elements[i].key.size(), RoomOf(set.key)));
                if (add && !elements[i].data.empty())
                    Value(NFTA_SET_ELEM_DATA, elements[i].data.data(), elements[i].data.size());
                out_.Close(element);
            }
            out_.Close(list);
        }
    }

    // What the flowtable has of these links already stays as it is.
    void Flowtable(const network::Table& table) {
        size_t at = 0;
        do {
            Begin(NFT_MSG_NEWFLOWTABLE, NLM_F_CREATE, table.family,
                  Cat("make flowtable ", Quote(table.flowtable), " of table ", Called(table)));
            out_.Text(NFTA_FLOWTABLE_TABLE, table.name);
            out_.Text(NFTA_FLOWTABLE_NAME, table.flowtable);
            const size_t hook = out_.Open(NFTA_FLOWTABLE_HOOK);
            out_.Big32(NFTA_FLOWTABLE_HOOK_NUM, NF_NETDEV_INGRESS);
            out_.Big32(NFTA_FLOWTABLE_HOOK_PRIORITY, 0);
            const size_t end = std::min(at + kLinksOfMessage, table.flow_links.size());
            const size_t links = out_.Open(NFTA_FLOWTABLE_HOOK_DEVS);
            for (; at < end; ++at) out_.Text(NFTA_DEVICE_NAME, table.flow_links[at]);
            out_.Close(links);
            out_.Close(hook);
        } while (at < table.flow_links.size());
    }

    void Rule(const network::Table& table, const network::Chain& chain, const network::Rule& rule,
              size_t number) {
        Begin(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, table.family,
              Cat("add rule ", std::to_string(number), " of chain ", Quote(chain.name),
                  " of table ", Called(table)));
        out_.Text(NFTA_RULE_TABLE, table.name);
        out_.Text(NFTA_RULE_CHAIN, chain.name);
        const size_t list = out_.Open(NFTA_RULE_EXPRESSIONS);
        for (const Match& match : rule.matches) Condition(match);
        Verdict(rule);
        out_.Close(list);
    }

    void Whole(const network::Table& table, uint32_t& id) {
        Table(NFT_MSG_NEWTABLE, table, "make");
        for (const network::Set& set : table.sets) Set(table, set, ++id);
        for (const network::Set& set : table.sets)
            Elements(table.family, table.name, set, set.elements, true);
        if (!table.flowtable.empty()) Flowtable(table);
        for (const network::Chain& chain : table.chains) Chain(table, chain);
        for (const network::Chain& chain : table.chains)
            for (size_t i = 0; i < chain.rules.size(); ++i)
                Rule(table, chain, chain.rules[i], i + 1);
    }

    void AskForFlowtable(const network::Table& table) {
        Begin(NFT_MSG_GETFLOWTABLE, 0, table.family,
              Cat("ask for flowtable ", Quote(table.flowtable), " of table ", Called(table)));
        out_.Text(NFTA_FLOWTABLE_TABLE, table.name);
        out_.Text(NFTA_FLOWTABLE_NAME, table.flowtable);
    }
    Messages Take() { return std::move(out_); }

  private:
    void Frame(int type, const char* what) {
        nfgenmsg header{AF_UNSPEC, NFNETLINK_V0, 0};
        header.res_id = htons(NFNL_SUBSYS_NFTABLES);
        out_.Begin(static_cast<uint16_t>(type), 0, header, what);
    }

    static uint32_t HookNumber(network::Chain::Hook hook) {
        // The numbers of the bridge's hooks are the same.
        switch (hook) {
            case network::Chain::Hook::kPrerouting: return NF_INET_PRE_ROUTING;
            case network::Chain::Hook::kInput: return NF_INET_LOCAL_IN;
            case network::Chain::Hook::kForward: return NF_INET_FORWARD;
            case network::Chain::Hook::kOutput: return NF_INET_LOCAL_OUT;
            case network::Chain::Hook::kPostrouting: return NF_INET_POST_ROUTING;
            case network::Chain::Hook::kNone: return 0;
        }
        return 0;
    }

    void Value(uint16_t attribute, const void* data, size_t size) {
        const size_t value = out_.Open(attribute);
        out_.Bytes(NFTA_DATA_VALUE, data, size);
        out_.Close(value);
    }

    // Attributes of one expression, between the two.
    struct Opened {
        size_t element, data;
    };
    Opened OpenExpression(const char* name) {
        const size_t element = out_.Open(NFTA_LIST_ELEM);
        out_.Text(NFTA_EXPR_NAME, name);
        return {element, out_.Open(NFTA_EXPR_DATA)};
    }
    void Close(Opened opened) {
        out_.Close(opened.data);
        out_.Close(opened.element);
    }

    void Payload(uint32_t base, uint32_t offset, size_t size, uint32_t to) {
        const Opened opened = OpenExpression("payload");
        out_.Big32(NFTA_PAYLOAD_DREG, to);
        out_.Big32(NFTA_PAYLOAD_BASE, base);
        out_.Big32(NFTA_PAYLOAD_OFFSET, offset);
        out_.Big32(NFTA_PAYLOAD_LEN, static_cast<uint32_t>(size));
        Close(opened);
    }
    void Meta(uint32_t key, uint32_t to) {
        const Opened opened = OpenExpression("meta");
        out_.Big32(NFTA_META_DREG, to);
        out_.Big32(NFTA_META_KEY, key);
        Close(opened);
    }
    void Connection(uint32_t key, uint32_t to) {
        const Opened opened = OpenExpression("ct");
        out_.Big32(NFTA_CT_DREG, to);
        out_.Big32(NFTA_CT_KEY, key);
        Close(opened);
    }
    void DestinationKind(uint32_t to) {
        const Opened opened = OpenExpression("fib");
        out_.Big32(NFTA_FIB_DREG, to);
        out_.Big32(NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
        out_.Big32(NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR);
        Close(opened);
    }

    void Load(Field field, uint32_t to) {
        const size_t size = SizeOf(field);
        switch (field) {
            case Field::kInputLink: return Meta(NFT_META_IIFNAME, to);
            case Field::kOutputLink: return Meta(NFT_META_OIFNAME, to);
            case Field::kProtocolFamily: return Meta(NFT_META_NFPROTO, to);
            case Field::kTransport: return Meta(NFT_META_L4PROTO, to);
            case Field::kEtherType: return Payload(NFT_PAYLOAD_LL_HEADER, 12, size, to);
            case Field::kEtherSource: return Payload(NFT_PAYLOAD_LL_HEADER, 6, size, to);
            case Field::kArpSenderMac: return Payload(NFT_PAYLOAD_NETWORK_HEADER, 8, size, to);
            case Field::kArpSenderAddress: return Payload(NFT_PAYLOAD_NETWORK_HEADER, 14, size, to);
            case Field::kIp4Source: return Payload(NFT_PAYLOAD_NETWORK_HEADER, 12, size, to);
            case Field::kIp4Destination: return Payload(NFT_PAYLOAD_NETWORK_HEADER, 16, size, to);
            case Field::kIp6Source: return Payload(NFT_PAYLOAD_NETWORK_HEADER, 8, size, to);
            case Field::kIp6Destination: return Payload(NFT_PAYLOAD_NETWORK_HEADER, 24, size, to);
            case Field::kDestinationPort: return Payload(NFT_PAYLOAD_TRANSPORT_HEADER, 2, size, to);
            case Field::kIcmp6Type: return Payload(NFT_PAYLOAD_TRANSPORT_HEADER, 0, size, to);
            case Field::kNeighbourTarget: return Payload(NFT_PAYLOAD_TRANSPORT_HEADER, 8, size, to);
            case Field::kDestinationKind: return DestinationKind(to);
            case Field::kConnectionState: return Connection(NFT_CT_STATE, to);
            case Field::kConnectionStatus: return Connection(NFT_CT_STATUS, to);
        }
    }
    void LoadAll(const std::vector<Field>& fields) {
        uint32_t to = kFirst;
        for (Field field : fields) {
            Load(field, to);
            to += Registers(field);
        }
    }

    void Compare(bool equal, const Bytes& value) {
        const Opened opened = OpenExpression("cmp");
        out_.Big32(NFTA_CMP_SREG, kFirst);
        out_.Big32(NFTA_CMP_OP, equal ? NFT_CMP_EQ : NFT_CMP_NEQ);
        Value(NFTA_CMP_DATA, value.data(), value.size());
        Close(opened);
    }
    void Mask(const Bytes& mask) {
        const Bytes zeros(mask.size());
        const Opened opened = OpenExpression("bitwise");
        out_.Big32(NFTA_BITWISE_SREG, kFirst);
        out_.Big32(NFTA_BITWISE_DREG, kFirst);
        out_.Big32(NFTA_BITWISE_LEN, static_cast<uint32_t>(mask.size()));
        Value(NFTA_BITWISE_MASK, mask.data(), mask.size());
        Value(NFTA_BITWISE_XOR, zeros.data(), zeros.size());
        Close(opened);
    }
    void LookUp(const std::string& set, bool negated, bool to_first) {
        const Opened opened = OpenExpression("lookup");
        out_.Text(NFTA_LOOKUP_SET, set);
        out_.Big32(NFTA_LOOKUP_SREG, kFirst);
        if (to_first) out_.Big32(NFTA_LOOKUP_DREG, kFirst);
        if (negated) out_.Big32(NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
        Close(opened);
    }

    void Condition(const Match& match) {
        LoadAll(match.fields);
        switch (match.kind) {
            case Match::Kind::kEquals: return Compare(!match.negated, match.value);
            case Match::Kind::kBits:
                Mask(match.value);
                return Compare(match.negated, Bytes(match.value.size()));
            case Match::Kind::kInPrefix: {
                Bytes mask(match.value.size());
                for (unsigned bit = 0; bit < match.bits; ++bit)
                    mask[bit / 8] |= static_cast<uint8_t>(0x80 >> bit % 8);
                Mask(mask);
                return Compare(!match.negated, match.value);
            }
            case Match::Kind::kInSet: return LookUp(match.set, match.negated, false);
        }
    }

    void Decide(int code, const std::string& chain) {
        const Opened opened = OpenExpression("immediate");
        out_.Big32(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
        const size_t data = out_.Open(NFTA_IMMEDIATE_DATA);
        const size_t verdict = out_.Open(NFTA_DATA_VERDICT);
        out_.Big32(NFTA_VERDICT_CODE, static_cast<uint32_t>(code));
        if (!chain.empty()) out_.Text(NFTA_VERDICT_CHAIN, chain);
        out_.Close(verdict);
        out_.Close(data);
        Close(opened);
    }

    void Verdict(const network::Rule& rule) {
        switch (rule.action) {
            case Action::kAccept: return Decide(NF_ACCEPT, {});
            case Action::kDrop: return Decide(NF_DROP, {});
            case Action::kReturn: return Decide(NFT_RETURN, {});
            case Action::kJump: return Decide(NFT_JUMP, rule.target);
            case Action::kReject: {
                const Opened opened = OpenExpression("reject");
                out_.Big32(NFTA_REJECT_TYPE, NFT_REJECT_ICMPX_UNREACH);
                out_.Number8(NFTA_REJECT_ICMP_CODE, NFT_REJECT_ICMPX_ADMIN_PROHIBITED);
                return Close(opened);
            }
            case Action::kMasquerade: return Close(OpenExpression("masq"));
            case Action::kOffload: {
                const Opened opened = OpenExpression("flow_offload");
                out_.Text(NFTA_FLOW_TABLE_NAME, rule.target);
                return Close(opened);
            }
            case Action::kRedirect: {
                LoadAll(rule.key);
                LookUp(rule.target, false, true);
                const Opened opened = OpenExpression("nat");
                out_.Big32(NFTA_NAT_TYPE, NFT_NAT_DNAT);
                out_.Big32(NFTA_NAT_FAMILY, rule.v6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
                out_.Big32(NFTA_NAT_REG_ADDR_MIN, kFirst);
                out_.Big32(NFTA_NAT_REG_PROTO_MIN, kFirst + (rule.v6 ? 4 : 1));
                return Close(opened);
            }
        }
    }

    Messages out_;
};

}  // namespace

Messages ReplaceTables(std::span<const Table> tables) {
    Writer out;
    out.BeginTransaction();
    uint32_t id = 0;  // of sets, in the transaction
    for (const Table& table : tables) {
        // Made first, so that it can be removed whether or not it was there.
        out.Table(NFT_MSG_NEWTABLE, table, "make");
        out.Table(NFT_MSG_DELTABLE, table, "replace");
        out.Whole(table, id);
    }
    return out.EndTransaction();
}

Messages TryTable(const Table& table) {
    Writer out;
    out.BeginTransaction();
    uint32_t id = 0;
    out.Whole(table, id);
    out.Table(NFT_MSG_DELTABLE, table, "remove");
    return out.EndTransaction();
}

Messages RemoveTables(std::span<const Table> tables) {
    Writer out;
    out.BeginTransaction();
    for (const Table& table : tables) {
        out.Table(NFT_MSG_NEWTABLE, table, "make");
        out.Table(NFT_MSG_DELTABLE, table, "remove");
    }
    return out.EndTransaction();
}

Messages ChangeElements(std::span<const Table> tables, bool add) {
    Writer out;
    out.BeginTransaction();
    for (const Table& table : tables) {
        for (const Set& set : table.sets)
            out.Elements(table.family, table.name, set, set.elements, add);
        if (add && !table.flow_links.empty()) out.Flowtable(table);
    }
    return out.EndTransaction();
}

Result<std::vector<std::string>> ListFlowLinks(NetlinkSocket& socket, const Table& table) {
    Writer out;
    out.AskForFlowtable(table);
    std::vector<std::string> links;
    HUSK_TRY(socket.Ask(out.Take(), [&](uint16_t, std::span<const uint8_t> data) {
        if (data.size() < sizeof(nfgenmsg)) return;
        EachAttribute(Attributes(data.subspan(sizeof(nfgenmsg)))
                          .Nested(NFTA_FLOWTABLE_HOOK)
                          .Find(NFTA_FLOWTABLE_HOOK_DEVS),
                      [&](uint16_t, std::span<const uint8_t> name) {
                          const std::string_view text(reinterpret_cast<const char*>(name.data()),
                                                      name.size());
                          links.emplace_back(text.substr(0, text.find('\0')));
                      });
    }));
    return links;
}

}  // namespace husk::network
