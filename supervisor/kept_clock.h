// The wall clock of a device whose real-time clock has no battery, or that has none: never before
// the time that husk saw last, nor before its own image was built.
//
// The kernel sets its clock from an RTC by itself. The time that was seen last is when STATE/clock was
// modified, that of the image the newest of husk's binary, /etc/husk/system.conf and
// /usr/lib/clock-epoch (which systemd(1) takes, too).
#pragma once

#include <cstdint>

#include <optional>
#include <string>

#include "base/error.h"
#include "base/event_loop.h"
#include "base/time.h"

namespace husk::supervisor {

// How often the time is kept: so much of it is lost by a power cut.
inline constexpr Duration kClockPause = std::chrono::minutes(10);

struct ClockFloor {
    int64_t seconds = 0;  // since 1970
    bool kept = false;    // the time that was seen last, not that of the image
    friend bool operator==(const ClockFloor&, const ClockFloor&) = default;
};
// Pure. Nothing where `now` is not behind; 0 is unknown.
std::optional<ClockFloor> WhatClockIsBehind(int64_t now, int64_t kept, int64_t built);

// Sets the clock where it is behind, and says so in the log.
Status RestoreClock(const std::string& state_directory);
Status KeepClock(const std::string& state_directory);

// Keeps it now and then for as long as it lives. What fails is said once.
class ClockKeeper {
  public:
    ClockKeeper(EventLoop& loop, std::string state_directory);
    ~ClockKeeper() { loop_.CancelTimer(timer_); }
    ClockKeeper(const ClockKeeper&) = delete;
    ClockKeeper& operator=(const ClockKeeper&) = delete;

  private:
    void Arm();

    EventLoop& loop_;
    std::string state_directory_;
    EventLoop::TimerId timer_ = 0;
    bool failed_ = false;
};

}  // namespace husk::supervisor
