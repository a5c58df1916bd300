// When a unit's [Timer] starts it next: systemd.timer(5), as a pure function of what it remembers
// and the time.
//
// As in systemd, by the source of its version 252:
// - Monotonic times run on CLOCK_MONOTONIC, which stands still while the device sleeps
//   (WakeSystem= is not there). OnBootSec= counts from the kernel's start.
// - What has passed when the timer is armed elapses at once; OnBootSec= once a boot.
// - A run that the timer began holds the timer up until it is over. What passed meanwhile elapses
//   once then. A unit that was running anyway is left alone, and the time counts as had.
// - RandomizedDelaySec= is drawn anew for each elapse; here from the boot id, the unit and that
//   time, so that a supervisor which is started anew draws the same.
//
// Not as in systemd, which has set the clock to something plausible before any unit is started: a
// clock from before kClockIsSet is not set yet. Calendar timers run by it all the same, since a
// device may never learn the time; when it is set, they begin anew from then, or from the last time
// that Persistent= kept, which is neither taken for the future nor overwritten before.
#pragma once

#include <cstdint>

#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "config/unit_life.h"

namespace husk::supervisor {

// 2025-01-01 00:00:00 UTC, in nanoseconds since 1970.
inline constexpr int64_t kClockIsSet = 1'735'689'600'000'000'000;

// The two clocks, read together; realtime in nanoseconds since 1970.
struct Clocks {
    Instant monotonic;
    int64_t realtime = 0;
};
Clocks ReadClocks();

// Goes into the unit's record.
struct TimerState {
    bool triggered = false;      // it began the run that goes on
    int64_t armed_realtime = 0;  // from when on calendar times count
    Instant last{};              // when it last elapsed in this boot, 0 = never
    int64_t last_realtime = 0;   // the same by the wall clock, or what Persistent= kept; 0 = never
    friend bool operator==(const TimerState&, const TimerState&) = default;
};

// `stamp` is what Persistent= kept; none where there is nothing, or the key is not given.
void ArmTimer(TimerState& state, std::optional<int64_t> stamp, const Clocks& now);
// To be called when the wall clock was set.
void FollowClock(TimerState& state, std::optional<int64_t> stamp, const Clocks& now);
void NoteElapse(TimerState& state, const Clocks& now);

// What of the unit's life counts.
struct TimedLife {
    Instant started_at{};    // of its last start, 0 = never
    Instant came_to_rest{};  // 0 where it runs, or never ran
};

struct Elapse {
    Instant at{};          // may have passed: now
    int64_t realtime = 0;  // the same by the wall clock
    std::string cause;     // "OnCalendar=*-*-* 00:00:00", "OnBootSec=5min"
};

struct Schedule {
    std::optional<Elapse> next;
    std::vector<std::string> problems;  // a zone that the device does not know
};

// `seed` is of unit and boot.
Schedule NextElapse(const config::TimerSection& timer, const TimerState& state,
                    const TimedLife& life, const Clocks& now, uint64_t seed);

}  // namespace husk::supervisor
