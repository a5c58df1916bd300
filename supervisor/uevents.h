// What the kernel says about its devices (NETLINK_KOBJECT_UEVENT): here, that a block of an image
// does not match its hash (dm-verity).
#pragma once

#include <cstdint>
#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/event_loop.h"
#include "base/fd.h"

namespace husk::supervisor {

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

// Calls `damaged` from the loop. `socket` is the caller's to keep for as long.
Status WatchDevices(EventLoop& loop, OwnedFd& socket,
                    std::function<void(const BlockDamage&)> damaged);

}  // namespace husk::supervisor
