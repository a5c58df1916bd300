#include "supervisor/uevents.h"

#include <cerrno>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>

#include "base/text.h"

namespace husk::supervisor {
namespace {

constexpr size_t kMessageSize = 8192;  // the kernel's are at most 2,048 bytes and a header

std::optional<uint64_t> NumberOf(std::string_view variable, std::string_view name) {
    if (!variable.starts_with(name)) return std::nullopt;
    return ParseUnsigned(variable.substr(name.size()));
}

// One waiting message; false where there is none. Anybody may send to a netlink address, and
// programs pass such messages on to each other: only the kernel's own, from port 0, are taken in.
bool Receive(int socket, char (&buffer)[kMessageSize], std::string_view& message) {
    sockaddr_nl from{};
    iovec part{buffer, sizeof buffer};
    msghdr header{};
    header.msg_name = &from;
    header.msg_namelen = sizeof from;
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    const ssize_t got = ::recvmsg(socket, &header, MSG_DONTWAIT);
    message = {};
    // ENOBUFS: some were lost. The next bad block that is read tells of itself again.
    if (got < 0) return errno == ENOBUFS;
    const bool kernel = header.msg_namelen == sizeof from && from.nl_pid == 0;
    if (kernel && !(header.msg_flags & MSG_TRUNC)) message = {buffer, static_cast<size_t>(got)};
    return true;
}

}  // namespace

std::optional<BlockDamage> ParseBlockDamage(std::string_view message) {
    constexpr std::string_view kDamage = "DM_VERITY_ERR_BLOCK_NR=";
    std::optional<uint64_t> major, minor, type, block;
    for (std::string_view variable : Split(message, '\0')) {
        if (auto number = NumberOf(variable, "MAJOR=")) major = number;
        if (auto number = NumberOf(variable, "MINOR=")) minor = number;
        if (!variable.starts_with(kDamage)) continue;
        const auto parts = Split(variable.substr(kDamage.size()), ',');
        if (parts.size() != 2) return std::nullopt;
        type = ParseUnsigned(parts[0]);
        block = ParseUnsigned(parts[1]);
    }
    if (!major || !minor || !type || !block || *major > UINT32_MAX || *minor > UINT32_MAX)
        return std::nullopt;
    return BlockDamage{
        .device = makedev(static_cast<unsigned>(*major), static_cast<unsigned>(*minor)),
        .tree = *type != 0,
        .block = *block};
}

std::string Describe(const BlockDamage& damage) {
    return Cat("block ", std::to_string(damage.block), " of its ",
               damage.tree ? "hash tree" : "data", " does not match its hash");
}

std::optional<DeviceEvent> ParseDeviceEvent(std::string_view message) {
    DeviceEvent event;
    auto take = [](std::string_view variable, std::string_view name, std::string_view& value) {
        if (variable.starts_with(name)) value = variable.substr(name.size());
    };
    for (std::string_view variable : Split(message, '\0')) {
        take(variable, "ACTION=", event.action);
        take(variable, "SUBSYSTEM=", event.subsystem);
        take(variable, "DEVNAME=", event.node);
        take(variable, "MODALIAS=", event.modalias);
    }
    if (event.action.empty() || event.subsystem.empty()) return std::nullopt;
    return event;
}

Result<OwnedFd> OpenDeviceEvents() {
    OwnedFd socket(
        ::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT));
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = 1;  // the kernel's own
    if (!socket ||
        ::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
        return FailErrno("listen to the kernel's device events");
    return socket;
}

void ReadDeviceEvents(int socket, const std::function<void(std::string_view)>& take) {
    char buffer[kMessageSize];
    std::string_view message;
    while (Receive(socket, buffer, message)) take(message);
}

}  // namespace husk::supervisor
