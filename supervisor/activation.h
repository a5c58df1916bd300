// What starts a unit beside people: its [Timer] and its [Socket].
//
// One file is one workload, so the two share the unit's life where systemd has three units:
// - A unit with either is not started at boot. It is armed then, where it is enabled: its timer
//   runs, its sockets are open.
// - `husk start` runs it now, and arms it. `husk stop` ends it and disarms it: no timer, sockets
//   closed, until it is started or the device boots. A restart, an exit, a failure, or a stop that
//   comes with another unit's leaves it armed.
// - Sockets are kept by PID 1, and are watched while the unit is down. What comes while it runs,
//   or starts, waits in the kernel for the program.
// - A socket whose address is in use is tried again, with a growing pause (ListenRetry()).
#pragma once

#include <cstdint>

#include <string>
#include <vector>

#include "base/rare.h"
#include "base/time.h"
#include "config/unit.h"
#include "supervisor/timers.h"

namespace husk::supervisor {

enum class Arming : uint8_t {
    kUndecided,  // not decided: a new unit, or one that is not enabled
    kArmed,
    kDisarmed,  // a person stopped it
};

struct OpenSocket {
    std::string name;  // ListenerName()
    int slot = -1;     // PID 1's; kNoSlot without PID 1
    friend bool operator==(const OpenSocket&, const OpenSocket&) = default;
};

// Goes into the unit's record.
struct Activation {
    Arming arming = Arming::kUndecided;
    TimerState timer;
    List<OpenSocket> sockets;  // in the order of the file
    friend bool operator==(const Activation&, const Activation&) = default;
};

bool HasActivation(const config::Unit& unit);

// A program that ends at once and leaves its connection waiting is started again and again by it:
// at most kActivationBurst times in kActivationInterval, the defaults of systemd's
// TriggerLimitBurst= and TriggerLimitIntervalSec=. Then its sockets are not listened to for
// kTriggerPause; systemd closes them for good, which would strand a device that nobody visits.
inline constexpr int kActivationBurst = 20;
inline constexpr Duration kActivationInterval = std::chrono::seconds(2);
inline constexpr Duration kTriggerPause = std::chrono::seconds(30);

class TriggerLimit {
  public:
    // False where this one is too many.
    bool Take(Instant now);

  private:
    Instant began_{};
    int count_ = 0;
};

// The pause before a listener that could not be opened is tried for the n-th time again, from 1:
// from one second to a minute.
Duration ListenRetry(int tries);

}  // namespace husk::supervisor
