#include "base/socket.h"

#include <cstring>

#include <algorithm>

#include "base/text.h"

namespace husk {

Result<sockaddr_un> UnixAddress(std::string_view path) {
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    if (path.size() >= sizeof address.sun_path)
        return Fail("the path ", Quote(path), " is too long for a socket (over ",
                    std::to_string(sizeof address.sun_path - 1), " bytes)");
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

ssize_t SendMessage(int socket, std::span<const std::byte> bytes, std::span<const int> descriptors,
                    int flags) {
    iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxRidingDescriptors)];
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    const size_t size = std::min(descriptors.size(), kMaxRidingDescriptors) * sizeof(int);
    if (size > 0) {
        std::memset(control, 0, CMSG_SPACE(size));
        message.msg_control = control;
        message.msg_controllen = static_cast<decltype(message.msg_controllen)>(CMSG_SPACE(size));
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = static_cast<decltype(header->cmsg_len)>(CMSG_LEN(size));
        std::memcpy(CMSG_DATA(header), descriptors.data(), size);
    }
    return ::sendmsg(socket, &message, flags | MSG_NOSIGNAL);
}

ReceivedMessage ReceiveMessage(int socket, std::span<std::byte> bytes, std::span<OwnedFd> room,
                               int flags) {
    iovec part{bytes.data(), bytes.size()};
    alignas(cmsghdr) char
        control[CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(sizeof(int) * kMaxRidingDescriptors)];
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    // Where no sender comes, its place has room for more descriptors: they are closed below.
    message.msg_controllen = static_cast<decltype(message.msg_controllen)>(
        CMSG_SPACE(sizeof(ucred)) +
        CMSG_SPACE(sizeof(int) * std::min(room.size(), kMaxRidingDescriptors)));
    ReceivedMessage received{.size = ::recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC)};
    if (received.size < 0) return received;
    received.lost_descriptors = (message.msg_flags & MSG_CTRUNC) != 0;
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET) continue;
        const size_t size = header->cmsg_len - CMSG_LEN(0);
        if (header->cmsg_type == SCM_CREDENTIALS && size >= sizeof(ucred))
            std::memcpy(&received.sender.emplace(), CMSG_DATA(header), sizeof(ucred));
        if (header->cmsg_type != SCM_RIGHTS) continue;
        for (size_t at = 0; at + sizeof(int) <= size; at += sizeof(int)) {
            int descriptor = -1;
            std::memcpy(&descriptor, CMSG_DATA(header) + at, sizeof descriptor);
            OwnedFd owned(descriptor);
            if (received.descriptors < room.size())
                room[received.descriptors++] = std::move(owned);
            else
                received.lost_descriptors = true;
        }
    }
    return received;
}

}  // namespace husk
