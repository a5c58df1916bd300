// When timers elapse: by both clocks, and whatever happens to the wall clock.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "base/text.h"
#include "config/calendar.h"
#include "supervisor/timers.h"

namespace husk::supervisor {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kDay = 86400 * kSecond;
// 2026-06-15 10:00:00 UTC.
constexpr int64_t kSomeDay = 1'781'517'600 * kSecond;

Instant Up(Duration uptime) { return {uptime}; }

config::CalendarSpec Calendar(std::string_view text) {
    auto spec = config::ParseCalendar(Cat(text, " UTC"));
    EXPECT_TRUE(spec) << text;
    return spec.value_or(config::CalendarSpec{});
}

// A device with a timer, and clocks that are moved by hand.
struct Bench {
    config::TimerSection timer;
    TimerState state;
    TimedLife life;
    Clocks now{Up(seconds(10)), kSomeDay};
    std::optional<int64_t> stamp;
    int runs = 0;

    void Arm() { ArmTimer(state, stamp, now); }
    Schedule Next() const { return NextElapse(timer, state, life, now, 7); }
    std::optional<Duration> In() const {
        auto next = Next().next;
        if (!next) return std::nullopt;
        return next->at - now.monotonic;
    }
    void Pass(Duration time) {
        now.monotonic = now.monotonic + time;
        now.realtime += time.count();
    }
    void SetClock(int64_t realtime) {
        now.realtime = realtime;
        FollowClock(state, stamp, now);
    }
    // A run that is over at once, wherever the timer is due within this time.
    void Live(Duration time) {
        const Instant end = now.monotonic + time;
        while (true) {
            auto next = Next().next;
            if (!next || next->at > end) break;
            Pass(std::max(next->at - now.monotonic, Duration(0)));
            ++runs;
            NoteElapse(state, now);
            if (timer.persistent && now.realtime >= kClockIsSet) stamp = now.realtime;
            life.started_at = life.came_to_rest = now.monotonic;
            state.triggered = false;
            ASSERT_LT(runs, 100'000);
        }
        Pass(end - now.monotonic);
    }
};

TEST(Timers, OnBootSecElapsesOnceABoot) {
    Bench bench{.timer = {.on_boot = {minutes(5), minutes(10)}}};
    bench.Arm();
    EXPECT_EQ(bench.Next().next->at, Up(minutes(5)));
    EXPECT_EQ(bench.Next().next->cause, "OnBootSec=5min");
    bench.Live(hours(20));
    EXPECT_EQ(bench.runs, 2);
    EXPECT_EQ(bench.Next().next, std::nullopt);
}

TEST(Timers, OnBootSecThatHasPassedElapsesAtOnce) {
    Bench bench{.timer = {.on_boot = {minutes(5)}}, .now = {Up(hours(1)), kSomeDay}};
    bench.Arm();
    EXPECT_LT(*bench.In(), Duration(0));
}

TEST(Timers, OnUnitActiveSecWantsAFirstStart) {
    Bench bench{.timer = {.on_unit_active = {minutes(1)}}};
    bench.Arm();
    EXPECT_EQ(bench.Next().next, std::nullopt);
    bench.life.started_at = bench.now.monotonic;
    EXPECT_EQ(bench.In(), minutes(1));
    bench.Live(minutes(10));
    EXPECT_EQ(bench.runs, 10);
}

TEST(Timers, OnUnitInactiveSecCountsFromTheEnd) {
    Bench bench{.timer = {.on_boot = {minutes(1)}, .on_unit_inactive = {minutes(30)}}};
    bench.Arm();
    bench.Pass(minutes(2));
    NoteElapse(bench.state, bench.now);
    bench.life = {.started_at = bench.now.monotonic};
    EXPECT_EQ(bench.Next().next, std::nullopt);  // while it runs
    bench.Pass(minutes(7));
    bench.life.came_to_rest = bench.now.monotonic;
    EXPECT_EQ(bench.In(), minutes(30));
    EXPECT_EQ(bench.Next().next->cause, "OnUnitInactiveSec=30min");
}

TEST(Timers, TheEarliestOfSeveralCounts) {
    Bench bench{
        .timer = {.on_boot = {hours(3)}, .calendar = {Calendar("daily"), Calendar("12:00")}}};
    bench.Arm();
    EXPECT_EQ(bench.In(), hours(2));
    EXPECT_EQ(bench.Next().next->cause, "OnCalendar=*-*-* 12:00:00 UTC");
    EXPECT_EQ(bench.Next().next->realtime, kSomeDay + 2 * 3600 * kSecond);
    bench.Live(hours(2));
    EXPECT_EQ(bench.Next().next->cause, "OnBootSec=3h");
}

TEST(Timers, AnEndlessSpanIsNoOverflow) {
    Bench bench{.timer = {.on_boot = {Duration::max() - seconds(1)}}};
    bench.Arm();
    EXPECT_GT(bench.Next().next->at, bench.now.monotonic + hours(24 * 365 * 200));
    bench.timer.randomized_delay = Duration::max();
    EXPECT_GT(bench.Next().next->at, bench.now.monotonic);
}

TEST(Timers, ACalendarTimerElapsesEachTime) {
    Bench bench{.timer = {.calendar = {Calendar("*:0/10")}}};
    bench.Arm();
    bench.Live(hours(3));
    EXPECT_EQ(bench.runs, 18);
}

TEST(Timers, AZoneThatTheDeviceLacksIsSaid) {
    Bench bench;
    bench.timer.calendar = {Calendar("daily")};
    bench.timer.calendar[0].zone = "Europe/Nowhere";
    bench.Arm();
    const Schedule schedule = bench.Next();
    EXPECT_EQ(schedule.next, std::nullopt);
    ASSERT_EQ(schedule.problems.size(), 1u);
    EXPECT_EQ(schedule.problems[0],
              "OnCalendar=*-*-* 00:00:00 Europe/Nowhere: time zone 'Europe/Nowhere': "
              "'/usr/share/zoneinfo/Europe/Nowhere': No such file or directory; it does not elapse "
              "(write UTC, or put the device's zone files there)");
}

TEST(Timers, AJumpForwardsOverATimeIsOneRun) {
    Bench bench{.timer = {.calendar = {Calendar("daily")}}};
    bench.Arm();
    bench.SetClock(kSomeDay + 30 * kDay);
    EXPECT_LE(*bench.In(), Duration(0));
    bench.Live(minutes(1));
    EXPECT_EQ(bench.runs, 1);
    EXPECT_EQ(bench.In(), hours(14) - minutes(1));
}

TEST(Timers, AJumpBackwardsBeginsAnewFromThere) {
    Bench bench{.timer = {.calendar = {Calendar("daily")}}};
    bench.Arm();
    bench.Live(hours(24));
    EXPECT_EQ(bench.runs, 1);
    bench.SetClock(kSomeDay - 30 * kDay);
    EXPECT_EQ(bench.In(), hours(14));
    bench.Live(hours(24));
    EXPECT_EQ(bench.runs, 2);
}

TEST(Timers, AClockThatIsSetLateRunsNothingAtOnce) {
    Bench bench{.timer = {.calendar = {Calendar("yearly")}}, .now = {Up(seconds(5)), 5 * kSecond}};
    bench.Arm();
    bench.Live(minutes(1));
    bench.SetClock(kSomeDay);
    bench.Live(hours(24));
    EXPECT_EQ(bench.runs, 0);
    EXPECT_EQ(bench.Next().next->realtime, 1'798'761'600 * kSecond);  // 2027
}

TEST(Timers, WithoutAClockCalendarTimersRunAllTheSame) {
    Bench bench{.timer = {.calendar = {Calendar("hourly")}}, .now = {Up(seconds(5)), 5 * kSecond}};
    bench.Arm();
    bench.Live(hours(5));
    EXPECT_EQ(bench.runs, 5);
    bench.SetClock(kSomeDay + 60 * kSecond);
    EXPECT_EQ(bench.In(), minutes(59));
}

TEST(Timers, WhatPersistentKeptIsCaughtUpOnce) {
    Bench bench{.timer = {.calendar = {Calendar("daily")}, .persistent = true},
                .stamp = kSomeDay - 9 * kDay};
    bench.Arm();
    EXPECT_LE(*bench.In(), Duration(0));
    bench.Live(minutes(1));
    EXPECT_EQ(bench.runs, 1);
    EXPECT_EQ(bench.stamp, kSomeDay);
    EXPECT_EQ(bench.In(), hours(14) - minutes(1));
}

TEST(Timers, APersistentTimerWaitsForTheClock) {
    Bench bench{.timer = {.calendar = {Calendar("yearly")}, .persistent = true},
                .now = {Up(seconds(5)), 5 * kSecond},
                .stamp = kSomeDay - 300 * kDay};
    bench.Arm();
    bench.Live(hours(1));
    EXPECT_EQ(bench.runs, 0);
    EXPECT_EQ(bench.stamp, kSomeDay - 300 * kDay);
    bench.SetClock(kSomeDay);
    bench.Live(hours(24));
    EXPECT_EQ(bench.runs, 1);  // the new year passed while it was off
    EXPECT_EQ(bench.stamp, kSomeDay);
}

TEST(Timers, APersistentTimerThatMissedNothingDoesNothing) {
    Bench bench{.timer = {.calendar = {Calendar("yearly")}, .persistent = true},
                .now = {Up(seconds(5)), 5 * kSecond},
                .stamp = kSomeDay - 3 * kDay};
    bench.Arm();
    bench.SetClock(kSomeDay);
    bench.Live(hours(24));
    EXPECT_EQ(bench.runs, 0);
}

TEST(Timers, AStampFromTheFutureIsNotBelieved) {
    Bench bench{.timer = {.calendar = {Calendar("daily")}, .persistent = true},
                .stamp = kSomeDay + 900 * kDay};
    bench.Arm();
    EXPECT_EQ(bench.In(), hours(14));
}

TEST(Timers, ADelayIsStableForEachElapseAndWithinItsBounds) {
    Bench bench{.timer = {.calendar = {Calendar("*:0")}, .randomized_delay = minutes(10)}};
    bench.Arm();
    std::set<int64_t> delays;
    for (int hour = 0; hour < 24; ++hour) {
        const Instant at = bench.Next().next->at;
        const int64_t delay = bench.Next().next->realtime % (3600 * kSecond);
        EXPECT_LT(delay, 600 * kSecond);
        delays.insert(delay);
        bench.Pass(seconds(1));
        EXPECT_EQ(bench.Next().next->at, at);
        bench.Live(hours(1) - seconds(1));
    }
    EXPECT_GT(delays.size(), 20u);
    const Elapse one = *bench.Next().next;
    EXPECT_NE(NextElapse(bench.timer, bench.state, bench.life, bench.now, 8).next->at, one.at);
}

}  // namespace
}  // namespace husk::supervisor
