#include "network/netlink.h"

#include <arpa/inet.h>
#include <cstring>
#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/file.h"
#include "base/namespace_visit.h"
#include "base/text.h"

namespace husk::network {
namespace {

constexpr size_t kAlign = 4;
// The kernel answers in the very call that asks; this is for one that does not.
constexpr timeval kPatience{.tv_sec = 10, .tv_usec = 0};
// One read takes at least a page of a dump (netlink(7)); an answer to a long batch is no longer.
constexpr size_t kReceiveRoom = 64 << 10;
constexpr int kBufferBytes = 4 << 20;

size_t Padded(size_t size) { return (size + kAlign - 1) & ~(kAlign - 1); }

// Takes the first of the messages in `rest`; what is cut short ends them.
std::optional<std::pair<nlmsghdr, std::span<const uint8_t>>> TakeMessage(
    std::span<const uint8_t>& rest) {
    nlmsghdr header;
    if (rest.size() < sizeof header) return std::nullopt;
    std::memcpy(&header, rest.data(), sizeof header);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > rest.size()) return std::nullopt;
    const auto payload = rest.subspan(sizeof header, header.nlmsg_len - sizeof header);
    rest = rest.subspan(std::min(Padded(header.nlmsg_len), rest.size()));
    return std::pair(header, payload);
}

// The kernel's own words behind an error: NLMSGERR_ATTR_MSG.
std::string_view WordsOf(const nlmsghdr& header, std::span<const uint8_t> payload) {
    if ((header.nlmsg_flags & NLM_F_ACK_TLVS) == 0 || payload.size() < sizeof(nlmsgerr)) return {};
    nlmsgerr error;
    std::memcpy(&error, payload.data(), sizeof error);
    size_t skip = sizeof error;
    if ((header.nlmsg_flags & NLM_F_CAPPED) == 0)
        skip += Padded(error.msg.nlmsg_len) - Padded(sizeof error.msg);
    if (skip > payload.size()) return {};
    return Attributes(payload.subspan(skip)).Text(NLMSGERR_ATTR_MSG);
}

}  // namespace

// --- writing -----------------------------------------------------------------------------------

nlmsghdr* Messages::Last() { return reinterpret_cast<nlmsghdr*>(bytes_.data() + last_); }

void Messages::EndLast() {
    if (what_.empty()) return;
    const size_t size = bytes_.size() - last_;
    Last()->nlmsg_len = static_cast<uint32_t>(size);
    bytes_.resize(last_ + Padded(size));
}

void Messages::BeginWith(uint16_t type, uint16_t flags, const void* header, size_t size,
                         std::string what) {
    EndLast();
    last_ = bytes_.size();
    bytes_.resize(last_ + sizeof(nlmsghdr));
    nlmsghdr* message = Last();
    message->nlmsg_type = type;
    message->nlmsg_flags = static_cast<uint16_t>(flags | NLM_F_REQUEST);
    message->nlmsg_seq = static_cast<uint32_t>(what_.size());  // from 0; see Transmit()
    what_.push_back(std::move(what));
    Raw(header, size);
}

void Messages::Raw(const void* data, size_t size) {
    const size_t at = bytes_.size();
    bytes_.resize(at + Padded(size));
    if (size > 0) std::memcpy(bytes_.data() + at, data, size);
}

void Messages::Bytes(uint16_t attribute, const void* data, size_t size) {
    const nlattr header{.nla_len = static_cast<uint16_t>(sizeof(nlattr) + size),
                        .nla_type = attribute};
    Raw(&header, sizeof header);
    Raw(data, size);
}

void Messages::Big32(uint16_t attribute, uint32_t value) { Number32(attribute, htonl(value)); }

void Messages::Text(uint16_t attribute, std::string_view text) {
    const std::string terminated(text);
    Bytes(attribute, terminated.c_str(), terminated.size() + 1);
}

