// The lifecycle from the end of a program, wished for or not, to rest.
#include <signal.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "supervisor/lifecycle_turn.h"

namespace husk::supervisor::lifecycle {
namespace {

using config::HealthAction;
using config::KillMode;
using config::RestartPolicy;
using config::ServiceType;

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

const char* RestartName(RestartPolicy policy) {
    switch (policy) {
        case RestartPolicy::kNo: return "no";
        case RestartPolicy::kOnSuccess: return "on-success";
        case RestartPolicy::kOnFailure: return "on-failure";
        case RestartPolicy::kOnAbnormal: return "on-abnormal";
        case RestartPolicy::kOnAbort: return "on-abort";
        case RestartPolicy::kAlways: return "always";
        case RestartPolicy::kOnWatchdog: return "on-watchdog";
    }
    return "?";
}

void Kill(Turn& t) {
    t.life.killed = true;
    t.Do(ActionKind::kKillGroup);
    SetTimer(t, kKillAgainAfter);
}

bool IsForWatchdog(const Turn& t) {
    const bool own =
        t.life.after == AfterCleaning::kFail || t.life.after == AfterCleaning::kBackoff;
    return own && t.life.last_exit.kind == ExitKind::kWatchdog;
}

void SendStopSignal(Turn& t) {
    const Policy& policy = t.policy;
    int signal = policy.kill_signal;
    if (t.life.after == AfterCleaning::kStartAgain) signal = policy.restart_kill_signal;
    if (IsForWatchdog(t)) signal = policy.watchdog_signal;
    const ActionKind how = policy.kill_mode == KillMode::kControlGroup ? ActionKind::kSignalGroup
                                                                       : ActionKind::kSignalMain;
    t.Do(how, signal);
    if (policy.send_sighup && signal != SIGHUP) t.Do(how, SIGHUP);
    SetTimer(t, IsForWatchdog(t) ? policy.timeout_abort : policy.timeout_stop);
}

// What a wish says of the time after the stop that is under way.
void StayDown(Turn& t) {
    t.life.after = AfterCleaning::kStayDown;
    t.life.cause = Cat("stopped ", t.event.text);
}

void StartAgain(Turn& t, std::string_view verb) {
    ForgetFailures(t.life);
    t.life.after = AfterCleaning::kStartAgain;
    t.life.cause = Cat(verb, t.event.text);
}

void TakeWish(Turn& t) {
    if (t.event.kind == EventKind::kRestartWanted)
        StartAgain(t, "restarted ");
    else
        StayDown(t);
}

// A command of the state that it is in, if one runs. Its end is waited for by cleaning at the
// latest.
bool KillCommand(Turn& t) {
    const State state = t.life.state;
    const bool runs =
        state == State::kStartPost || (state == State::kReloading && t.life.command != kNoCommand);
    if (runs) t.Do(ActionKind::kKillCommand);
    return runs;
}

// Its end is decided: last_exit, after and cause say which.
void EndIt(Turn& t) {
    KillCommand(t);
    HasMain(t) ? ToStopping(t) : ToCleaning(t);
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
}

// The stop was asked for by someone: what became of it is worth a word where it was not smooth.
void NoteHowItStopped(Turn& t) {
    Life& life = t.life;
    const int signal = life.last_exit.signal;
    if (life.killed && life.executed)
        life.cause +=
            Cat(" (killed: it did not end within ", FormatDuration(t.policy.timeout_stop), ")");
    else if (life.executed && !IsClean(life.last_exit, t.policy.success) &&
             signal != t.policy.kill_signal && signal != t.policy.restart_kill_signal)
        life.cause += Cat(" (", Describe(life.last_exit), ")");
}

// systemd calls it "protocol": it ended before it said that it is ready.
void NoteNeverReady(Turn& t) {
    Life& life = t.life;
    if (life.state != State::kStarting || !t.policy.says_ready ||
        !IsClean(life.last_exit, t.policy.success))
        return;
    life.last_exit.text = Cat(Describe(life.last_exit), " before it was ready");
    life.last_exit.kind = ExitKind::kStartFailed;
}

bool IsDue(const Turn& t, CommandKind kind) { return !t.policy.Commands(kind).empty(); }

}  // namespace

bool HasMain(const Turn& t) { return t.life.main_pid != 0 || t.life.state == State::kStarting; }

std::string ExitWords(const Life& life) {
    std::string words = Describe(life.last_exit);
    if (life.failures_in_row > 1)
        words += Cat(" (", Ordinal(life.failures_in_row), " time in a row)");
    return words;
}

void ToDown(Turn& t, State state, std::string reason, Untold untold) {
    if (untold != Untold::kNothing) t.life.untold = untold;
    t.Do(ActionKind::kRelease);
    Enter(t, state, std::move(reason));
}

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

void ToStopping(Turn& t) {
    t.life.killed = false;
    Enter(t, State::kStopping, Cat("being ", t.life.cause));
    if (t.life.executed)
        SendStopSignal(t);
    else
        Kill(t);
}

void ToCleaning(Turn& t) {
    const Life& life = t.life;
    Enter(t, State::kCleaning,
          life.last_exit.kind == ExitKind::kNone
              ? Cat("being ", life.cause)
              : Cat(Describe(life.last_exit), "; ending what is left of it"));
    t.Do(ActionKind::kKillGroup);
    SetTimer(t, kKillAgainAfter);
}

void Conclude(Turn& t) {
    Life& life = t.life;
    switch (life.after) {
        case AfterCleaning::kStayDown:
            return ToDown(t, State::kInactive, life.cause, Untold::kSuccess);
        case AfterCleaning::kDone:
        case AfterCleaning::kStartPost:  // taken before
        case AfterCleaning::kByExit:     // decided by now
            life.done = true;
            return ToDown(t, State::kInactive, life.cause, Untold::kSuccess);
        case AfterCleaning::kSkip: life.done = true; return ToDown(t, State::kInactive, life.cause);
        case AfterCleaning::kExitedWell: return ToDown(t, State::kExited, life.cause);
        case AfterCleaning::kFail: return ToDown(t, State::kFailed, life.cause, Untold::kFailure);
        case AfterCleaning::kBackoff: return ToBackoff(t);
        case AfterCleaning::kStartAgain: return ToWaiting(t);
    }
}

// --- wishes ------------------------------------------------------------------------------------

// No program runs yet: the command goes with its cgroup.
void StopCommands(Turn& t) {
    TakeWish(t);
    if (t.life.state == State::kCondition) t.life.post_due = false;
    ToCleaning(t);
}

void StopStarting(Turn& t) {
    TakeWish(t);
    ToStopping(t);
}

void StopUp(Turn& t) {
    TakeWish(t);
    const bool was_up = std::exchange(t.life.ready, false) && t.life.state != State::kStartPost;
    if (was_up && IsDue(t, CommandKind::kStop))
        return RunCommands(t, CommandKind::kStop, KillCommand(t));
    EndIt(t);
}

void StopExited(Turn& t) {
    Life& life = t.life;
    TakeWish(t);
    life.killed = false;
    if (std::exchange(life.ready, false) && IsDue(t, CommandKind::kStop))
        return RunCommands(t, CommandKind::kStop);
    if (std::exchange(life.post_due, false) && IsDue(t, CommandKind::kStopPost))
        return RunCommands(t, CommandKind::kStopPost);
    Conclude(t);
}

void StopBackoff(Turn& t) {
    ToDown(t, State::kInactive,
           Cat("stopped ", t.event.text, " while waiting for a restart (", ExitWords(t.life), ")"));
}

void StopFailed(Turn& t) {
    ToDown(t, State::kInactive,
           Cat("stopped ", t.event.text, " (had failed: ", t.life.reason, ")"));
}

void RestartAutomatically(Turn& t) {
    ++t.life.restarts;
    t.life.cause = Cat("restarted: ", ExitWords(t.life));
    ToWaiting(t);
}

void StartAfterwards(Turn& t) {
    if (t.life.after == AfterCleaning::kStartAgain) return;  // will be
    StartAgain(t, "started ");
    if (t.life.state == State::kStopping) t.life.reason = Cat("being stopped, then ", t.life.cause);
}

void StopStopping(Turn& t) {
    StayDown(t);
    if (t.life.state == State::kStopping) t.life.reason = Cat("being ", t.life.cause);
}

void RestartStopping(Turn& t) {
    StartAgain(t, "restarted ");
    if (t.life.state == State::kStopping) t.life.reason = Cat("being ", t.life.cause);
}

// --- ends --------------------------------------------------------------------------------------

void OnExit(Turn& t) {
    TakeExit(t);
    DecideAfterExit(t);
    ToCleaning(t);
}

void OnExitWhileStarting(Turn& t) {
    Life& life = t.life;
    TakeExit(t);
    NoteNeverReady(t);
    DecideAfterExit(t);
    if (t.policy.type == ServiceType::kOneshot && life.executed &&
        IsClean(life.last_exit, t.policy.success, t.policy.type)) {
        life.ready = true;
        if (IsDue(t, CommandKind::kStartPost)) life.after = AfterCleaning::kStartPost;
    }
    ToCleaning(t);
}

void OnLaunchFailed(Turn& t) {
    TakeLaunchFailure(t);
    DecideAfterExit(t);
    ToCleaning(t);
}

void OnStartTimeout(Turn& t) {
    Life& life = t.life;
    const char* what = !life.executed                           ? "not started within "
                       : t.policy.type == ServiceType::kOneshot ? "not finished within "
                                                                : "not ready within ";
    life.last_exit = {.kind = ExitKind::kTimeout,
                      .text = Cat(what, FormatDuration(t.policy.timeout_start)),
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
    EndIt(t);
    t.life.reason = Cat("being ", Describe(t.life.last_exit));
}

void OnMemoryRanOutStarting(Turn& t) {
    // Before execve it is our own code: the step that fails tells more.
    if (t.life.executed) OnMemoryRanOut(t);
}

void OnRuntimeOver(Turn& t) {
    t.life.last_exit = {
        .kind = ExitKind::kTimeout,
        .text = Cat("ran longer than ", FormatDuration(t.policy.runtime_max), " (RuntimeMaxSec=)"),
        .at = t.now};
    DecideAfterExit(t);
    EndIt(t);
    t.life.reason = Cat(Describe(t.life.last_exit), "; being stopped");
}

void OnWatchdog(Turn& t) {
    Life& life = t.life;
    const Duration limit = life.watchdog != Duration{} ? life.watchdog : t.policy.watchdog;
    life.last_exit = {
        .kind = ExitKind::kWatchdog,
        .text = t.event.kind == EventKind::kWatchdogTrigger
                    ? std::string("asked for its watchdog (WATCHDOG=trigger)")
                    : Cat("gave no sign of life within ", FormatDuration(limit), " (WatchdogSec=)"),
        .at = t.now};
    DecideAfterExit(t);
    EndIt(t);
    life.reason = Cat(Describe(life.last_exit), "; being stopped");
}

void OnUnhealthy(Turn& t) {
    Life& life = t.life;
    life.last_exit = {.kind = ExitKind::kUnhealthy, .text = t.event.text, .at = t.now};
    DecideAfterExit(t);
    switch (t.event.health_action) {
        case HealthAction::kNone:
        case HealthAction::kKill: break;
        // Whatever Restart= says: the key that asks for it says more.
        case HealthAction::kRestart:
            life.after = AfterCleaning::kBackoff;
            life.cause = Cat("restarted: ", ExitWords(life));
            break;
        case HealthAction::kStop:
            life.after = AfterCleaning::kFail;
            life.cause = Cat(ExitWords(life), "; stopped (HealthOnFailure=stop)");
            break;
    }
    EndIt(t);
    if (t.event.health_action == HealthAction::kKill && life.state == State::kStopping) Kill(t);
    life.reason = Cat(Describe(life.last_exit), "; being stopped");
}

// Killed at once: its next page may be the bad one.
void EndForDamage(Turn& t) {
    Life& life = t.life;
    life.step_error.clear();
    life.last_exit = {.kind = ExitKind::kDamaged, .text = t.event.text, .at = t.now};
    life.after = AfterCleaning::kFail;
    life.cause = t.event.text;
    KillCommand(t);
    if (!HasMain(t)) return ToCleaning(t);
    Enter(t, State::kStopping, Cat("being killed: ", t.event.text));
    Kill(t);
}

void DamageCommands(Turn& t) {
    if (t.life.state == State::kCondition) t.life.post_due = false;
    EndForDamage(t);
}

// It ended before the word came, or is about to: no restart. What a person asked for stays.
void NoteDamage(Turn& t) {
    Life& life = t.life;
    if (life.last_exit.kind == ExitKind::kDamaged) return;  // the first block is the one to tell of
    if (life.after == AfterCleaning::kStayDown || life.after == AfterCleaning::kStartAgain) return;
    life.last_exit.kind = ExitKind::kDamaged;
    life.last_exit.text = life.cause = t.event.text;
    life.after = AfterCleaning::kFail;
}

void OnStopAnnounced(Turn& t) {
    KillCommand(t);
    t.life.after = AfterCleaning::kByExit;
    t.life.cause = "stopped by itself (STOPPING=1)";
    t.life.killed = t.life.ready = false;
    Enter(t, State::kStopping, "ending by itself (STOPPING=1)");
    SetTimer(t, t.policy.timeout_stop);
}

// --- stopping ----------------------------------------------------------------------------------

void NoteExitWhileStopping(Turn& t) {
    Life& life = t.life;
    switch (life.after) {
        case AfterCleaning::kStayDown: TakeExit(t); return NoteHowItStopped(t);
        case AfterCleaning::kStartAgain: return TakeExit(t);
        case AfterCleaning::kByExit: TakeExit(t); return DecideAfterExit(t);
        case AfterCleaning::kDone:
        case AfterCleaning::kSkip:
        case AfterCleaning::kExitedWell:
        case AfterCleaning::kFail:
        case AfterCleaning::kBackoff:
        case AfterCleaning::kStartPost:
            // Ended for its timeout: that stays the exit to be told of, not our own signal.
            life.main_pid = 0;
            life.last_exit.at_realtime = t.event.exit.at_realtime;
            return;
    }
}

void OnExitWhileStopping(Turn& t) {
    NoteExitWhileStopping(t);
    ToCleaning(t);
}

void OnLaunchedStopping(Turn& t) {  // what Kill() hit was an empty group
    t.life.main_pid = t.event.pid;
    Kill(t);
}

void OnLaunchFailedStopping(Turn& t) {
    TakeLaunchFailure(t);
    ToCleaning(t);
}

void OnStopTimeout(Turn& t) {
    Life& life = t.life;
    const std::string waited = FormatDuration(t.now - life.since);
    if (life.killed) {
        life.reason = Cat("killed, but still there after ", waited, "; being ", life.cause);
        return Kill(t);
    }
    if (!t.policy.send_sigkill) {
        life.reason = Cat("still there after ", waited, " (SendSIGKILL=no); being ", life.cause);
        return SendStopSignal(t);
    }
    life.reason =
        Cat("killed: it did not end within ",
            FormatDuration(IsForWatchdog(t) ? t.policy.timeout_abort : t.policy.timeout_stop),
            "; being ", life.cause);
    if (t.policy.final_kill_signal == SIGKILL) return Kill(t);
    life.killed = true;
    t.Do(ActionKind::kSignalGroup, t.policy.final_kill_signal);
    SetTimer(t, t.policy.timeout_stop == kInfinite ? kKillAgainAfter : t.policy.timeout_stop);
}

// --- cleaning ----------------------------------------------------------------------------------

void OnGroupEmpty(Turn& t) {
    Life& life = t.life;
    if (life.after == AfterCleaning::kStartPost) return RunCommands(t, CommandKind::kStartPost);
    if (life.after == AfterCleaning::kExitedWell) return Conclude(t);
    // systemd.service(5): also after an end that nobody asked for, where it was a good one.
    const bool ended_well = life.last_exit.kind != ExitKind::kNone &&
                            IsClean(life.last_exit, t.policy.success, t.policy.type);
    if (std::exchange(life.ready, false) && ended_well && IsDue(t, CommandKind::kStop))
        return RunCommands(t, CommandKind::kStop);
    if (std::exchange(life.post_due, false) && IsDue(t, CommandKind::kStopPost))
        return RunCommands(t, CommandKind::kStopPost);
    Conclude(t);
}

void OnCleaningLate(Turn& t) {
    t.life.reason = Cat("processes that were killed are still there after ",
                        FormatDuration(t.now - t.life.since), "; ", Describe(t.life.last_exit));
    t.Do(ActionKind::kKillGroup);
    SetTimer(t, kKillAgainAfter);
}

}  // namespace husk::supervisor::lifecycle
