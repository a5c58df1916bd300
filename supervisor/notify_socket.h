// A unit's notify socket: AF_UNIX datagrams, bound on husk's own tmpfs and mounted into the
// container.
#pragma once

#include <cstdint>
#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace husk::supervisor {

// Where a container with mounts of its own finds it. /dev is the one folder that every root has and
// that husk itself fills, whatever the image and its volumes hold.
inline constexpr const char* kNotifyPath = "/dev/husk-notify";  // rootfs::kNotifyPlace

// Its folder below the run folder. The first is the device's root's alone; through the second a
// unit without mounts of its own gets to its socket, and so does anybody on the device.
inline constexpr const char* kNotifyFolder = "/notify";
inline constexpr const char* kSharedNotifyFolder = "/notify-shared";
Status MakeNotifyFolders(const std::string& run_directory);

// A new socket in place of whatever lies at FOLDER/NAME. Anybody who gets to it may send.
Result<OwnedFd> BindNotifySocket(const std::string& folder, const std::string& name);

struct NotifyDatagram {
    std::string text;     // at most one byte more than kMaxNotifyMessage
    bool broken = false;  // too many descriptors, or no sender: to be passed over whole
    pid_t pid = 0;        // of the sender, as the supervisor counts
    uint32_t uid = 0;
    std::vector<OwnedFd> descriptors;  // for a ForeignCloser
};
// Nothing where none waits.
Result<std::optional<NotifyDatagram>> ReceiveNotification(int socket);

}  // namespace husk::supervisor
