#include <gtest/gtest.h>

#include <vector>

#include "supervisor/boot_state.h"

namespace husk::supervisor {
namespace {

BootUnit Unit(State state, bool has_failed = false) {
    return {{.state = state, .wanted = true}, has_failed};
}
BootUnit Unwanted(State state) { return {{.state = state}, false}; }

// db, web which requires it, and app which requires web.
const Order& Chain() {
    static const Order order(
        {{"db", {}, {}, {}}, {"web", {"db"}, {"db"}, {}}, {"app", {"web"}, {"web"}, {}}});
    return order;
}

BootState Of(std::vector<BootUnit> units, bool booted = false, bool shutting_down = false) {
    return OverallState(Chain(), units, booted, shutting_down);
}

constexpr State kUp = State::kRunning;

TEST(BootState, NoUnitsIsRunning) {
    EXPECT_EQ(OverallState(Order({}), {}, false, false), BootState::kRunning);
}

TEST(BootState, IsStartingWhileAnyWantedUnitIsOnItsWay) {
    for (State state : {State::kInactive, State::kWaiting, State::kStarting})
        EXPECT_EQ(Of({Unit(kUp), Unit(kUp), Unit(state)}), BootState::kStarting);
    EXPECT_EQ(Of({Unit(State::kBackoff), Unit(kUp), Unit(State::kStarting)}), BootState::kStarting);
}

TEST(BootState, IsRunningOnceAllAreUpOrDone) {
    EXPECT_EQ(Of({Unit(kUp), Unit(State::kExited), Unwanted(State::kInactive)}),
              BootState::kRunning);
    BootUnit done = Unit(State::kInactive);
    done.standing.done = true;
    EXPECT_EQ(Of({Unit(kUp), Unit(kUp), done}), BootState::kRunning);
}

TEST(BootState, IsDegradedByFailedRefusedAndBackoff) {
    EXPECT_EQ(Of({Unit(kUp), Unit(kUp), Unit(State::kFailed)}), BootState::kDegraded);
    EXPECT_EQ(Of({Unit(kUp), Unit(kUp), Unit(State::kBackoff)}), BootState::kDegraded);
    BootUnit refused = Unwanted(State::kInactive);
    refused.standing.refused = true;
    EXPECT_EQ(Of({Unit(kUp), Unit(kUp), refused}), BootState::kDegraded);
}

TEST(BootState, AUnitThatCrashesForEverDoesNotBootForEver) {
    for (State state : {State::kWaiting, State::kStarting, State::kCleaning})
        EXPECT_EQ(Of({Unit(kUp), Unit(kUp), Unit(state, true)}), BootState::kDegraded);
    EXPECT_EQ(Of({Unit(kUp), Unit(kUp), Unit(kUp, true)}), BootState::kRunning);
}

TEST(BootState, WhatWaitsForAUnitInTroubleIsHeldUpAndNotStarting) {
    EXPECT_EQ(Of({Unit(State::kBackoff), Unit(State::kWaiting), Unit(State::kWaiting)}),
              BootState::kDegraded);
    EXPECT_EQ(Of({Unit(State::kStarting), Unit(State::kWaiting), Unit(State::kWaiting)}),
              BootState::kStarting);
    EXPECT_EQ(Of({Unit(State::kStarting, true), Unit(State::kWaiting), Unit(State::kWaiting)}),
              BootState::kDegraded);
}

TEST(BootState, ALaterRestartIsNoBoot) {
    EXPECT_EQ(Of({Unit(kUp), Unit(kUp), Unit(State::kStarting)}, true), BootState::kRunning);
}

TEST(BootState, StoppingIsStoppingWhateverTheUnitsDo) {
    EXPECT_EQ(Of({Unit(State::kFailed), Unit(kUp), Unit(State::kStarting)}, true, true),
              BootState::kStopping);
}

TEST(BootState, EveryStateHasItsName) {
    EXPECT_STREQ(BootStateName(BootState::kStarting), "starting");
    EXPECT_STREQ(BootStateName(BootState::kRunning), "running");
    EXPECT_STREQ(BootStateName(BootState::kDegraded), "degraded");
    EXPECT_STREQ(BootStateName(BootState::kStopping), "stopping");
}

}  // namespace
}  // namespace husk::supervisor
