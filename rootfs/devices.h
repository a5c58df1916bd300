// The /dev of containers: one that all share, and one of its own for a unit with AddDevice=.
#pragma once

#include <cstdint>

#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace husk::rootfs {

struct DeviceNode {
    std::string path;  // below /dev: "ttyUSB0", "snd/timer"
    bool block = false;
    uint32_t major = 0, minor = 0;
    unsigned mode = 0600;
    uint32_t uid = 0, gid = 0;  // the device's
    friend bool operator==(const DeviceNode&, const DeviceNode&) = default;
};

// In each /dev, an empty file: what a unit that notifies has its socket mounted on.
inline constexpr const char* kNotifyPlace = "husk-notify";

// Makes a tmpfs at `path` with null, zero, full, random, urandom, tty and the usual links and
// directories, for containers to see read-only. What is there already is kept. It is one for all
// containers, since its nodes are the kernel's and nothing can be changed in it.
Status PrepareDeviceTree(const std::string& path);

// The same with `nodes` in it, as a detached mount.
//
// Nodes are made anew rather than bound from the device's /dev: a node there is 0660 and of a group
// such as dialout, which means nobody to the container, while a node of the unit's own belongs to
// its user. What that user may do with it is the mode's and the device filter's to say. It works in
// a user namespace since the file system is the device's and not the container's.
Result<OwnedFd> MakeDeviceTree(const std::vector<DeviceNode>& nodes);

}  // namespace husk::rootfs
