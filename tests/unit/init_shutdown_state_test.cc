#include <gtest/gtest.h>

#include "init/shutdown_state.h"

namespace husk::init {
namespace {

using namespace std::chrono_literals;

constexpr Instant At(Duration since_boot) { return {since_boot}; }

TEST(ShutdownState, HasNoDeadlineWhileNobodyAsks) {
    const ShutdownState state;
    EXPECT_EQ(state.deadline().since_boot, kInfinite);
    EXPECT_EQ(state.begun(), ShutdownAction::kNone);
    EXPECT_EQ(state.unanswered(), ShutdownAction::kNone);
}

TEST(ShutdownState, AWishHasALimitEvenIfNoSupervisorTakesItUp) {
    ShutdownState state;
    state.Want(ShutdownAction::kReboot, At(10s));
    state.Want(ShutdownAction::kReboot, At(20s));
    EXPECT_EQ(state.deadline(), At(10s) + kShutdownLimit);
    EXPECT_EQ(state.unanswered(), ShutdownAction::kReboot);
    EXPECT_EQ(state.begun(), ShutdownAction::kNone);
    EXPECT_EQ(state.action(), ShutdownAction::kReboot);
}

TEST(ShutdownState, ASupervisorThatRepeatsItDoesNotPutTheEndOff) {
    ShutdownState state;
    state.Want(ShutdownAction::kReboot, At(10s));
    state.Begin(ShutdownAction::kReboot, At(30s));
    EXPECT_EQ(state.deadline(), At(30s) + kShutdownLimit);
    state.Begin(ShutdownAction::kPoweroff, At(60s));
    EXPECT_EQ(state.deadline(), At(30s) + kShutdownLimit);
    EXPECT_EQ(state.action(), ShutdownAction::kPoweroff);
    EXPECT_EQ(state.unanswered(), ShutdownAction::kNone);
}

TEST(ShutdownState, ALaterWishDoesNotChangeWhatHasBegun) {
    ShutdownState state;
    state.Begin(ShutdownAction::kPoweroff, At(1s));
    state.Want(ShutdownAction::kReboot, At(2s));
    EXPECT_EQ(state.action(), ShutdownAction::kPoweroff);
    EXPECT_EQ(state.deadline(), At(1s) + kShutdownLimit);
}

TEST(ShutdownState, FinishIsDueAtOnce) {
    ShutdownState state;
    state.Begin(ShutdownAction::kPoweroff, At(1s));
    state.Finish(ShutdownAction::kHalt, At(2s));
    EXPECT_EQ(state.deadline(), At(2s));
    EXPECT_EQ(state.action(), ShutdownAction::kHalt);
}

TEST(ShutdownState, KnowsItsActions) {
    EXPECT_FALSE(IsShutdownAction(0));
    EXPECT_TRUE(IsShutdownAction(1));
    EXPECT_TRUE(IsShutdownAction(4));
    EXPECT_FALSE(IsShutdownAction(5));
    EXPECT_FALSE(IsShutdownAction(UINT64_MAX));
}

}  // namespace
}  // namespace husk::init
