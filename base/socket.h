// Messages on Unix sockets, with what rides on them beside their bytes (unix(7), cmsg(3)).
#pragma once

#include <cstddef>
#include <sys/socket.h>
#include <sys/un.h>

#include <optional>
#include <span>
#include <string_view>

#include "base/error.h"
#include "base/fd.h"

namespace husk {

// The kernel lets no more descriptors ride on one message (SCM_MAX_FD).
inline constexpr size_t kMaxRidingDescriptors = 253;

// Of a socket file. An error where the path is too long for one.
Result<sockaddr_un> UnixAddress(std::string_view path);

// sendmsg(2), without SIGPIPE: how many bytes were sent, or -1 and errno. The descriptors, at most
// kMaxRidingDescriptors, go with the first byte.
ssize_t SendMessage(int socket, std::span<const std::byte> bytes, std::span<const int> descriptors,
                    int flags = 0);

struct ReceivedMessage {
    ssize_t size = -1;              // as recvmsg(2) has it, with errno
    size_t descriptors = 0;         // how many came
    bool lost_descriptors = false;  // more came than there was room for: those are closed
    std::optional<ucred> sender;    // where the socket has SO_PASSCRED
};
// What comes along lands in `room`, close-on-exec; nothing of it is received by a message of which
// size is negative.
ReceivedMessage ReceiveMessage(int socket, std::span<std::byte> bytes, std::span<OwnedFd> room,
                               int flags = 0);

}  // namespace husk
