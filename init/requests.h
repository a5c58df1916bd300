// What the supervisor may ask of PID 1 (base/init_protocol.h), without the socket.
#pragma once

#include <cstddef>

#include "base/fd.h"
#include "base/init_protocol.h"
#include "base/time.h"
#include "init/exits.h"
#include "init/shutdown_state.h"
#include "init/slots.h"
#include "init/upgrade.h"
#include "init/watchdog.h"

namespace husk::init {

// All that PID 1 remembers for the supervisor.
struct Memory {
    DescriptorSlots slots;
    ExitRing exits;
    ShutdownState shutdown;
    Watchdog watchdog;
    Upgrade upgrade;
    // Until a supervisor says otherwise nobody knows better.
    bool burst_is_one = false;
    ShutdownAction burst_action = ShutdownAction::kNone;  // kNone: a reboot
    int32_t supervisor_starts = 0;
    Instant began{};  // when PID 1 did
};

struct Request {
    InitPacket packet;   // its first `size` bytes are what came
    size_t size = 0;     // of the packet as it was sent, which may be longer or shorter
    OwnedFd descriptor;  // what came along
    int error = 0;       // what is wrong with it already: descriptors that did not get through
};

struct Answer {
    InitPacket packet;
    int descriptor = -1;  // to send along; it stays in its slot
};

// Never fails: whatever came has an answer. A descriptor that is not stored is closed.
Answer Handle(Memory& memory, Request request, Instant now);

}  // namespace husk::init
