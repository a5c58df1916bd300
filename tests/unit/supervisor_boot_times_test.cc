#include <gtest/gtest.h>

#include "supervisor/boot_times.h"

namespace husk::supervisor {
namespace {

Instant At(int64_t time) { return {.since_boot = Duration(time)}; }

TEST(BootTimes, AreReadBackAsTheyWereWritten) {
    const BootTimes times{At(100), At(2'000'000'000), At(3)};
    EXPECT_EQ(ParseBootTimes(WriteBootTimes(times)), times);
}

TEST(BootTimes, OfADamagedFileAreUnknown) {
    for (const char* text : {"", "1 2", "1 2 3 4", "1 2 x", "1 -2 3", "\xff\xff 1 2"})
        EXPECT_EQ(ParseBootTimes(text), BootTimes{}) << text;
}

Life In(State state, bool done = false) {
    Life life;
    life.state = state;
    life.done = done;
    return life;
}

TEST(StartTimes, AreThoseOfTheFirstStart) {
    StartTimes times;
    NoteStart(times, In(State::kInactive), At(1));
    EXPECT_EQ(times, StartTimes{});
    NoteStart(times, In(State::kWaiting), At(2));
    NoteStart(times, In(State::kWaiting), At(3));
    NoteStart(times, In(State::kStarting), At(4));
    NoteStart(times, In(State::kRunning), At(5));
    const StartTimes first{At(2), At(4), At(5)};
    EXPECT_EQ(times, first);
    for (State state : {State::kStopping, State::kInactive, State::kWaiting, State::kStarting,
                        State::kRunning, State::kFailed})
        NoteStart(times, In(state), At(9));
    EXPECT_EQ(times, first) << "a restart is no boot";
}

TEST(StartTimes, OfAUnitThatNeverCameUpHaveNoEnd) {
    StartTimes times;
    NoteStart(times, In(State::kWaiting), At(2));
    NoteStart(times, In(State::kStarting), At(4));
    NoteStart(times, In(State::kBackoff), At(5));
    NoteStart(times, In(State::kStarting), At(6));
    NoteStart(times, In(State::kFailed), At(7));
    EXPECT_EQ(times, (StartTimes{At(2), At(4), {}}));
}

TEST(StartTimes, OfAUnitThatWasSkippedHaveNoLaunch) {
    StartTimes times;
    NoteStart(times, In(State::kWaiting), At(2));
    NoteStart(times, In(State::kInactive, true), At(3));
    EXPECT_EQ(times, (StartTimes{At(2), {}, {}}));
}

TEST(StartTimes, OfAOneshotEndWithIt) {
    StartTimes times;
    NoteStart(times, In(State::kWaiting), At(2));
    NoteStart(times, In(State::kStarting), At(4));
    NoteStart(times, In(State::kCleaning), At(5));
    NoteStart(times, In(State::kInactive, true), At(6));
    EXPECT_EQ(times, (StartTimes{At(2), At(4), At(6)}));
}

}  // namespace
}  // namespace husk::supervisor
