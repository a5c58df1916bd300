// The sockets and FIFOs of [Socket]: opened on the device, in its own network namespace.
#pragma once

#include <cstdint>

#include <optional>
#include <string>

#include "base/error.h"
#include "base/fd.h"
#include "config/unit_life.h"

namespace husk::supervisor {

// "ListenStream=127.0.0.1:8080", and of a path its mode: what two listeners that are the same
// share. Pure.
std::string ListenerName(const config::Listener& listener, unsigned mode);

// Close-on-exec, and blocking, as systemd passes them on. As systemd's defaults: a port alone is of
// both families ([::], where the kernel has IPv6), SO_REUSEADDR, the longest queue that the kernel
// gives. Parents of a path are made. A Unix socket that nobody listens on any more is replaced; a
// FIFO that is there is used.
//
// In two steps, so that PID 1 has it, and the record says so, before it has an address: an address
// that only a socket has which nobody knows of would be in use for ever.
//
// `shared`: the folder around the path that containers write to (SharedFolderAround()), or empty;
// no link is followed in it.
Result<OwnedFd> MakeListener(const config::Listener& listener, unsigned mode,
                             const std::string& shared);
// Nothing for a FIFO.
Status BindListener(int fd, const config::Listener& listener, unsigned mode,
                    const std::string& shared);
// Whether the second step was done, and nobody who was given the socket has undone it since: by
// shutdown(2), or by connect(2), which lets a datagram socket hear one peer only. The description
// is shared, so that would outlast the program.
bool IsBound(int fd, const config::Listener& listener);

// What nobody has accepted or read yet.
struct ListenerQueue {
    bool waiting = false;                 // there is something
    std::optional<uint64_t> connections;  // of a stream, where the kernel tells
};
ListenerQueue LookAtQueue(int fd, const config::Listener& listener);

}  // namespace husk::supervisor
