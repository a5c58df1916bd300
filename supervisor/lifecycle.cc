#include "supervisor/lifecycle.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace husk::supervisor {
namespace {

using config::KillMode;
using config::RestartPolicy;
using config::ServiceType;
using std::chrono::seconds;

// The kernel kills a cgroup as a whole, so a second try is for what hides in a system call, and to
// say that it does.
constexpr Duration kKillAgainAfter = seconds(5);

// Life, policy and event of one call, and the actions that it leads to.
struct Turn {
    Life& life;
    const Policy& policy;
    const Event& event;
    Instant now;
    uint32_t random;
    std::vector<Action> actions;

    void Do(ActionKind kind, int signal = 0) { actions.push_back({kind, signal, {}}); }
};

// now + delay without overflow: RestartSec=infinity is a deadline that never comes.
Instant Later(Instant now, Duration delay) {
    if (delay > Duration::max() - now.since_boot) return {Duration::max()};
    return now + delay;
}

void Disarm(Turn& t) {
    if (t.life.timer == Instant{}) return;
    t.life.timer = {};
    t.Do(ActionKind::kCancelTimer);
}

// kInfinite: no timer.
void Arm(Turn& t, Duration delay) {
    if (delay == kInfinite) return Disarm(t);
    t.life.timer = Later(t.now, delay);
    t.actions.push_back({ActionKind::kArmTimer, 0, t.life.timer});
}

void Enter(Turn& t, State state, std::string reason) {
    if (t.life.state != state) t.life.since = t.now;
    t.life.state = state;
    t.life.reason = std::move(reason);
}

// "2nd time in a row"
std::string Ordinal(int number) {
    const int tens = number % 100;
    const char* ending = "th";
    if (tens < 11 || tens > 13) {
        if (number % 10 == 1) ending = "st";
        if (number % 10 == 2) ending = "nd";
        if (number % 10 == 3) ending = "rd";
    }
    return std::to_string(number) + ending;
}

std::string ExitWords(const Life& life) {
    std::string words = Describe(life.last_exit);
    if (life.failures_in_row > 1)
        words += Cat(" (", Ordinal(life.failures_in_row), " time in a row)");
    return words;
}

const char* RestartName(RestartPolicy policy) {
    switch (policy) {
        case RestartPolicy::kNo: return "no";
        case RestartPolicy::kOnSuccess: return "on-success";
        case RestartPolicy::kOnFailure: return "on-failure";
        case RestartPolicy::kOnAbnormal: return "on-abnormal";
        case RestartPolicy::kOnAbort: return "on-abort";
        case RestartPolicy::kAlways: return "always";
    }
    return "?";
}

// A start on request is a new story: neither its restarts nor its failures count on.
void ForgetFailures(Life& life) {
    life.restarts = 0;
    life.failures_in_row = 0;
}

void ToWaiting(Turn& t) {
    Disarm(t);
    t.life.done = false;
    Enter(t, State::kWaiting, Cat("to be ", t.life.cause));
    t.Do(ActionKind::kJoinOrder);
}

void StartOnRequest(Turn& t, std::string_view verb) {
    ForgetFailures(t.life);
    t.life.cause = Cat(verb, " ", t.event.text);
    ToWaiting(t);
}

void ToDown(Turn& t, State state, std::string reason) {
    Disarm(t);
    t.Do(ActionKind::kRelease);
    Enter(t, state, std::move(reason));
}

void Launch(Turn& t) {
    Life& life = t.life;
    life.main_pid = 0;
    life.executed = false;
    life.killed = false;
    life.step_error.clear();
    life.started_at = t.now;
    Enter(t, State::kStarting, Cat("being ", life.cause));
    Arm(t, t.policy.timeout_start);
    t.Do(ActionKind::kLaunch);
}

void ToRunning(Turn& t) {
    Disarm(t);
    Enter(t, State::kRunning, t.life.cause);
}

void Kill(Turn& t) {
    t.life.killed = true;
    t.Do(ActionKind::kKillGroup);
    Arm(t, kKillAgainAfter);
}

void SendStopSignal(Turn& t) {
    const bool group = t.policy.kill_mode == KillMode::kControlGroup;
    t.Do(group ? ActionKind::kSignalGroup : ActionKind::kSignalMain, t.policy.kill_signal);
    Arm(t, t.policy.timeout_stop);
}

// Towards the end of the main process; life.after and life.cause say what comes then.
void ToStopping(Turn& t) {
    t.life.killed = false;
    Enter(t, State::kStopping, Cat("being ", t.life.cause));
    if (t.life.executed)
        SendStopSignal(t);
    else
        Kill(t);
}

void StopOnRequest(Turn& t) {
    t.life.after = AfterCleaning::kStayDown;
    t.life.cause = Cat("stopped ", t.event.text);
}

void RestartOnRequest(Turn& t, std::string_view verb) {
    ForgetFailures(t.life);
    t.life.after = AfterCleaning::kStartAgain;
    t.life.cause = Cat(verb, " ", t.event.text);
}

// Where the end of last_exit leads, by the rules for restarts: sets after, cause and the counts.
void DecideAfterExit(Turn& t) {
    Life& life = t.life;
    const Policy& policy = t.policy;
    const ExitInfo& exit = life.last_exit;
    const bool clean = IsClean(exit, policy.success, policy.type);
    // An exit that was reaped while there was no supervisor has its own, earlier time.
    const Instant ended = exit.at > life.started_at ? std::min(exit.at, t.now) : t.now;
    const bool stable = life.executed && ended - life.started_at >= StableRun(policy);
    if (stable) life.failures_in_row = 0;
    if (!stable || !clean) life.failures_in_row = std::min(life.failures_in_row + 1, 1'000'000'000);

    const RestartRules rules{policy.restart, policy.success, policy.restart_prevent,
                             policy.restart_force, policy.type};
    if (WantsRestart(exit, rules)) {
        life.after = AfterCleaning::kBackoff;
        life.cause = Cat("restarted: ", ExitWords(life));
    } else if (clean) {
        life.after = policy.remain_after_exit ? AfterCleaning::kExitedWell : AfterCleaning::kDone;
        life.failures_in_row = 0;
        life.cause = Cat("finished: ", Describe(exit));
    } else {
        life.after = AfterCleaning::kFail;
        life.cause =
            Cat(ExitWords(life), "; not started again (Restart=", RestartName(policy.restart), ")");
    }
}

// kGroupEmpty follows once the kill has done its work.
void ToCleaning(Turn& t) {
    Enter(t, State::kCleaning, Cat(Describe(t.life.last_exit), "; ending what is left of it"));
    t.Do(ActionKind::kKillGroup);
    Arm(t, kKillAgainAfter);
}

void TakeExit(Turn& t) {
    Life& life = t.life;
    life.main_pid = 0;
    life.last_exit = t.event.exit;
    if (life.last_exit.at == Instant{}) life.last_exit.at = t.now;
    if (life.step_error.empty()) return;
    life.last_exit.kind = ExitKind::kStartFailed;
    life.last_exit.text = std::exchange(life.step_error, {});
}

void TakeLaunchFailure(Turn& t) {
    t.life.main_pid = 0;
    t.life.last_exit = {.kind = ExitKind::kStartFailed,
                        .text = t.event.text,
                        .at = t.now,
                        .at_realtime = t.event.exit.at_realtime};
}

void ToBackoff(Turn& t) {
    Life& life = t.life;
    const Duration delay = BackoffDelay(t.policy, life.failures_in_row, t.random);
    // Shown as it was configured: jitter would only puzzle.
    const Duration shown = BackoffDelay(t.policy, life.failures_in_row, 0);
    Enter(t, State::kBackoff, Cat("restarting in ", FormatDuration(shown), ": ", ExitWords(life)));
    // Even an infinite delay is a deadline: backoff is the state that has one.
    life.timer = Later(t.now, delay);
    t.actions.push_back({ActionKind::kArmTimer, 0, life.timer});
}

// Nothing of it is alive any more.
void Conclude(Turn& t) {
    switch (t.life.after) {
        case AfterCleaning::kStayDown: return ToDown(t, State::kInactive, t.life.cause);
        case AfterCleaning::kDone:
            t.life.done = true;
            return ToDown(t, State::kInactive, t.life.cause);
        case AfterCleaning::kExitedWell: return ToDown(t, State::kExited, t.life.cause);
        case AfterCleaning::kFail: return ToDown(t, State::kFailed, t.life.cause);
        case AfterCleaning::kBackoff: return ToBackoff(t);
        case AfterCleaning::kStartAgain: return ToWaiting(t);
    }
}

// Killed at once: its next page may be the bad one.
void EndForDamage(Turn& t) {
    Life& life = t.life;
    Disarm(t);
    life.step_error.clear();
    life.last_exit = {.kind = ExitKind::kDamaged, .text = t.event.text, .at = t.now};
    life.after = AfterCleaning::kFail;
    life.cause = t.event.text;
    life.killed = false;
    Enter(t, State::kStopping, Cat("being killed: ", t.event.text));
    Kill(t);
}

// It ended before the word came, or is about to: no restart. What a person asked for stays.
void NoteDamage(Turn& t) {
    Life& life = t.life;
    if (life.last_exit.kind == ExitKind::kDamaged) return;  // the first block is the one to tell of
    switch (life.after) {
        case AfterCleaning::kStayDown:
        case AfterCleaning::kStartAgain: return;
        case AfterCleaning::kDone:
        case AfterCleaning::kExitedWell:
        case AfterCleaning::kFail:
        case AfterCleaning::kBackoff: break;
    }
    life.last_exit.kind = ExitKind::kDamaged;
    life.last_exit.text = life.cause = t.event.text;
    life.after = AfterCleaning::kFail;
}

void OnInactive(Turn& t) {
    switch (t.event.kind) {
        case EventKind::kStartWanted: return StartOnRequest(t, "started");
        case EventKind::kRestartWanted: return StartOnRequest(t, "restarted");
        case EventKind::kStopWanted:  // stopped already; the reason of that time stays
            t.life.done = false;
            return;
        case EventKind::kOrderReady:       // nothing: not waiting
        case EventKind::kOrderWaits:       // nothing
        case EventKind::kRequirementLost:  // nothing
        case EventKind::kLaunched:         // nothing: not launched from here
        case EventKind::kLaunchFailed:     // nothing
        case EventKind::kExecuted:         // nothing
        case EventKind::kStepFailed:       // nothing
        case EventKind::kMainExited:       // nothing: a late word about an earlier run
        case EventKind::kGroupEmpty:       // nothing
        case EventKind::kMemoryRanOut:     // nothing
        case EventKind::kImageDamaged:     // nothing: it has no process
        case EventKind::kTimer: return;    // nothing: none is armed
    }
}

void OnWaiting(Turn& t) {
    switch (t.event.kind) {
        case EventKind::kStartWanted: return;  // nothing: will be; who asked first stays the cause
        case EventKind::kRestartWanted:
            ForgetFailures(t.life);
            t.life.cause = Cat("restarted ", t.event.text);
            t.life.reason = Cat("to be ", t.life.cause);
            // The answer may have been given while the order said "wait": ask anew.
            return t.Do(ActionKind::kJoinOrder);
        case EventKind::kStopWanted:
            return ToDown(t, State::kInactive, Cat("stopped ", t.event.text));
        case EventKind::kOrderReady: return Launch(t);
        case EventKind::kOrderWaits: t.life.reason = Cat("waiting for ", t.event.text); return;
        case EventKind::kRequirementLost:
            return ToDown(t, State::kFailed, Cat("start failed: ", t.event.text));
        case EventKind::kLaunched:      // nothing: not launched from here
        case EventKind::kLaunchFailed:  // nothing
        case EventKind::kExecuted:      // nothing
        case EventKind::kStepFailed:    // nothing
        case EventKind::kMainExited:    // nothing
        case EventKind::kGroupEmpty:    // nothing
        case EventKind::kMemoryRanOut:  // nothing
            return;
        case EventKind::kImageDamaged: return ToDown(t, State::kFailed, t.event.text);
        case EventKind::kTimer: return;  // nothing: none is armed
    }
}

void OnExecuted(Turn& t) {
    // An echo of a launch that is not ours to know.
    if (t.life.main_pid == 0) return;
    t.life.executed = true;
    if (t.policy.type == ServiceType::kOneshot)
        t.life.reason = Cat(t.life.cause, "; not finished yet");
    else
        ToRunning(t);
}

void OnStartTimeout(Turn& t) {
    Life& life = t.life;
    life.timer = {};
    life.last_exit = {.kind = ExitKind::kTimeout,
                      .text = Cat(life.executed ? "not finished within " : "not started within ",
                                  FormatDuration(t.policy.timeout_start)),
                      .at = t.now};
    if (!life.step_error.empty())
        life.last_exit.text += Cat(": ", std::exchange(life.step_error, {}));
    DecideAfterExit(t);
    ToStopping(t);
    life.reason = Cat(Describe(life.last_exit), "; being stopped");
}

// systemd.service(5), OOMPolicy=stop: ended by its own stop signal, and counted as a kill for
// memory.
void OnMemoryRanOut(Turn& t) {
    t.life.last_exit = t.event.exit;
    DecideAfterExit(t);
    ToStopping(t);
    t.life.reason = Cat("being ", Describe(t.life.last_exit));
}

void OnStarting(Turn& t) {
    switch (t.event.kind) {
        case EventKind::kStartWanted: return;  // nothing: being done
        case EventKind::kStopWanted: StopOnRequest(t); return ToStopping(t);
        case EventKind::kRestartWanted: RestartOnRequest(t, "restarted"); return ToStopping(t);
        case EventKind::kOrderReady:       // nothing: past that
        case EventKind::kOrderWaits:       // nothing
        case EventKind::kRequirementLost:  // nothing: requirements are looked at before a start
            return;
        case EventKind::kLaunched:
            t.life.main_pid = t.event.pid;
            t.life.started_at = t.now;
            // systemd.service(5): simple is started once there is a process.
            if (t.policy.type == ServiceType::kSimple) ToRunning(t);
            return;
        case EventKind::kLaunchFailed:
            TakeLaunchFailure(t);
            DecideAfterExit(t);
            return Conclude(t);
        case EventKind::kExecuted: return OnExecuted(t);
        case EventKind::kStepFailed: t.life.step_error = t.event.text; return;
        case EventKind::kMainExited:
            TakeExit(t);
            DecideAfterExit(t);
            return ToCleaning(t);
        case EventKind::kMemoryRanOut:
            // Before execve it is our own code: the step that fails tells more.
            if (t.life.executed) OnMemoryRanOut(t);
            return;
        case EventKind::kGroupEmpty: return;  // nothing: the exit follows
        case EventKind::kImageDamaged: return EndForDamage(t);
        case EventKind::kTimer: return OnStartTimeout(t);
    }
}

void OnRunning(Turn& t) {
    switch (t.event.kind) {
        case EventKind::kStartWanted: return;  // nothing: it runs
        case EventKind::kStopWanted: StopOnRequest(t); return ToStopping(t);
        case EventKind::kRestartWanted: RestartOnRequest(t, "restarted"); return ToStopping(t);
        case EventKind::kOrderReady:       // nothing
        case EventKind::kOrderWaits:       // nothing
        case EventKind::kRequirementLost:  // nothing: Requires= is no BindsTo=
        case EventKind::kLaunched:         // nothing: it is the one
        case EventKind::kLaunchFailed:     // nothing
            return;
        case EventKind::kExecuted: t.life.executed = true; return;              // simple
        case EventKind::kStepFailed: t.life.step_error = t.event.text; return;  // simple
        case EventKind::kMainExited:
            TakeExit(t);
            DecideAfterExit(t);
            return ToCleaning(t);
        case EventKind::kMemoryRanOut: return OnMemoryRanOut(t);
        case EventKind::kGroupEmpty:  // nothing: the exit follows
            return;
        case EventKind::kImageDamaged: return EndForDamage(t);
        case EventKind::kTimer: return;  // nothing: none is armed
    }
}

// The stop was asked for by someone: what became of it is worth a word where it was not smooth.
void NoteHowItStopped(Turn& t) {
    Life& life = t.life;
    if (life.killed && life.executed)
        life.cause +=
            Cat(" (killed: it did not end within ", FormatDuration(t.policy.timeout_stop), ")");
    else if (life.executed && !IsClean(life.last_exit, t.policy.success) &&
             life.last_exit.signal != t.policy.kill_signal)
        life.cause += Cat(" (", Describe(life.last_exit), ")");
}

void OnExitWhileStopping(Turn& t) {
    switch (t.life.after) {
        case AfterCleaning::kStayDown:
            TakeExit(t);
            NoteHowItStopped(t);
            break;
        case AfterCleaning::kStartAgain: TakeExit(t); break;
        case AfterCleaning::kDone:
        case AfterCleaning::kExitedWell:
        case AfterCleaning::kFail:
        case AfterCleaning::kBackoff:
            // Ended for its timeout: that stays the exit to be told of, not our own signal.
            t.life.main_pid = 0;
            t.life.last_exit.at_realtime = t.event.exit.at_realtime;
            break;
    }
    ToCleaning(t);
}

void OnStopTimeout(Turn& t) {
    Life& life = t.life;
    life.timer = {};
    const std::string waited = FormatDuration(t.now - life.since);
    if (life.killed) {
        life.reason = Cat("killed, but still there after ", waited, "; being ", life.cause);
        return Kill(t);
    }
    if (!t.policy.send_sigkill) {
        life.reason = Cat("still there after ", waited, " (SendSIGKILL=no); being ", life.cause);
        return SendStopSignal(t);
    }
    life.reason = Cat("killed: it did not end within ", FormatDuration(t.policy.timeout_stop),
                      "; being ", life.cause);
    Kill(t);
}

void OnStopping(Turn& t) {
    switch (t.event.kind) {
        case EventKind::kStartWanted:
            if (t.life.after == AfterCleaning::kStartAgain) return;  // nothing: will be
            RestartOnRequest(t, "started");
            t.life.reason = Cat("being stopped, then ", t.life.cause);
            return;
        case EventKind::kStopWanted:
            StopOnRequest(t);
            t.life.reason = Cat("being ", t.life.cause);
            return;
        case EventKind::kRestartWanted:
            RestartOnRequest(t, "restarted");
            t.life.reason = Cat("being ", t.life.cause);
            return;
        case EventKind::kOrderReady:       // nothing
        case EventKind::kOrderWaits:       // nothing
        case EventKind::kRequirementLost:  // nothing
            return;
        case EventKind::kLaunched:  // the stop overtook it; what Kill() hit was an empty group
            t.life.main_pid = t.event.pid;
            return Kill(t);
        case EventKind::kLaunchFailed: TakeLaunchFailure(t); return Conclude(t);
        case EventKind::kExecuted: return;  // nothing: it was killed as not executed
        case EventKind::kStepFailed: t.life.step_error = t.event.text; return;
        case EventKind::kMainExited: return OnExitWhileStopping(t);
        case EventKind::kMemoryRanOut:        // nothing: it is being stopped
        case EventKind::kGroupEmpty: return;  // nothing: the exit follows
        case EventKind::kImageDamaged: return NoteDamage(t);
        case EventKind::kTimer: return OnStopTimeout(t);
    }
}

void OnCleaning(Turn& t) {
    switch (t.event.kind) {
        case EventKind::kStartWanted:
            if (t.life.after == AfterCleaning::kStartAgain) return;  // nothing: will be
            return RestartOnRequest(t, "started");
        case EventKind::kStopWanted: return StopOnRequest(t);
        case EventKind::kRestartWanted: return RestartOnRequest(t, "restarted");
        case EventKind::kOrderReady:       // nothing
        case EventKind::kOrderWaits:       // nothing
        case EventKind::kRequirementLost:  // nothing
        case EventKind::kLaunched:         // nothing: launched only after cleaning
        case EventKind::kLaunchFailed:     // nothing
        case EventKind::kExecuted:         // nothing: the pipe's word came after the exit
        case EventKind::kStepFailed:       // nothing
        case EventKind::kMainExited:       // nothing: told already
        case EventKind::kMemoryRanOut:     // nothing
            return;
        case EventKind::kGroupEmpty: return Conclude(t);
        case EventKind::kImageDamaged: return NoteDamage(t);
        case EventKind::kTimer:
            t.life.timer = {};
            t.life.reason =
                Cat("processes that were killed are still there after ",
                    FormatDuration(t.now - t.life.since), "; ", Describe(t.life.last_exit));
            t.Do(ActionKind::kKillGroup);
            return Arm(t, kKillAgainAfter);
    }
}

void OnBackoff(Turn& t) {
    switch (t.event.kind) {
        case EventKind::kStartWanted: return StartOnRequest(t, "started");
        case EventKind::kRestartWanted: return StartOnRequest(t, "restarted");
        case EventKind::kStopWanted:
            return ToDown(t, State::kInactive,
                          Cat("stopped ", t.event.text, " while waiting for a restart (",
                              ExitWords(t.life), ")"));
        case EventKind::kOrderReady:       // nothing
        case EventKind::kOrderWaits:       // nothing
        case EventKind::kRequirementLost:  // nothing: looked at when the pause is over
        case EventKind::kLaunched:         // nothing
        case EventKind::kLaunchFailed:     // nothing
        case EventKind::kExecuted:         // nothing
        case EventKind::kStepFailed:       // nothing
        case EventKind::kMainExited:       // nothing
        case EventKind::kGroupEmpty:       // nothing
        case EventKind::kMemoryRanOut:     // nothing
            return;
        case EventKind::kImageDamaged: return ToDown(t, State::kFailed, t.event.text);
        case EventKind::kTimer:
            t.life.timer = {};
            ++t.life.restarts;
            t.life.cause = Cat("restarted: ", ExitWords(t.life));
            return ToWaiting(t);
    }
}

void OnExited(Turn& t) {
    switch (t.event.kind) {
        case EventKind::kStartWanted: return;  // nothing: counts as up
        case EventKind::kRestartWanted: return StartOnRequest(t, "restarted");
        case EventKind::kStopWanted:
            return ToDown(t, State::kInactive, Cat("stopped ", t.event.text));
        case EventKind::kOrderReady:       // nothing
        case EventKind::kOrderWaits:       // nothing
        case EventKind::kRequirementLost:  // nothing
        case EventKind::kLaunched:         // nothing
        case EventKind::kLaunchFailed:     // nothing
        case EventKind::kExecuted:         // nothing
        case EventKind::kStepFailed:       // nothing
        case EventKind::kMainExited:       // nothing
        case EventKind::kGroupEmpty:       // nothing
        case EventKind::kMemoryRanOut:     // nothing
        case EventKind::kImageDamaged:     // nothing: it has no process
        case EventKind::kTimer: return;    // nothing: none is armed
    }
}

void OnFailed(Turn& t) {
    switch (t.event.kind) {
        case EventKind::kStartWanted: return StartOnRequest(t, "started");
        case EventKind::kRestartWanted: return StartOnRequest(t, "restarted");
        case EventKind::kStopWanted:
            return ToDown(t, State::kInactive,
                          Cat("stopped ", t.event.text, " (had failed: ", t.life.reason, ")"));
        case EventKind::kOrderReady:       // nothing
        case EventKind::kOrderWaits:       // nothing
        case EventKind::kRequirementLost:  // nothing
        case EventKind::kLaunched:         // nothing
        case EventKind::kLaunchFailed:     // nothing
        case EventKind::kExecuted:         // nothing
        case EventKind::kStepFailed:       // nothing
        case EventKind::kMainExited:       // nothing
        case EventKind::kGroupEmpty:       // nothing
        case EventKind::kMemoryRanOut:     // nothing
        case EventKind::kImageDamaged:     // nothing: it has no process
        case EventKind::kTimer: return;    // nothing: none is armed
    }
}

}  // namespace

std::vector<Action> Advance(Life& life, const Policy& policy, const Event& event, Instant now,
                            uint32_t random) {
    Turn turn{life, policy, event, now, random, {}};
    switch (life.state) {
        case State::kInactive: OnInactive(turn); break;
        case State::kWaiting: OnWaiting(turn); break;
        case State::kStarting: OnStarting(turn); break;
        case State::kRunning: OnRunning(turn); break;
        case State::kExited: OnExited(turn); break;
        case State::kStopping: OnStopping(turn); break;
        case State::kCleaning: OnCleaning(turn); break;
        case State::kBackoff: OnBackoff(turn); break;
        case State::kFailed: OnFailed(turn); break;
    }
    return std::move(turn.actions);
}

}  // namespace husk::supervisor
