// The lifecycle's stories as sentences; supervisor_lifecycle_model_test.cc walks at random
// through all of it.
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
    EXPECT_EQ(Send(EventKind::kOrderReady), (Kinds{ActionKind::kLaunch, ActionKind::kArmTimer}));
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
    EXPECT_EQ(Exit(SIGKILL), Kinds{ActionKind::kKillGroup});
    EXPECT_EQ(life.state, State::kCleaning);
    EXPECT_EQ(Send(EventKind::kGroupEmpty),
              (Kinds{ActionKind::kRelease, ActionKind::kCancelTimer}));
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
              (Kinds{ActionKind::kJoinOrder, ActionKind::kCancelTimer}));
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
    EXPECT_EQ(life.state, State::kCleaning);
    Send(EventKind::kGroupEmpty);
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
    Send(EventKind::kGroupEmpty);
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
              (Kinds{ActionKind::kRelease, ActionKind::kCancelTimer}));
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

// Commands.

class Commands : public Story {
  protected:
    void Have(CommandKind kind, std::vector<bool> may_fail = {false}) {
        policy.commands[static_cast<int>(kind)] = std::move(may_fail);
    }
    Kinds Done(int code = 0) {
        Event event{.kind = EventKind::kCommandDone};
        event.exit = {.kind = ExitKind::kExited, .code = code, .at = now};
        return Send(event);
    }
    // "ExecStartPre 1": what the last step runs; empty: no command.
    std::string Runs() const {
        for (const Action& action : actions)
            if (action.kind == ActionKind::kRunCommand)
                return std::string(CommandKey(action.command)) + " " + std::to_string(action.index);
        return {};
    }
    void Start() {
        Send(EventKind::kStartWanted, "at boot");
        Send(EventKind::kOrderReady);
    }
};

TEST_F(Commands, OfAStartRunOneAfterTheOtherAroundTheProgram) {
    Have(CommandKind::kCondition);
    Have(CommandKind::kStartPre, {false, false});
    Have(CommandKind::kStartPost);
    Start();
    EXPECT_EQ(life.state, State::kCondition);
    EXPECT_EQ(life.reason, "running ExecCondition= (started at boot)");
    Done();
    EXPECT_EQ(Runs(), "ExecStartPre 0");
    Done();
    EXPECT_EQ(Runs(), "ExecStartPre 1");
    Done();
    EXPECT_EQ(life.state, State::kStarting);
    Launched();
    Send(EventKind::kExecuted);
    EXPECT_EQ(Runs(), "ExecStartPost 0");
    Done();
    EXPECT_EQ(life.state, State::kRunning);
    EXPECT_EQ(life.reason, "started at boot");
}

TEST_F(Commands, AConditionThatSaysNoSkipsTheUnitAndIsNoFailure) {
    Have(CommandKind::kCondition);
    Have(CommandKind::kStopPost);
    Start();
    Done(1);
    Send(EventKind::kGroupEmpty);
    EXPECT_EQ(life.state, State::kInactive) << "and ExecStopPost= is not run";
    EXPECT_TRUE(life.done);
    EXPECT_EQ(life.untold, Untold::kNothing);
    EXPECT_EQ(life.reason, "skipped: ExecCondition= exited with code 1");
    Start();
    Done(255);
    Send(EventKind::kGroupEmpty);
    EXPECT_EQ(life.state, State::kBackoff);
    EXPECT_EQ(life.reason,
              "restarting in 100ms: start failed: ExecCondition= exited with code 255");
}

TEST_F(Commands, OneThatFailsFailsTheStartUnlessItMay) {
    Have(CommandKind::kStartPre, {true, false});
    Have(CommandKind::kStopPost);
    policy.restart = RestartPolicy::kNo;
    Start();
    Done(3);
    EXPECT_EQ(Runs(), "ExecStartPre 1");
    Done(3);
    EXPECT_EQ(life.state, State::kCleaning);
    Send(EventKind::kGroupEmpty);
    EXPECT_EQ(Runs(), "ExecStopPost 0");
    Done();
    Send(EventKind::kGroupEmpty);
    EXPECT_EQ(life.state, State::kFailed);
    EXPECT_EQ(life.untold, Untold::kFailure);
    EXPECT_EQ(life.reason,
              "start failed: ExecStartPre= exited with code 3; not started again (Restart=no)");
}

