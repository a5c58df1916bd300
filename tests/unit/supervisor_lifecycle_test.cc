// The lifecycle's stories as sentences; supervisor_lifecycle_walk_test.cc walks every state and
// event.
#include <gtest/gtest.h>
#include <signal.h>

#include <string>
#include <vector>

#include "supervisor/lifecycle.h"

namespace husk::supervisor {
namespace {

using config::KillMode;
using config::RestartPolicy;
using config::ServiceType;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Kinds = std::vector<ActionKind>;

Policy Usual() {
    config::Unit unit;
    return PolicyOf(unit, config::SystemConfig{});
}

class Story : public testing::Test {
  protected:
    Policy policy = Usual();
    Life life;
    Instant now{seconds(100)};
    std::vector<Action> actions;

    Kinds Send(Event event) {
        actions = Advance(life, policy, event, now, 0);
        Kinds kinds;
        for (const Action& action : actions) kinds.push_back(action.kind);
        return kinds;
    }
    Kinds Send(EventKind kind, std::string text = "") { return Send(Event{kind, text, 0, {}}); }
    Kinds Launched() { return Send(Event{EventKind::kLaunched, "", 42, {}}); }
    Kinds Exit(int status, uint64_t oom_kills = 0) {
        Event event{EventKind::kMainExited, "", 0, {}};
        event.exit = ExitFromWaitStatus(status, oom_kills, 64 << 20, now, 0);
        return Send(event);
    }
    void Run() {
        Send(EventKind::kOrderReady);
        Launched();
        Send(EventKind::kExecuted);
    }
    void StartAndRun() {
        Send(EventKind::kStartWanted, "at boot");
        Run();
        ASSERT_EQ(life.state, State::kRunning);
    }
    // Crashes after `ran`, up to backoff; the deadline's distance.
    Duration Crash(Duration ran, int status = SIGSEGV) {
        now = now + ran;
        Exit(status);
        Send(EventKind::kGroupEmpty);
        EXPECT_EQ(life.state, State::kBackoff);
        return life.timer - now;
    }
    void PauseOver() {
        now = life.timer;
        Send(EventKind::kTimer);
    }
};

TEST_F(Story, AUnitThatIsWantedAtBootRunsAndSaysSo) {
    EXPECT_EQ(Send(EventKind::kStartWanted, "at boot"), Kinds{ActionKind::kJoinOrder});
    EXPECT_EQ(life.state, State::kWaiting);
    EXPECT_EQ(life.reason, "to be started at boot");
    Send(EventKind::kOrderWaits, "'mosquitto'");
    EXPECT_EQ(life.reason, "waiting for 'mosquitto'");
    EXPECT_EQ(Send(EventKind::kOrderReady), (Kinds{ActionKind::kArmTimer, ActionKind::kLaunch}));
    EXPECT_EQ(life.reason, "being started at boot");
    Launched();
    EXPECT_EQ(life.main_pid, 42);
    EXPECT_EQ(Send(EventKind::kExecuted), Kinds{ActionKind::kCancelTimer});
    EXPECT_EQ(life.state, State::kRunning);
    EXPECT_EQ(life.reason, "started at boot");
    EXPECT_EQ(life.timer, Instant{});
}

TEST_F(Story, AStopAsksWaitsKillsAndCleans) {
    StartAndRun();
    EXPECT_EQ(Send(EventKind::kStopWanted, "by 'husk stop'"),
              (Kinds{ActionKind::kSignalGroup, ActionKind::kArmTimer}));
    EXPECT_EQ(actions[0].signal, SIGTERM);
    EXPECT_EQ(life.reason, "being stopped by 'husk stop'");
    PauseOver();
    EXPECT_EQ(actions[0].kind, ActionKind::kKillGroup);
    EXPECT_EQ(life.reason, "killed: it did not end within 10s; being stopped by 'husk stop'");
    EXPECT_EQ(Exit(SIGKILL), (Kinds{ActionKind::kKillGroup, ActionKind::kArmTimer}));
    EXPECT_EQ(life.state, State::kCleaning);
    EXPECT_EQ(Send(EventKind::kGroupEmpty),
              (Kinds{ActionKind::kCancelTimer, ActionKind::kRelease}));
    EXPECT_EQ(life.state, State::kInactive);
    EXPECT_EQ(life.reason, "stopped by 'husk stop' (killed: it did not end within 10s)");
    EXPECT_FALSE(life.done);
}

TEST_F(Story, AStopThatGoesWellHasNothingMoreToSay) {
    StartAndRun();
    Send(EventKind::kStopWanted, "by 'husk stop'");
    Exit(0);
    Send(EventKind::kGroupEmpty);
    EXPECT_EQ(life.reason, "stopped by 'husk stop'");
}

TEST_F(Story, AProgramThatFailsOnTheWayDownIsStoppedAllTheSame) {
    StartAndRun();
    Send(EventKind::kStopWanted, "by 'husk stop'");
    Exit(3 << 8);
    Send(EventKind::kGroupEmpty);
    EXPECT_EQ(life.state, State::kInactive);
    EXPECT_EQ(life.reason, "stopped by 'husk stop' (exited with code 3)");
}

TEST_F(Story, MixedAndProcessAskOnlyTheMainProcess) {
    for (KillMode mode : {KillMode::kMixed, KillMode::kProcess}) {
        life = {};
        policy.kill_mode = mode;
        StartAndRun();
        EXPECT_EQ(Send(EventKind::kStopWanted, "by 'husk stop'")[0], ActionKind::kSignalMain);
        // What is left is killed once the main process is gone.
        EXPECT_EQ(Exit(0)[0], ActionKind::kKillGroup);
    }
}

TEST_F(Story, WithoutSendSigkillTheSignalIsSentAgain) {
    policy.send_sigkill = false;
    StartAndRun();
    Send(EventKind::kStopWanted, "by 'husk stop'");
    for (int i = 0; i < 3; ++i) {
        PauseOver();
        EXPECT_EQ(actions[0].kind, ActionKind::kSignalGroup);
        EXPECT_EQ(life.state, State::kStopping);
    }
    EXPECT_EQ(life.reason, "still there after 30s (SendSIGKILL=no); being stopped by 'husk stop'");
}

TEST_F(Story, AProcessThatCannotBeKilledIsReportedAndKilledAgain) {
    StartAndRun();
    Send(EventKind::kStopWanted, "by 'husk stop'");
    PauseOver();
    PauseOver();
    EXPECT_EQ(actions[0].kind, ActionKind::kKillGroup);
    EXPECT_EQ(life.reason, "killed, but still there after 15s; being stopped by 'husk stop'");
}

TEST_F(Story, ACrashLoopBacksOffUpToTheLongestDelay) {
    StartAndRun();
    EXPECT_EQ(Crash(seconds(1)), milliseconds(100));
    EXPECT_EQ(life.reason, "restarting in 100ms: killed by SIGSEGV");
    Duration last = milliseconds(100);
    for (int i = 2; i <= 9; ++i) {
        PauseOver();
        Run();
        const Duration delay = Crash(seconds(1));
        EXPECT_GT(delay, last);
        last = delay;
    }
    EXPECT_EQ(last, seconds(30));
    EXPECT_EQ(life.reason, "restarting in 30s: killed by SIGSEGV (9th time in a row)");
    EXPECT_EQ(life.restarts, 8u);
    PauseOver();
    EXPECT_EQ(life.reason, "to be restarted: killed by SIGSEGV (9th time in a row)");
    Run();
    EXPECT_EQ(life.reason, "restarted: killed by SIGSEGV (9th time in a row)");
}

TEST_F(Story, AStableRunStartsTheBackoffAgainButNotTheCountOfRestarts) {
    StartAndRun();
    for (int i = 0; i < 5; ++i) {
        Crash(seconds(1));
        PauseOver();
        Run();
    }
    EXPECT_EQ(Crash(StableRun(policy)), milliseconds(100));
    EXPECT_EQ(life.failures_in_row, 1);
    EXPECT_EQ(life.reason, "restarting in 100ms: killed by SIGSEGV");
    EXPECT_EQ(life.restarts, 5u);
}

TEST_F(Story, RestartAlwaysBacksOffFromCleanExitsOnlyWhenTheyComeFast) {
    policy.restart = RestartPolicy::kAlways;
    StartAndRun();
    for (int i = 0; i < 4; ++i) {
        EXPECT_EQ(Crash(seconds(60), 0), milliseconds(100));
        PauseOver();
        Run();
    }
    EXPECT_EQ(life.failures_in_row, 0);
    Crash(milliseconds(5), 0);
    PauseOver();
    Run();
    EXPECT_GT(Crash(milliseconds(5), 0), milliseconds(150));
    EXPECT_EQ(life.reason.substr(life.reason.find(": ")),
              ": exited with code 0 (2nd time in a row)");
}

TEST_F(Story, AnExitThatWasReapedWithoutASupervisorCountsFromWhenItHappened) {
    StartAndRun();
    Event event{EventKind::kMainExited, "", 0, {}};
    event.exit = ExitFromWaitStatus(SIGSEGV, 0, 0, now + seconds(1), 0);
    now = now + seconds(3600);
    Send(event);
    EXPECT_EQ(life.failures_in_row, 1);  // ran a second, not an hour
}

TEST_F(Story, ARestartThatWasAskedForIsNoFailureAndForgetsEarlierOnes) {
    StartAndRun();
    Crash(seconds(1));
    PauseOver();
    Run();
    Send(EventKind::kRestartWanted, "by 'husk restart'");
    EXPECT_EQ(life.reason, "being restarted by 'husk restart'");
    Exit(SIGKILL);
    EXPECT_EQ(Send(EventKind::kGroupEmpty),
              (Kinds{ActionKind::kCancelTimer, ActionKind::kJoinOrder}));
    EXPECT_EQ(life.restarts, 0u);
    EXPECT_EQ(life.failures_in_row, 0);
    Run();
    EXPECT_EQ(life.state, State::kRunning);
    EXPECT_EQ(life.reason, "restarted by 'husk restart'");
}

TEST_F(Story, AFailedStartIsAnExit) {
    Send(EventKind::kStartWanted, "at boot");
    Send(EventKind::kOrderReady);
    Send(EventKind::kLaunchFailed, "clone3: Resource temporarily unavailable");
    EXPECT_EQ(life.state, State::kBackoff);
    EXPECT_EQ(life.reason,
              "restarting in 100ms: start failed: clone3: Resource temporarily unavailable");
    PauseOver();
    Send(EventKind::kOrderReady);
    Launched();
    Send(EventKind::kStepFailed, "mount 'tmpfs' on '/tmp': No space left on device");
    Exit(1 << 8);
    Send(EventKind::kGroupEmpty);
    EXPECT_EQ(life.state, State::kBackoff);
    EXPECT_EQ(Describe(life.last_exit),
              "start failed: mount 'tmpfs' on '/tmp': No space left on device");
    EXPECT_EQ(life.failures_in_row, 2);
    policy.restart = RestartPolicy::kNo;
    PauseOver();
    Send(EventKind::kOrderReady);
    Send(EventKind::kLaunchFailed, "no image 'web'");
    EXPECT_EQ(life.state, State::kFailed);
    EXPECT_EQ(life.reason,
              "start failed: no image 'web' (3rd time in a row); not started again (Restart=no)");
}

TEST_F(Story, AStartThatHangsIsKilledAtOnceAndTriedAgain) {
    Send(EventKind::kStartWanted, "at boot");
    Send(EventKind::kOrderReady);
    Launched();
    PauseOver();
    EXPECT_EQ(life.state, State::kStopping);
    EXPECT_EQ(actions[0].kind, ActionKind::kKillGroup);
    EXPECT_EQ(life.reason, "not started within 10s; being stopped");
    Exit(SIGKILL);
    Send(EventKind::kGroupEmpty);
    EXPECT_EQ(life.reason, "restarting in 100ms: not started within 10s");
}

TEST_F(Story, AStopBeforeTheProgramRunsKills) {
    Send(EventKind::kStartWanted, "at boot");
    Send(EventKind::kOrderReady);
    Launched();
    EXPECT_EQ(Send(EventKind::kStopWanted, "by 'husk stop'")[0], ActionKind::kKillGroup);
    Exit(SIGKILL);
    Send(EventKind::kGroupEmpty);
    EXPECT_EQ(life.reason, "stopped by 'husk stop'");
}

TEST_F(Story, AStopThatOvertakesTheLaunchKillsWhatComesOfIt) {
    Send(EventKind::kStartWanted, "at boot");
    Send(EventKind::kOrderReady);
    Send(EventKind::kStopWanted, "by 'husk stop'");
    EXPECT_EQ(Launched()[0], ActionKind::kKillGroup);
    Exit(SIGKILL);
    Send(EventKind::kGroupEmpty);
    EXPECT_EQ(life.state, State::kInactive);
}

TEST_F(Story, AStartWhileStoppingStartsAfterwards) {
    StartAndRun();
    Send(EventKind::kStopWanted, "by 'husk stop'");
    Send(EventKind::kStartWanted, "by 'husk start'");
    EXPECT_EQ(life.reason, "being stopped, then started by 'husk start'");
    Exit(0);
    Send(EventKind::kGroupEmpty);
    Run();
    EXPECT_EQ(life.reason, "started by 'husk start'");
}

TEST_F(Story, AStopInBackoffIsDoneAtOnce) {
    StartAndRun();
    Crash(seconds(1));
    EXPECT_EQ(Send(EventKind::kStopWanted, "by 'husk stop'"),
              (Kinds{ActionKind::kCancelTimer, ActionKind::kRelease}));
    EXPECT_EQ(life.state, State::kInactive);
}

TEST_F(Story, AStartInBackoffDoesNotWait) {
    StartAndRun();
    Crash(seconds(1));
    Send(EventKind::kStartWanted, "by 'husk start'");
    EXPECT_EQ(life.state, State::kWaiting);
    EXPECT_EQ(life.failures_in_row, 0);
}

TEST_F(Story, AOneshotIsStartingUntilItHasEnded) {
    policy.type = ServiceType::kOneshot;
    policy.timeout_start = kInfinite;
    Send(EventKind::kStartWanted, "at boot");
    Run();
    EXPECT_EQ(life.state, State::kStarting);
    EXPECT_EQ(life.reason, "started at boot; not finished yet");
    EXPECT_EQ(life.timer, Instant{});
    Exit(0);
    Send(EventKind::kGroupEmpty);
    EXPECT_EQ(life.state, State::kInactive);
    EXPECT_TRUE(life.done);
    EXPECT_EQ(life.reason, "finished: exited with code 0");
    policy.remain_after_exit = true;
    Send(EventKind::kStartWanted, "by 'husk start'");
    EXPECT_FALSE(life.done);
    Run();
    Exit(0);
    Send(EventKind::kGroupEmpty);
    EXPECT_EQ(life.state, State::kExited);
}

TEST_F(Story, AOneshotThatTakesTooLongIsAskedToEndFirst) {
    policy.type = ServiceType::kOneshot;
    policy.restart = RestartPolicy::kNo;
    Send(EventKind::kStartWanted, "at boot");
    Run();
    PauseOver();
    EXPECT_EQ(actions[0].kind, ActionKind::kSignalGroup);
    Exit(SIGTERM);
    Send(EventKind::kGroupEmpty);
    EXPECT_EQ(life.state, State::kFailed);
    EXPECT_EQ(life.reason, "not finished within 10s; not started again (Restart=no)");
}

TEST_F(Story, OneshotHasAStartTimeoutOnlyWhenTheUnitGivesOne) {
    config::Unit unit;
    EXPECT_EQ(PolicyOf(unit, {}).timeout_start, seconds(10));
    unit.service.type = ServiceType::kOneshot;
    EXPECT_EQ(PolicyOf(unit, {}).timeout_start, kInfinite);
    unit.service.timeout_start = seconds(3);
    EXPECT_EQ(PolicyOf(unit, {}).timeout_start, seconds(3));
}

TEST_F(Story, SimpleRunsFromTheLaunchOnAndTellsOfAStepThatFailed) {
    policy.type = ServiceType::kSimple;
    Send(EventKind::kStartWanted, "at boot");
    Send(EventKind::kOrderReady);
    Launched();
    EXPECT_EQ(life.state, State::kRunning);
    Send(EventKind::kStepFailed, "execve '/bin/web': No such file or directory");
    Exit(127 << 8);
    EXPECT_EQ(life.last_exit.kind, ExitKind::kStartFailed);
}

TEST_F(Story, ALostRequirementFailsTheStart) {
    Send(EventKind::kStartWanted, "at boot");
    EXPECT_EQ(Send(EventKind::kRequirementLost, "requires 'db', which has failed"),
              Kinds{ActionKind::kRelease});
    EXPECT_EQ(life.state, State::kFailed);
    EXPECT_EQ(life.reason, "start failed: requires 'db', which has failed");
    Send(EventKind::kStopWanted, "by 'husk stop'");
    EXPECT_EQ(life.state, State::kInactive);
}

TEST_F(Story, MemoryIsToldApartFromASignal) {
    StartAndRun();
    Exit(SIGKILL, 1);
    Send(EventKind::kGroupEmpty);
    EXPECT_EQ(life.reason, "restarting in 100ms: killed for memory (limit 64.0M)");
}

TEST(BackoffDelay, GrowsToTheLongestDelayAndNeverPastATenthMore) {
    const Policy policy = Usual();
    EXPECT_EQ(BackoffDelay(policy, 0, 0), milliseconds(100));
    EXPECT_EQ(BackoffDelay(policy, 1, 0), milliseconds(100));
    Duration last{};
    for (int i = 1; i < 40; ++i) {
        EXPECT_GE(BackoffDelay(policy, i, 0), last);
        last = BackoffDelay(policy, i, 0);
        EXPECT_LE(BackoffDelay(policy, i, UINT32_MAX), last + last / 10);
    }
    EXPECT_EQ(last, seconds(30));
    EXPECT_EQ(BackoffDelay(policy, 2'000'000'000, 0), seconds(30));
}

TEST(BackoffDelay, OddSettingsStillPause) {
    Policy policy = Usual();
    policy.restart_sec = {};
    EXPECT_EQ(BackoffDelay(policy, 1, 0), Duration{});
    EXPECT_GE(BackoffDelay(policy, 2, 0), milliseconds(10));
    EXPECT_EQ(BackoffDelay(policy, 9, 0), seconds(30));
    policy.restart_steps = 0;
    EXPECT_EQ(BackoffDelay(policy, 100, 0), milliseconds(10));
    policy.restart_sec = seconds(60);  // over the longest delay: constant
    policy.restart_steps = 8;
    EXPECT_EQ(BackoffDelay(policy, 100, 0), seconds(60));
    policy.restart_max_delay = kInfinite;
    EXPECT_EQ(BackoffDelay(policy, 100, 0), seconds(60));
    policy.restart_sec = kInfinite;
    EXPECT_EQ(BackoffDelay(policy, 100, UINT32_MAX), kInfinite);
}

TEST(StableRun, IsTenSecondsOrTheLongestDelay) {
    Policy policy = Usual();
    EXPECT_EQ(StableRun(policy), seconds(30));
    policy.restart_max_delay = seconds(1);
    EXPECT_EQ(StableRun(policy), seconds(10));
}

TEST_F(Story, OutOfMemoryWithStopEndsTheUnitInItsOwnWay) {
    StartAndRun();
    Event event{EventKind::kMemoryRanOut, "", 0, {}};
    event.exit = {
        .kind = ExitKind::kOom, .signal = SIGKILL, .oom_kills = 1, .text = "short", .at = now};
    EXPECT_EQ(Send(event), (Kinds{ActionKind::kSignalGroup, ActionKind::kArmTimer}));
    EXPECT_EQ(life.state, State::kStopping);
    EXPECT_EQ(life.reason, "being short");
    EXPECT_EQ(Send(event), Kinds{}) << "once";
    Exit(0);
    Send(EventKind::kGroupEmpty);
    EXPECT_EQ(life.state, State::kBackoff) << "a failure, however well it ended";
    EXPECT_EQ(life.last_exit.kind, ExitKind::kOom);
    EXPECT_EQ(life.reason, "restarting in 100ms: short");
}

// A damaged image.

TEST_F(Story, ADamagedImageFailsARunningUnitWhateverItsRestartRules) {
    policy.restart = config::RestartPolicy::kAlways;
    StartAndRun();
    Send(EventKind::kImageDamaged, "image 'web' is damaged: block 12");
    EXPECT_EQ(life.state, State::kStopping);
    EXPECT_EQ(actions.front().kind, ActionKind::kKillGroup) << "it is not asked to end";
    Send(EventKind::kImageDamaged, "image 'web' is damaged: block 13");
    Exit(SIGKILL);
    Send(EventKind::kGroupEmpty);
    EXPECT_EQ(life.state, State::kFailed);
    EXPECT_EQ(life.reason, "image 'web' is damaged: block 12") << "the first one";
    EXPECT_EQ(life.last_exit.kind, ExitKind::kDamaged);
    Send(EventKind::kStartWanted, "by 'husk start'");
    EXPECT_EQ(life.state, State::kWaiting) << "a person may try again";
}

TEST_F(Story, ADamagedImageEndsTheRestartsOfAProgramThatEndedBeforeTheWord) {
    StartAndRun();
    Exit(1 << 8);
    Send(EventKind::kImageDamaged, "image 'web' is damaged");
    Send(EventKind::kGroupEmpty);
    EXPECT_EQ(life.state, State::kFailed);
    EXPECT_EQ(life.reason, "image 'web' is damaged");

    Send(EventKind::kStartWanted, "by it");
    Run();
    Crash(seconds(1));
    ASSERT_EQ(life.state, State::kBackoff);
    Send(EventKind::kImageDamaged, "image 'web' is damaged");
    EXPECT_EQ(life.state, State::kFailed);
}

TEST_F(Story, ADamagedImageDoesNotUndoAStop) {
    StartAndRun();
    Send(EventKind::kStopWanted, "by 'husk stop'");
    Send(EventKind::kImageDamaged, "image 'web' is damaged");
    Exit(SIGTERM);
    Send(EventKind::kGroupEmpty);
    EXPECT_EQ(life.state, State::kInactive);
}

}  // namespace
}  // namespace husk::supervisor
