// The hardware watchdog as PID 1 sees it: whom it feeds for, and until when.
//
// The supervisor opens and configures the device, hands it over (kWatchdogSlot), and says again and
// again for how long it vouches for the device's health. PID 1 feeds for as long as that holds, so a
// supervisor may die and come back meanwhile; one that is silent for too long, or says 0, lets the
// hardware reset the device. A PID 1 that stands still feeds nothing.
//
// Kernel: Documentation/watchdog/watchdog-api.rst.
#pragma once

#include <cstdint>

#include "base/init_protocol.h"
#include "base/time.h"
#include "init/slots.h"

namespace husk::init {

// Pure: time is an argument. All zero at start.
class WatchdogFeed {
  public:
    enum class Act { kNothing, kFeed, kGiveUp };

    // From now on: fed each `interval`, at once first, until `trust` has passed. 0: no more.
    void Trust(Duration trust, Duration interval, Instant now);
    // The supervisor may be silent for so long, and then for as long as ever: while one is replaced
    // by another, which has a limit of its own.
    void Bear(Duration silence, Instant now);
    // The supervisor's word is of no matter any more: while the device goes down, which has a limit of
    // its own.
    void TrustMyself();
    // What is to be done now. kGiveUp once, when the word that it was fed by holds no longer.
    Act Due(Instant now);
    Instant next() const { return {next_ == Duration{} ? kInfinite : next_}; }
    Duration trusted() const { return trusted_; }  // the last time that was given
    bool active() const { return next_ != Duration{}; }
    bool given_up() const { return given_up_; }    // since the last word

  private:
    Duration until_{0}, next_{0}, interval_{0}, trusted_{0};
    bool given_up_ = false;
};

struct Watchdog {
    WatchdogFeed feed;
    int32_t last_seconds = 0;  // the timeout to set before the machine goes down; 0: as it is
};

// Feeds the device now, where it is fed at all. False where it does not take it.
bool FeedWatchdog(const Watchdog& watchdog, const DescriptorSlots& slots);
// Feeds the device, or says why it is not fed any more, as it is due.
void TendWatchdog(Watchdog& watchdog, const DescriptorSlots& slots, Instant now);
// The end is near: armed for a reboot that hangs, disarmed where the machine is to stay down.
void LeaveWatchdog(const Watchdog& watchdog, int device, ShutdownAction action);

}  // namespace husk::init