TEST_F(Commands, OneThatHangsIsKilledAtItsTime) {
    Have(CommandKind::kStartPre);
    Start();
    PauseOver();
    EXPECT_EQ(actions[0].kind, ActionKind::kKillCommand);
    Done(0);  // whatever it made of the kill
    EXPECT_EQ(life.state, State::kCleaning);
    EXPECT_EQ(Describe(life.last_exit), "start failed: ExecStartPre= was not finished within 10s");
}

TEST_F(Commands, OfAStopRunBeforeTheSignalAndAfterTheEnd) {
    Have(CommandKind::kStop, {false, false});
    Have(CommandKind::kStopPost);
    StartAndRun();
    Send(EventKind::kStopWanted, "by 'husk stop'");
    EXPECT_EQ(Runs(), "ExecStop 0");
    Done(1);  // a stop goes on
    EXPECT_EQ(Runs(), "ExecStop 1");
    Done();
    EXPECT_EQ(life.state, State::kStopping);
    EXPECT_EQ(actions[0].kind, ActionKind::kSignalGroup);
    Exit(SIGTERM);
    Send(EventKind::kGroupEmpty);
    EXPECT_EQ(Runs(), "ExecStopPost 0");
    Done();
    Send(EventKind::kGroupEmpty);
    EXPECT_EQ(life.state, State::kInactive);
    EXPECT_EQ(life.reason, "stopped by 'husk stop'");
    EXPECT_EQ(life.untold, Untold::kSuccess);
}

TEST_F(Commands, OfAOneshotThatRemainsStopRunsWhenItIsStopped) {
    policy.type = ServiceType::kOneshot;
    policy.remain_after_exit = true;
    Have(CommandKind::kStartPost);
    Have(CommandKind::kStop);
    Start();
    Launched();
    Send(EventKind::kExecuted);
    Exit(0);
    Send(EventKind::kGroupEmpty);
    EXPECT_EQ(Runs(), "ExecStartPost 0");
    Done();
    Send(EventKind::kGroupEmpty);
    EXPECT_EQ(life.state, State::kExited);
    Send(EventKind::kStopWanted, "by 'husk stop'");
    EXPECT_EQ(Runs(), "ExecStop 0");
    Done();
    Send(EventKind::kGroupEmpty);
    EXPECT_EQ(life.state, State::kInactive);
}

TEST_F(Commands, AReloadThatFailsLeavesTheUnitRunning) {
    Have(CommandKind::kReload);
    StartAndRun();
    Send(EventKind::kReloadWanted, "by 'husk reload'");
    EXPECT_EQ(life.state, State::kReloading);
    Done(2);
    EXPECT_EQ(life.state, State::kRunning);
    EXPECT_EQ(life.reason, "reload failed: ExecReload= exited with code 2; goes on as it was");
    Send(EventKind::kReloadWanted, "by 'husk reload'");
    Done();
    EXPECT_EQ(life.reason, "reloaded by 'husk reload'");
}

TEST_F(Commands, AStopDuringAReloadWaitsForTheCommandThatItKills) {
    Have(CommandKind::kReload);
    Have(CommandKind::kStop);
    StartAndRun();
    Send(EventKind::kReloadWanted, "by 'husk reload'");
    Send(EventKind::kStopWanted, "by 'husk stop'");
    EXPECT_EQ(life.state, State::kStopCommand);
    EXPECT_EQ(actions[0].kind, ActionKind::kKillCommand);
    EXPECT_EQ(Runs(), "");
    Done(1);
    EXPECT_EQ(Runs(), "ExecStop 0");
}

// What programs say.

TEST_F(Story, ANotifyUnitIsUpWhenItSaysSo) {
    policy.type = ServiceType::kNotify;
    policy.says_ready = true;
    Send(EventKind::kStartWanted, "at boot");
    Run();
    EXPECT_EQ(life.state, State::kStarting);
    EXPECT_EQ(life.reason, "started at boot; not ready yet");
    now = now + seconds(8);
    Send(Event{.kind = EventKind::kExtendTimeout, .duration = seconds(5)});
    EXPECT_EQ(life.timer, now + seconds(5));
    Send(EventKind::kReady);
    EXPECT_EQ(life.state, State::kRunning);
    EXPECT_EQ(life.reason, "started at boot");
}

