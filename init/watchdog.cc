#include "init/watchdog.h"

#include <cerrno>
#include <linux/watchdog.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "init/child.h"
#include "init/early_boot.h"
#include "init/log.h"

namespace husk::init {
namespace {

using namespace std::chrono_literals;

struct Words {
    int file;
    std::string_view text;
};

// In a child: a file on state storage that does not answer holds up whoever writes to it.
void WriteReason(const void* argument) {
    const Words& words = *static_cast<const Words*>(argument);
    (void)::ftruncate(words.file, 0);
    (void)!::pwrite(words.file, words.text.data(), words.text.size(), 0);
    (void)::fdatasync(words.file);
    ::_exit(0);
}

void GiveUp(Duration trusted, const DescriptorSlots& slots) {
    LogLine reason;
    reason << "the supervisor was silent for " << trusted / 1s << " s";
    Say(LogLevel::kError, reason.text(), kNotFed, ", and resets the device");
    const Words words{slots.Peek(kResetReasonSlot), reason.text()};
    if (words.file >= 0) (void)StartChild(kInitCgroup, WriteReason, &words);
}

}  // namespace

void WatchdogFeed::Trust(Duration trust, Duration interval, Instant now) {
    *this = {};
    if (trust <= 0ns) return;
    until_ = now.since_boot + trust;
    trusted_ = trust;
    interval_ = std::max<Duration>(interval, 1ms);
    next_ = now.since_boot;
}

void WatchdogFeed::Bear(Duration silence, Instant now) {
    if (active() && until_ != kInfinite) until_ = now.since_boot + silence + trusted_;
}

void WatchdogFeed::TrustMyself() {
    // Not where nobody has asked for it.
    if (next_ == 0ns) return;
    until_ = kInfinite;
}

WatchdogFeed::Act WatchdogFeed::Due(Instant now) {
    if (next() > now) return Act::kNothing;
    if (now.since_boot >= until_) {
        next_ = 0ns;
        given_up_ = true;
        return Act::kGiveUp;
    }
    next_ = std::min(now.since_boot + interval_, until_);
    return Act::kFeed;
}

bool FeedWatchdog(const Watchdog& watchdog, const DescriptorSlots& slots) {
    return !watchdog.feed.active() || ::ioctl(slots.Peek(kWatchdogSlot), WDIOC_KEEPALIVE) == 0;
}

void TendWatchdog(Watchdog& watchdog, const DescriptorSlots& slots, Instant now) {
    switch (watchdog.feed.Due(now)) {
        case WatchdogFeed::Act::kNothing: break;
        case WatchdogFeed::Act::kFeed: (void)::ioctl(slots.Peek(kWatchdogSlot), WDIOC_KEEPALIVE); break;
        case WatchdogFeed::Act::kGiveUp: GiveUp(watchdog.feed.trusted(), slots); break;
    }
}

void LeaveWatchdog(const Watchdog& watchdog, int device, ShutdownAction action) {
    if (device < 0) return;
    if (action == ShutdownAction::kReboot || action == ShutdownAction::kKexec) {
        int seconds = watchdog.last_seconds;
        if (seconds > 0 && ::ioctl(device, WDIOC_SETTIMEOUT, &seconds) != 0)
            Say(LogLevel::kWarning, "the hardware watchdog does not take ",
                watchdog.last_seconds, " s for the reboot: ", Errno{errno});
        (void)::ioctl(device, WDIOC_KEEPALIVE);
        return;
    }
    // It would wake up a machine that is to stay down.
    int options = WDIOS_DISABLECARD;
    if (::write(device, "V", 1) != 1 || ::ioctl(device, WDIOC_SETOPTIONS, &options) != 0)
        Say(LogLevel::kWarning, "the hardware watchdog cannot be stopped: ", Errno{errno});
}

}  // namespace husk::init
