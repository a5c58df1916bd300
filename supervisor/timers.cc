#include "supervisor/timers.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "base/zone.h"
#include "config/calendar.h"
#include "config/calendar_next.h"

namespace husk::supervisor {
namespace {

constexpr int64_t kMicrosecond = 1000;  // in nanoseconds

// A number of the delay's range that looks like chance: splitmix64.
Duration Delay(Duration most, int64_t elapse, uint64_t seed) {
    if (most <= Duration(0)) return {};
    uint64_t mixed = seed + static_cast<uint64_t>(elapse) + 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
    return Duration(
        static_cast<int64_t>((mixed ^ mixed >> 31) % static_cast<uint64_t>(most.count())));
}

// Sums that may be beyond what a clock can show.
int64_t Sum(int64_t a, int64_t b) {
    int64_t sum = 0;
    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

class Scheduler {
  public:
    Scheduler(const TimerState& state, const Clocks& now) : state_(state), now_(now) {}

    void AddMonotonic(const char* key, Instant base, const std::vector<Duration>& spans) {
        for (Duration span : spans) {
            const Instant at{Duration(Sum(base.since_boot.count(), span.count()))};
            if (!monotonic_ || at < monotonic_->at)
                monotonic_ = Elapse{.at = at, .cause = Cat(key, "=", FormatDuration(span))};
        }
    }

    // Once a boot.
    void AddBoot(const std::vector<Duration>& spans) {
        for (Duration span : spans)
            if (state_.last == Instant{} || span > state_.last.since_boot)
                AddMonotonic("OnBootSec", Instant{}, {span});
    }

    void AddCalendar(const config::CalendarSpec& spec) {
        auto zone = ZoneScope::Enter(spec.zone);
        if (!zone) {
            schedule_.problems.push_back(Cat("OnCalendar=", config::CalendarText(spec), ": ",
                                             zone.error().text(),
                                             "; it does not elapse (write UTC, or put the device's "
                                             "zone files there)"));
            return;
        }
        const int64_t base =
            state_.last_realtime != 0 ? state_.last_realtime : state_.armed_realtime;
        const auto next = config::NextCalendarTime(spec, base / kMicrosecond + 1, OffsetInZone);
        if (!next || *next > INT64_MAX / kMicrosecond) return;
        const int64_t at = *next * kMicrosecond;
        if (!calendar_ || at < calendar_->realtime)
            calendar_ =
                Elapse{.realtime = at, .cause = Cat("OnCalendar=", config::CalendarText(spec))};
    }

    Schedule Finish(Duration most_delay, uint64_t seed) {
        // The time between the clocks: when the device booted by the wall clock.
        const int64_t boot = now_.realtime - now_.monotonic.since_boot.count();
        if (monotonic_) {
            const int64_t at = monotonic_->at.since_boot.count();
            monotonic_->at.since_boot = Duration(Sum(at, Delay(most_delay, at, seed).count()));
            monotonic_->realtime = Sum(monotonic_->at.since_boot.count(), boot);
        }
        if (calendar_) {
            const int64_t at = calendar_->realtime;
            // What was missed counts from the boot, so that its delay spreads those starts, too.
            calendar_->realtime = Sum(std::max(at, boot), Delay(most_delay, at, seed).count());
            calendar_->at.since_boot = Duration(calendar_->realtime - boot);
        }
        const bool by_calendar = calendar_ && (!monotonic_ || calendar_->at < monotonic_->at);
        schedule_.next = by_calendar ? std::move(calendar_) : std::move(monotonic_);
        return std::move(schedule_);
    }

  private:
    const TimerState& state_;
    const Clocks now_;
    Schedule schedule_;
    std::optional<Elapse> monotonic_, calendar_;
};

}  // namespace

Clocks ReadClocks() { return {MonotonicNow(), RealtimeNow()}; }

void ArmTimer(TimerState& state, std::optional<int64_t> stamp, const Clocks& now) {
    state.armed_realtime = now.realtime;
    // One from the future was written by a clock that was wrong, or is wrong now.
    if (stamp && *stamp <= now.realtime) state.last_realtime = *stamp;
}

void FollowClock(TimerState& state, std::optional<int64_t> stamp, const Clocks& now) {
    const int64_t base = state.last_realtime != 0 ? state.last_realtime : state.armed_realtime;
    if (base < kClockIsSet && now.realtime >= kClockIsSet) {
        state.last_realtime = 0;
        ArmTimer(state, stamp, now);
        return;
    }
    state.armed_realtime = std::min(state.armed_realtime, now.realtime);
    state.last_realtime = std::min(state.last_realtime, now.realtime);
}

void NoteElapse(TimerState& state, const Clocks& now) {
    state.triggered = true;
    state.last = now.monotonic;
    state.last_realtime = now.realtime;
}

Schedule NextElapse(const config::TimerSection& timer, const TimerState& state,
                    const TimedLife& life, const Clocks& now, uint64_t seed) {
    Scheduler scheduler(state, now);
    scheduler.AddBoot(timer.on_boot);
    if (const Instant base = std::max(life.started_at, state.last); base != Instant{})
        scheduler.AddMonotonic("OnUnitActiveSec", base, timer.on_unit_active);
    if (life.came_to_rest != Instant{})
        scheduler.AddMonotonic("OnUnitInactiveSec", std::max(life.came_to_rest, state.last),
                               timer.on_unit_inactive);
    for (const auto& spec : timer.calendar) scheduler.AddCalendar(spec);
    return scheduler.Finish(timer.randomized_delay, seed);
}

}  // namespace husk::supervisor