size_t Messages::Open(uint16_t attribute) {
    const size_t at = bytes_.size();
    Bytes(static_cast<uint16_t>(attribute | NLA_F_NESTED), nullptr, 0);
    return at;
}

void Messages::Close(size_t opened) {
    const auto size = static_cast<uint16_t>(bytes_.size() - opened);
    std::memcpy(bytes_.data() + opened + offsetof(nlattr, nla_len), &size, sizeof size);
}

void Messages::AcknowledgeLast() {
    if (what_.empty()) return;
    Last()->nlmsg_flags |= NLM_F_ACK;
    answered_ = what_.size() - 1;
}

// --- reading -----------------------------------------------------------------------------------

void EachAttribute(std::span<const uint8_t> data,
                   const std::function<void(uint16_t, std::span<const uint8_t>)>& each) {
    while (data.size() >= sizeof(nlattr)) {
        nlattr header;
        std::memcpy(&header, data.data(), sizeof header);
        if (header.nla_len < sizeof header || header.nla_len > data.size()) return;
        each(header.nla_type & NLA_TYPE_MASK,
             data.subspan(sizeof header, header.nla_len - sizeof header));
        data = data.subspan(std::min(Padded(header.nla_len), data.size()));
    }
}

std::span<const uint8_t> Attributes::Find(uint16_t attribute) const {
    std::span<const uint8_t> found;
    EachAttribute(data_, [&](uint16_t number, std::span<const uint8_t> content) {
        if (number == attribute) found = content;
    });
    return found;
}

std::string_view Attributes::Text(uint16_t attribute) const {
    const auto found = Find(attribute);
    const std::string_view text(reinterpret_cast<const char*>(found.data()), found.size());
    return text.substr(0, text.find('\0'));
}

uint32_t Attributes::Number32(uint16_t attribute) const {
    const auto found = Find(attribute);
    uint32_t value = 0;
    if (found.size() >= sizeof value) std::memcpy(&value, found.data(), sizeof value);
    return value;
}

// --- the socket --------------------------------------------------------------------------------

Result<NetlinkSocket> NetlinkSocket::Open(int protocol) {
    OwnedFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
    if (!fd)
        return FailErrno(protocol == NETLINK_NETFILTER
                             ? "open a netfilter socket (the kernel needs CONFIG_NF_TABLES)"
                             : "open a netlink socket");
    const int on = 1;
    // Only words and room: the answers are right without them.
    (void)::setsockopt(fd.get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
    (void)::setsockopt(fd.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
    (void)::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUFFORCE, &kBufferBytes, sizeof kBufferBytes);
    (void)::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kBufferBytes, sizeof kBufferBytes);
    if (::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience) != 0)
        return FailErrno("limit the wait of a netlink socket");
    return NetlinkSocket(std::move(fd));
}

Result<NetlinkSocket> NetlinkSocket::OpenIn(int network_namespace, int protocol) {
    auto visit = NamespaceVisit::Enter(network_namespace, CLONE_NEWNET);
    if (!visit) return Fail(std::move(visit).error());
    return Open(protocol);
}

Status NetlinkSocket::Transmit(Messages& messages) {
    messages.EndLast();
    for (size_t at = 0; at < messages.bytes_.size();) {
        auto* header = reinterpret_cast<nlmsghdr*>(messages.bytes_.data() + at);
        header->nlmsg_seq += sequence_;
        at += Padded(header->nlmsg_len);
    }
    sockaddr_nl kernel{};
    kernel.nl_family = AF_NETLINK;
    ssize_t sent = 0;
    do
        sent = ::sendto(fd_.get(), messages.bytes_.data(), messages.bytes_.size(), 0,
                        reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel);
    while (sent < 0 && errno == EINTR);
    if (sent < 0) return FailErrno(messages.what_.front());
    return {};
}