TEST_F(Story, OneThatEndsBeforeItIsReadyHasFailedHoweverWellItEnded) {
    policy.says_ready = true;
    Send(EventKind::kStartWanted, "at boot");
    Run();
    Exit(0);
    Send(EventKind::kGroupEmpty);
    EXPECT_EQ(life.state, State::kBackoff);
    EXPECT_EQ(life.reason,
              "restarting in 100ms: start failed: exited with code 0 before it was ready");
}

TEST_F(Story, ANotifyReloadUnitReloadsUntilItIsReadyAgain) {
    policy.type = ServiceType::kNotifyReload;
    policy.reload_signal = SIGHUP;
    policy.watchdog = seconds(2);
    StartAndRun();
    const Instant bite = life.watchdog_deadline;
    EXPECT_EQ(bite, now + seconds(2));
    Send(EventKind::kReloadWanted, "by 'husk reload'");
    EXPECT_EQ(actions[0].signal, SIGHUP);
    EXPECT_EQ(life.state, State::kReloading);
    EXPECT_EQ(life.watchdog_deadline, Instant{}) << "a slow reload is no hung program";
    Send(EventKind::kReloadStarted);
    Send(EventKind::kReady);
    EXPECT_EQ(life.state, State::kRunning);
    EXPECT_EQ(life.reason, "reloaded by 'husk reload'");
}

TEST_F(Story, TheWatchdogCountsFromReadyAndEndsWhatIsSilent) {
    policy.watchdog = seconds(2);
    policy.timeout_abort = seconds(7);
    StartAndRun();
    now = now + seconds(1);
    Send(EventKind::kSignOfLife);
    EXPECT_EQ(life.watchdog_deadline, now + seconds(2));
    now = now + seconds(2);
    Send(EventKind::kTimer);
    EXPECT_EQ(life.state, State::kStopping);
    EXPECT_EQ(actions[0].signal, SIGABRT);
    EXPECT_EQ(life.timer, now + seconds(7));
    EXPECT_EQ(life.reason, "gave no sign of life within 2s (WatchdogSec=); being stopped");
    Exit(SIGABRT);
    Send(EventKind::kGroupEmpty);
    EXPECT_EQ(life.last_exit.kind, ExitKind::kWatchdog);
    EXPECT_EQ(life.state, State::kBackoff);
}

TEST_F(Story, AProgramThatAnnouncesItsEndIsWaitedForAndItsExitDecides) {
    StartAndRun();
    Send(EventKind::kStopAnnounced);
    EXPECT_EQ(life.state, State::kStopping);
    Exit(0);
    Send(EventKind::kGroupEmpty);
    EXPECT_EQ(life.state, State::kInactive);
    EXPECT_TRUE(life.done);
    StartAndRun();
    Send(EventKind::kStopAnnounced);
    Exit(1 << 8);
    Send(EventKind::kGroupEmpty);
    EXPECT_EQ(life.state, State::kBackoff);
}

TEST_F(Story, HealthOnFailureDecidesOverRestart) {
    policy.restart = RestartPolicy::kNo;
    StartAndRun();
    Event event{.kind = EventKind::kUnhealthy, .text = "unhealthy: no answer"};
    event.health_action = config::HealthAction::kRestart;
    Send(event);
    EXPECT_EQ(life.reason, "unhealthy: no answer; being stopped");
    Exit(SIGTERM);
    Send(EventKind::kGroupEmpty);
    EXPECT_EQ(life.state, State::kBackoff);
    PauseOver();
    Run();
    event.health_action = config::HealthAction::kKill;
    Send(event);
    EXPECT_EQ(actions.back().kind, ActionKind::kArmTimer);
    Exit(SIGKILL);
    Send(EventKind::kGroupEmpty);
    EXPECT_EQ(life.state, State::kFailed) << "kill leaves it to Restart=";
}

