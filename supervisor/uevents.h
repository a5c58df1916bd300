// What the kernel says about its devices (NETLINK_KOBJECT_UEVENT, lib/kobject_uevent.c).
#pragma once

#include <cstdint>
#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/fd.h"

namespace husk::supervisor {

// A block of an image does not match its hash (dm-verity).
struct BlockDamage {
    dev_t device = 0;   // of the verity device
    bool tree = false;  // the block is one of the hash tree
    uint64_t block = 0;
    friend bool operator==(const BlockDamage&, const BlockDamage&) = default;
};
// Pure: from one message of the kernel, strings that each end in a NUL. Nothing where it is about
// something else.
std::optional<BlockDamage> ParseBlockDamage(std::string_view message);
// "block 12 of its data does not match its hash"
std::string Describe(const BlockDamage& damage);

// What else the kernel tells of a device. Views into the message.
struct DeviceEvent {
    std::string_view action;     // add, remove, change, …
    std::string_view subsystem;  // block, tty, …
    std::string_view node;       // below /dev; empty: it has none
    std::string_view modalias;   // empty: none
};
// Pure. Nothing where the message is none of the kernel's.
std::optional<DeviceEvent> ParseDeviceEvent(std::string_view message);

// A socket on which the kernel's messages arrive. It does not block.
Result<OwnedFd> OpenDeviceEvents();
// Calls `take` with each message that is there. Where some were lost, with an empty one.
void ReadDeviceEvents(int socket, const std::function<void(std::string_view message)>& take);

}  // namespace husk::supervisor