Result<std::span<const uint8_t>> NetlinkSocket::Receive() {
    buffer_.resize(kReceiveRoom);
    for (;;) {
        sockaddr_nl from{};
        socklen_t size = sizeof from;
        const ssize_t got = ::recvfrom(fd_.get(), buffer_.data(), buffer_.size(), 0,
                                       reinterpret_cast<sockaddr*>(&from), &size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            return FailErrno(errno == EAGAIN ? "the kernel does not answer" : "read the answer");
        // Any process may send to a netlink socket; only the kernel has the port 0.
        if (from.nl_pid == 0) return std::span(buffer_.data(), static_cast<size_t>(got));
    }
}

Status NetlinkSocket::Ask(Messages messages,
                          const std::function<void(uint16_t, std::span<const uint8_t>)>& each) {
    if (messages.empty()) return {};
    if (messages.answered_ == SIZE_MAX) messages.AcknowledgeLast();
    const uint32_t first = sequence_;
    HUSK_TRY(Transmit(messages));
    sequence_ += static_cast<uint32_t>(messages.count());
    Status result;
    for (bool done = false; !done;) {
        auto data = Receive();
        if (!data) return Fail(std::move(data).error().Wrap(messages.what_.back()));
        for (auto rest = *data; auto message = TakeMessage(rest);) {
            const auto& [header, payload] = *message;
            const uint32_t index = header.nlmsg_seq - first;
            if (index >= messages.count()) continue;
            if (header.nlmsg_type != NLMSG_ERROR && each) each(header.nlmsg_type, payload);
            if (header.nlmsg_type != NLMSG_ERROR || payload.size() < sizeof(int)) continue;
            int code = 0;
            std::memcpy(&code, payload.data(), sizeof code);
            const std::string_view words = WordsOf(header, payload);
            if (code != 0 && result) {
                const std::string& what = messages.what_[index];
                result = Fail(
                    Error::FromErrno(-code, words.empty() ? what : Cat(what, " (", words, ")")));
            }
            // A transaction as a whole is answered for by its first message.
            done = done || index == messages.answered_ || (index == 0 && code != 0);
        }
    }
    return result;
}

Status NetlinkSocket::Dump(Messages messages,
                           const std::function<void(uint16_t, std::span<const uint8_t>)>& each) {
    messages.Last()->nlmsg_flags |= NLM_F_DUMP;
    const uint32_t sequence = sequence_;
    HUSK_TRY(Transmit(messages));
    sequence_ += static_cast<uint32_t>(messages.count());
    for (;;) {
        auto data = Receive();
        if (!data) return Fail(std::move(data).error().Wrap(messages.what_.front()));
        for (auto rest = *data; auto message = TakeMessage(rest);) {
            const auto& [header, payload] = *message;
            if (header.nlmsg_seq != sequence) continue;
            if (header.nlmsg_type == NLMSG_DONE) return {};
            if (header.nlmsg_type != NLMSG_ERROR) {
                each(header.nlmsg_type, payload);
                continue;
            }
            int code = 0;
            if (payload.size() >= sizeof code) std::memcpy(&code, payload.data(), sizeof code);
            if (code != 0) return Fail(Error::FromErrno(-code, messages.what_.front()));
        }
    }
}

Error ExplainKernel(Error error, const char* option) {
    const int code = error.code();
    if (code != EOPNOTSUPP && code != EPROTONOSUPPORT && code != EAFNOSUPPORT && code != ENOENT)
        return error;
    return Error::FromErrno(code, Cat(error.text().substr(0, error.text().rfind(": ")),
                                      " (the kernel needs ", option, ")"));
}

// --- namespaces --------------------------------------------------------------------------------

Result<OwnedFd> MakeNetworkNamespace() {
    auto home = OpenFile("/proc/self/ns/net", O_RDONLY);
    if (!home) return Fail(std::move(home).error());
    if (::unshare(CLONE_NEWNET) != 0) return FailErrno("make a network namespace");
    auto made = OpenFile("/proc/self/ns/net", O_RDONLY);
    if (::setns(home->get(), CLONE_NEWNET) != 0) ::_exit(1);  // see NamespaceVisit
    return made;
}

}  // namespace husk::network
