// The lifecycle from a wish to a program that is up, and what happens while it is.
#include <signal.h>

#include <algorithm>

#include "base/text.h"
#include "supervisor/lifecycle_turn.h"

namespace husk::supervisor::lifecycle {
namespace {

using config::ServiceType;

const char* VerbOf(const Turn& t) {
    return t.event.kind == EventKind::kRestartWanted ? "restarted " : "started ";
}

bool HitsStartLimit(Turn& t) {
    Life& life = t.life;
    if (t.policy.start_limit_burst == 0) return false;
    if (life.starts_in_window == 0 || t.now - life.window_began >= t.policy.start_limit_interval) {
        life.starts_in_window = 0;
        life.window_began = t.now;
    }
    if (life.starts_in_window >= t.policy.start_limit_burst) return true;
    ++life.starts_in_window;
    return false;
}

void Launch(Turn& t) {
    Life& life = t.life;
    life.started_at = t.now;
    life.post_due = true;
    Enter(t, State::kStarting, Cat("being ", life.cause));
    SetTimer(t, t.policy.timeout_start);
    t.Do(ActionKind::kLaunch);
}

// From this step on, the first that there is something to do for.
void StartFrom(Turn& t, CommandKind first) {
    for (CommandKind kind : {CommandKind::kCondition, CommandKind::kStartPre})
        if (kind >= first && !t.policy.Commands(kind).empty()) return RunCommands(t, kind);
    Launch(t);
}

// It does what its type calls started.
void ToUp(Turn& t) {
    t.life.ready = true;
    if (t.policy.Commands(CommandKind::kStartPost).empty()) return ToRunning(t);
    RunCommands(t, CommandKind::kStartPost);
}

Duration Watchdog(const Turn& t) {
    return t.life.watchdog != Duration{} ? t.life.watchdog : t.policy.watchdog;
}

void ArmWatchdog(Turn& t) {
    const Duration limit = Watchdog(t);
    const bool counts = limit != Duration{} && limit != kInfinite;
    t.life.watchdog_deadline = counts ? Later(t.now, limit) : Instant{};
}

}  // namespace

void ForgetFailures(Life& life) {
    life.restarts = 0;
    life.failures_in_row = 0;
}

void ToWaiting(Turn& t) {
    t.life.done = false;
    Enter(t, State::kWaiting, Cat("to be ", t.life.cause));
    SetTimer(t, t.policy.job_timeout);
    t.Do(ActionKind::kJoinOrder);
}

void ToRunning(Turn& t) {
    Enter(t, State::kRunning, t.life.cause);
    if (t.life.runtime_deadline == Instant{} && t.policy.runtime_max != kInfinite)
        t.life.runtime_deadline = Later(t.now, t.policy.runtime_max);
    ArmWatchdog(t);
}

// --- wishes ------------------------------------------------------------------------------------

void StartOnRequest(Turn& t) {
    ForgetFailures(t.life);
    t.life.cause = Cat(VerbOf(t), t.event.text);
    ToWaiting(t);
}

void StopInactive(Turn& t) { t.life.done = false; }  // the reason of that time stays

void RestartWaiting(Turn& t) {
    ForgetFailures(t.life);
    t.life.cause = Cat("restarted ", t.event.text);
    t.life.reason = Cat("to be ", t.life.cause);
    // The answer may have been given while the order said "wait": ask anew.
    t.Do(ActionKind::kJoinOrder);
}

void StopWaiting(Turn& t) { ToDown(t, State::kInactive, Cat("stopped ", t.event.text)); }

void NoteWait(Turn& t) { t.life.reason = Cat("waiting for ", t.event.text); }

void FailWaiting(Turn& t) {
    ToDown(t, State::kFailed, Cat("start failed: ", t.event.text), Untold::kFailure);
}

void FailDamaged(Turn& t) { ToDown(t, State::kFailed, t.event.text, Untold::kFailure); }

void FailJob(Turn& t) {
    ToDown(t, State::kFailed,
           Cat("start failed: ", t.life.reason, " for more than ",
               FormatDuration(t.policy.job_timeout), " (JobTimeoutSec=)"),
           Untold::kFailure);
}

// systemd.unit(5): skipped is a start that went well, for those that require it.
void SkipStart(Turn& t) {
    ToDown(t, State::kInactive, Cat("skipped: ", t.event.text));
    t.life.done = true;
}

void BeginStart(Turn& t) {
    Life& life = t.life;
    if (HitsStartLimit(t))
        return ToDown(
            t, State::kFailed,
            Cat("start failed: ", std::to_string(life.starts_in_window), " starts within ",
                FormatDuration(t.policy.start_limit_interval), " (StartLimitBurst=)"),
            Untold::kStartLimit);
    life.main_pid = 0;
    life.executed = life.ready = life.post_due = life.killed = false;
    life.step_error.clear();
    life.watchdog = {};
    StartFrom(t, CommandKind::kCondition);
}

void GoOnStarting(Turn& t) {
    if (t.life.state == State::kCondition) return StartFrom(t, CommandKind::kStartPre);
    Launch(t);
}

// --- starting ----------------------------------------------------------------------------------

bool IsReadyAwaited(const Turn& t) {
    return t.policy.says_ready || t.policy.type == ServiceType::kOneshot;
}

void OnLaunched(Turn& t) {
    t.life.main_pid = t.event.pid;
    t.life.started_at = t.now;
    // systemd.service(5): simple is started once there is a process.
    if (t.policy.type == ServiceType::kSimple && !t.policy.says_ready) ToUp(t);
}

void OnExecuted(Turn& t) {
    // An echo of a launch that is not ours to know.
    if (t.life.main_pid == 0) return;
    t.life.executed = true;
    if (!IsReadyAwaited(t)) return ToUp(t);
    t.life.reason = Cat(t.life.cause, t.policy.type == ServiceType::kOneshot ? "; not finished yet"
                                                                             : "; not ready yet");
}

void OnReady(Turn& t) {
    if (!t.policy.says_ready || t.life.main_pid == 0) return;
    t.life.executed = true;  // who else would say so
    ToUp(t);
}

void NoteExecuted(Turn& t) { t.life.executed = true; }
void NoteStepFailed(Turn& t) { t.life.step_error = t.event.text; }

// --- up ----------------------------------------------------------------------------------------

void Reload(Turn& t) {
    Life& life = t.life;
    life.cause = Cat("reloaded ", t.event.text);
    if (!t.policy.Commands(CommandKind::kReload).empty())
        return RunCommands(t, CommandKind::kReload);
    if (t.policy.reload_signal == 0) return;  // CanReload() says no
    t.Do(ActionKind::kSignalMain, t.policy.reload_signal);
    // Nobody says when the program is done with it.
    if (t.policy.type != ServiceType::kNotifyReload) {
        life.reason = life.cause;
        return;
    }
    life.command = kNoCommand;
    Enter(t, State::kReloading, Cat("being ", life.cause));
    SetTimer(t, t.policy.timeout_start);
}

void OnReloadStarted(Turn& t) {
    // Of one that was asked for, it is the answer.
    if (t.life.state == State::kReloading) return;
    t.life.cause = "reloaded by itself";
    t.life.command = kNoCommand;
    Enter(t, State::kReloading, "being reloaded by itself");
    SetTimer(t, t.policy.timeout_start);
}

void OnReloaded(Turn& t) {
    // ExecReload= is done when its commands are.
    if (t.life.command == kNoCommand) ToRunning(t);
}

void OnSignOfLife(Turn& t) { ArmWatchdog(t); }

void SetWatchdog(Turn& t) {
    t.life.watchdog = t.event.duration == Duration{} ? kInfinite : t.event.duration;
    if (t.life.state == State::kRunning) ArmWatchdog(t);
}

// sd_notify(3): it moves a deadline that is there, and never to an earlier time.
void ExtendTimeout(Turn& t) {
    Life& life = t.life;
    Instant& deadline = life.state == State::kRunning ? life.runtime_deadline : life.timer;
    const bool is_over = life.command_killed || (life.state == State::kStopping && life.killed);
    if (deadline == Instant{} || is_over) return;
    deadline = std::max(deadline, Later(t.now, t.event.duration));
}

// --- any time ----------------------------------------------------------------------------------

void NoteTriggered(Turn& t) { t.life.untold = Untold::kNothing; }

void ResetFailed(Turn& t) {
    ForgetFailures(t.life);
    t.life.starts_in_window = 0;
}

void ResetFailedState(Turn& t) {
    ResetFailed(t);
    Enter(t, State::kInactive, Cat("reset ", t.event.text, " (had failed: ", t.life.reason, ")"));
}

}  // namespace husk::supervisor::lifecycle
