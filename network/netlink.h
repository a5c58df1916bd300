// Netlink (netlink(7)): writing messages, sending them and reading the kernel's answers. No library
// stands behind it: what it takes is headers that the kernel gives out, and the kernel's own parser
// is the judge.
#pragma once

#include <cstddef>
#include <cstdint>
#include <linux/netlink.h>

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/ip_address.h"

namespace husk::network {

// Messages one behind the other, as one send takes them. Lengths and padding are filled in.
class Messages {
  public:
    // Begins a message; the one before it is ended. `what` is said where the kernel refuses it:
    // "make bridge 'hk-lan'". The flag NLM_F_REQUEST is added.
    template <typename Header>
    void Begin(uint16_t type, uint16_t flags, const Header& header, std::string what) {
        BeginWith(type, flags, &header, sizeof header, std::move(what));
    }
    void Bytes(uint16_t attribute, const void* data, size_t size);
    void Bytes(uint16_t attribute, std::span<const uint8_t> data) {
        Bytes(attribute, data.data(), data.size());
    }
    void Number8(uint16_t attribute, uint8_t value) { Bytes(attribute, &value, sizeof value); }
    void Number16(uint16_t attribute, uint16_t value) { Bytes(attribute, &value, sizeof value); }
    void Number32(uint16_t attribute, uint32_t value) { Bytes(attribute, &value, sizeof value); }
    void Big32(uint16_t attribute, uint32_t value);        // in network order, as nftables has it
    void Text(uint16_t attribute, std::string_view text);  // with a NUL behind it
    void Flag(uint16_t attribute) { Bytes(attribute, nullptr, 0); }
    void Address(uint16_t attribute, const IpAddress& address) {
        Bytes(attribute, address.bytes.data(), address.Size());
    }
    // What follows is in the attribute, until Close() with what Open() gave. No more than 64 KiB.
    size_t Open(uint16_t attribute);
    void Close(size_t opened);
    // A nested header in front of further attributes, as VETH_INFO_PEER has it.
    void Raw(const void* data, size_t size);

    // The last message so far is the one whose answer ends the sending; without this, the last one
    // of all.
    void AcknowledgeLast();
    bool empty() const { return what_.empty(); }
    size_t count() const { return what_.size(); }

  private:
    friend class NetlinkSocket;
    void BeginWith(uint16_t type, uint16_t flags, const void* header, size_t size,
                   std::string what);
    void EndLast();
    nlmsghdr* Last();

    std::vector<uint8_t> bytes_;
    size_t last_ = 0;
    size_t answered_ = SIZE_MAX;     // its number
    std::vector<std::string> what_;  // of each message, by its sequence number
};

// The attributes in `data`, by number: Find() gives the last one's content.
class Attributes {
  public:
    explicit Attributes(std::span<const uint8_t> data) : data_(data) {}
    std::span<const uint8_t> Find(uint16_t attribute) const;
    bool Has(uint16_t attribute) const { return Find(attribute).data() != nullptr; }
    Attributes Nested(uint16_t attribute) const { return Attributes(Find(attribute)); }
    std::string_view Text(uint16_t attribute) const;
    uint32_t Number32(uint16_t attribute) const;  // 0 where there is none

  private:
    std::span<const uint8_t> data_;
};

// Walks over the attributes of `data` one by one; what is cut short ends it.
void EachAttribute(std::span<const uint8_t> data,
                   const std::function<void(uint16_t attribute, std::span<const uint8_t>)>& each);

class NetlinkSocket {
  public:
    // In the calling thread's network namespace, where it stays: NETLINK_ROUTE, NETLINK_NETFILTER.
    static Result<NetlinkSocket> Open(int protocol);
    // In another one.
    static Result<NetlinkSocket> OpenIn(int network_namespace, int protocol);

    // Sends all messages and reads until the last one is answered for. The first that the kernel
    // refuses is the error: what it was, errno, and the kernel's own words where it has some.
    Status Send(Messages messages) { return Ask(std::move(messages), nullptr); }
    // The same for messages that are answered by more than a yes: the bytes behind the header of
    // each part of it.
    Status Ask(Messages messages,
               const std::function<void(uint16_t type, std::span<const uint8_t>)>& each);
    // One message that asks for a list.
    Status Dump(Messages messages,
                const std::function<void(uint16_t type, std::span<const uint8_t>)>& each);

  private:
    explicit NetlinkSocket(OwnedFd fd) : fd_(std::move(fd)) {}
    Status Transmit(Messages& messages);
    Result<std::span<const uint8_t>> Receive();

    OwnedFd fd_;
    uint32_t sequence_ = 1;
    std::vector<uint8_t> buffer_;
};

// An error of a request that the kernel does not know names the option of it that is missing; any
// other stays as it is.
Error ExplainKernel(Error error, const char* option);

// A new network namespace, of the calling process's user namespace; it lasts as long as the
// descriptor, or somebody in it.
Result<OwnedFd> MakeNetworkNamespace();

}  // namespace husk::network
