#include <gtest/gtest.h>

#include "rootfs/image_versions.h"
#include "supervisor/image_trial.h"

namespace husk::supervisor {
namespace {

constexpr Instant kSwitched{std::chrono::seconds(100)};
constexpr Duration kSecond = std::chrono::seconds(1);

ImageTrial Trial() {
    return {.version = "1.3",
            .before = rootfs::kBuiltIn,
            .until = {"boot", std::chrono::seconds(400)},
            .settle = 10 * kSecond,
            .switched = kSwitched,
            .units = {"db", "web"}};
}

// A unit that came to this state some seconds after the switch, by a launch behind it.
Life At(State state, int seconds = 2) {
    Life life;
    life.state = state;
    life.since = kSwitched + seconds * kSecond;
    life.started_at = kSwitched + kSecond;
    life.reason = "its reason";
    return life;
}

Verdict JudgeAt(const Life& life, int seconds, TriedUnit unit = {}) {
    unit.life = &life;
    return Judge(unit, Trial(), kSwitched + seconds * kSecond);
}

TEST(ImageTrial, WithoutAHealthCheckItIsProvedByRunningForAWhile) {
    const Life life = At(State::kRunning);
    const Verdict early = JudgeAt(life, 11);
    EXPECT_EQ(early.proof, Proof::kWaits);
    EXPECT_EQ(early.at, kSwitched + 12 * kSecond);
    EXPECT_EQ(JudgeAt(life, 12).proof, Proof::kGood);
}

TEST(ImageTrial, WithAHealthCheckItIsProvedByThat) {
    const Life life = At(State::kRunning);
    auto judged = [&](HealthState health) {
        return JudgeAt(life, 300, {.has_checks = true, .health = health, .health_text = "code 1"});
    };
    EXPECT_EQ(judged(HealthState::kStarting).proof, Proof::kWaits);
    EXPECT_EQ(judged(HealthState::kNone).proof, Proof::kWaits);
    EXPECT_EQ(judged(HealthState::kHealthy).proof, Proof::kGood);
    EXPECT_EQ(judged(HealthState::kUnhealthy).proof, Proof::kBad);
    EXPECT_EQ(judged(HealthState::kUnhealthy).why, "unhealthy: code 1");
}

TEST(ImageTrial, WhatIsAsBeforeTheSwitchSaysNothing) {
    for (State state : {State::kRunning, State::kFailed, State::kBackoff, State::kInactive}) {
        Life life = At(state, -50);
        EXPECT_EQ(JudgeAt(life, 300).proof, Proof::kWaits) << StateName(state);
    }
    // A reload that ended between the switch and the restart.
    Life reloaded = At(State::kRunning);
    reloaded.started_at = kSwitched - kSecond;
    EXPECT_EQ(JudgeAt(reloaded, 300).proof, Proof::kWaits);
    const Life failed = At(State::kFailed);
    EXPECT_EQ(JudgeAt(failed, 3, {.job_waits = true}).proof, Proof::kWaits);
}

TEST(ImageTrial, EveryStateIsDecided) {
    for (int i = 0; i < kStates; ++i) {
        const auto state = static_cast<State>(i);
        const Life life = At(state);
        const bool bad =
            state == State::kFailed || state == State::kBackoff || state == State::kInactive;
        const bool good =
            state == State::kExited || state == State::kRunning || state == State::kReloading;
        const Verdict verdict = JudgeAt(life, 300);
        EXPECT_EQ(verdict.proof, bad    ? Proof::kBad
                                 : good ? Proof::kGood
                                        : Proof::kWaits)
            << SubStateName(state);
        if (bad) EXPECT_EQ(verdict.why, "its reason");
    }
    Life done = At(State::kInactive);
    done.done = true;
    EXPECT_EQ(JudgeAt(done, 3).proof, Proof::kGood);
    EXPECT_EQ(JudgeAt(done, 3, {.there = false}).proof, Proof::kBad);
}

TEST(ImageTrial, ARestartByItselfIsNoProof) {
    Life life = At(State::kRunning);
    life.restarts = 1;
    EXPECT_EQ(JudgeAt(life, 300).proof, Proof::kBad);
}

TEST(ImageTrial, ItsTimeIsWhatTheUnitsKeysLetItTake) {
    Policy policy;
    policy.timeout_start = 90 * kSecond;
    policy.timeout_stop = 10 * kSecond;
    config::HealthSection health;
    EXPECT_EQ(TimeToProve(policy, health, 10 * kSecond), 140 * kSecond);
    health.command = {"/check"};
    health.interval = 5 * kSecond;
    health.timeout = 2 * kSecond;
    health.retries = 3;
    health.start_period = 60 * kSecond;
    EXPECT_EQ(TimeToProve(policy, health, 10 * kSecond), (130 + 60 + 21) * kSecond);
    policy.timeout_start = kInfinite;
    health = {};
    EXPECT_EQ(TimeToProve(policy, health, 10 * kSecond), (30 + 10 + 300 + 10) * kSecond);
}

TEST(ImageState, IsReadAsItWasWritten) {
    ImageState state{.previous = "1.2", .trial = Trial()};
    state.trial->failure = "unit 'web': exited";
    state.rolled_back = {.version = "1.1", .before = "1.0", .why = "a=b", .at = 5};
    auto read = ParseImageState(Serialize(state));
    ASSERT_TRUE(read) << read.error().text();
    EXPECT_EQ(*read, state);
    EXPECT_EQ(*ParseImageState(Serialize(ImageState{})), ImageState{});
    // What a program said cannot make a line of its own.
    state.trial->failure = "x\ntrial.version=evil";
    EXPECT_EQ(ParseImageState(Serialize(state))->trial->version, "1.3");
}

TEST(ImageState, DamageIsAnError) {
    const std::string good = Serialize(ImageState{.previous = "1.2", .trial = Trial()});
    EXPECT_FALSE(ParseImageState(""));
    EXPECT_FALSE(ParseImageState(good + "unknown=1\n"));
    EXPECT_FALSE(ParseImageState(good + "previous=../x\n"));
    EXPECT_FALSE(ParseImageState("husk-image-state 1\ntrial.version=1\n"));
    EXPECT_FALSE(ParseImageState(good.substr(0, good.find("trial.boot") + 4)));
}

TEST(ImageState, WhatNothingWouldMissMayGo) {
    ImageState state{.previous = "2"};
    const std::vector<std::string> all = {"1", "2", "3", "4", "5"};
    EXPECT_EQ(Removable(all, "3", state, {"4"}), (std::vector<std::string>{"1", "5"}));
    state.trial = {.version = "3", .before = "1"};
    EXPECT_EQ(Removable(all, "3", state, {}), (std::vector<std::string>{"4", "5"}));
}

}  // namespace
}  // namespace husk::supervisor