TEST_F(Story, RuntimeMaxEndsAUnitThatRunsTooLong) {
    policy.runtime_max = seconds(30);
    StartAndRun();
    now = now + seconds(30);
    Send(EventKind::kTimer);
    EXPECT_EQ(life.reason, "ran longer than 30s (RuntimeMaxSec=); being stopped");
    Exit(SIGTERM);
    Send(EventKind::kGroupEmpty);
    EXPECT_EQ(life.state, State::kBackoff);
}

TEST_F(Story, AStartLimitEndsRestartsUntilItIsReset) {
    policy.start_limit_burst = 2;
    policy.start_limit_interval = seconds(60);
    StartAndRun();
    Crash(milliseconds(10));
    PauseOver();
    Run();
    Crash(milliseconds(10));
    PauseOver();
    Send(EventKind::kOrderReady);
    EXPECT_EQ(life.state, State::kFailed);
    EXPECT_EQ(life.untold, Untold::kStartLimit);
    EXPECT_EQ(life.reason, "start failed: 2 starts within 1min (StartLimitBurst=)");
    Send(EventKind::kStartWanted, "by 'husk start'");
    Send(EventKind::kOrderReady);
    EXPECT_EQ(life.state, State::kFailed) << "a person counts, too, as in systemd";
    Send(EventKind::kResetFailed, "by 'husk reset-failed'");
    EXPECT_EQ(life.state, State::kInactive);
    StartAndRun();
}

TEST_F(Story, ANewWindowForgetsTheStartsOfTheLast) {
    policy.start_limit_burst = 2;
    policy.start_limit_interval = seconds(60);
    for (int i = 0; i < 6; ++i) {
        StartAndRun();
        Send(EventKind::kStopWanted, "by 'husk stop'");
        Exit(0);
        Send(EventKind::kGroupEmpty);
        now = now + seconds(31);
    }
}

TEST_F(Story, ASpuriousTimerOnlyArmsTheNextDeadlineAgain) {
    policy.watchdog = seconds(2);
    StartAndRun();
    EXPECT_EQ(Send(EventKind::kTimer), Kinds{ActionKind::kArmTimer});
    EXPECT_EQ(life.state, State::kRunning);
}

TEST_F(Story, SignalsOfAStopAreThoseOfTheKeys) {
    policy.restart_kill_signal = SIGUSR1;
    policy.final_kill_signal = SIGQUIT;
    policy.send_sighup = true;
    StartAndRun();
    EXPECT_EQ(Send(EventKind::kRestartWanted, "by 'husk restart'"),
              (Kinds{ActionKind::kSignalGroup, ActionKind::kSignalGroup, ActionKind::kArmTimer}));
    EXPECT_EQ(actions[0].signal, SIGUSR1);
    EXPECT_EQ(actions[1].signal, SIGHUP);
    PauseOver();
    EXPECT_EQ(actions[0].kind, ActionKind::kSignalGroup);
    EXPECT_EQ(actions[0].signal, SIGQUIT);
    PauseOver();
    EXPECT_EQ(actions[0].kind, ActionKind::kKillGroup) << "a stop always ends";
}

TEST_F(Story, AStartThatWaitsTooLongForOthersFails) {
    policy.job_timeout = seconds(5);
    Send(EventKind::kStartWanted, "at boot");
    Send(EventKind::kOrderWaits, "'db' (starting)");
    PauseOver();
    EXPECT_EQ(life.state, State::kFailed);
    EXPECT_EQ(life.reason,
              "start failed: waiting for 'db' (starting) for more than 5s (JobTimeoutSec=)");
}

TEST_F(Story, ASkippedStartIsDoneAndAnAssertionFails) {
    Send(EventKind::kStartWanted, "at boot");
    Send(EventKind::kConditionUnmet, "ConditionPathExists=/x does not hold");
    EXPECT_EQ(life.state, State::kInactive);
    EXPECT_TRUE(life.done);
    Send(EventKind::kStartWanted, "at boot");
    Send(EventKind::kAssertionFailed, "AssertPathExists=/x does not hold");
    EXPECT_EQ(life.state, State::kFailed);
}

}  // namespace
}  // namespace husk::supervisor
