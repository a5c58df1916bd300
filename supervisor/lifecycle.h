// The life of one unit: what it does next, and why, as a pure function of its state, an event and
// the time. Nothing here acts; unit_runner.h carries the actions out and feeds back what happened.
//
//   inactive ---> waiting ---> condition ---> start-pre ---> starting ---> start-post ---> running
//      ^           ^   ^           |             |              |              |           |   ^
//      |           |   | delay     +-------------+--------------+--------------+           v   |
//      |           |   | over                  exit, failed step, timeout, stop         reloading
//      |           |  backoff <--+                              |                          |
//      |           |             |                              v                          |
//      |           +-------- cleaning <--- stop-post <--- cleaning <--- stopping <--- stop-command
//      |                         |
//      +--- exited, failed <-----+
//
// lifecycle_table.inc has every transition, a row each: docs/lifecycle.md is printed from it. A
// pair of state and event without a row means that nothing happens.
//
// A launch happens only on the way from waiting, so that every start, automatic or asked for, looks
// at the order first. Every process that was launched ends in cleaning, which kills what is left of
// its cgroup, before anything else may happen.
//
// Decisions that are not in systemd's words, or not there at all:
// - What was never executed has nobody to ask: stopping it, or its start timeout, kills it at once.
//   (A PID 1 of a namespace that has no handler yet would not notice SIGTERM, pid_namespaces(7).)
// - A stop that was asked for ends in inactive whatever the exit was; the reason names the exit.
//   Stopping what has failed makes it inactive: the way to take note of a failure.
// - KillMode=process: as mixed. The rest of the group is killed once the main process is gone: a
//   container ends with its main process, and its cgroup must be empty for the next start.
// - FinalKillSignal= other than SIGKILL is followed by SIGKILL, TimeoutStopSec= later: a stop
// always
//   ends.
// - SendSIGKILL=no: the stop signal is sent again at each timeout, and the stop waits for ever.
// - Type=oneshot is not restarted after a clean exit (as systemd), whatever Restart= says.
// - A unit whose image is damaged has failed, whatever Restart= says and whatever its program makes
//   of the error that it read: what it does next is chance, and a restart reads the same bytes.
// - A clean exit that Restart=always or on-success starts again counts as a failure for the backoff
//   when the run was shorter than StableRun(): a loop backs off, whatever its exit codes.
// - A program that ends before it said that it is ready (Type=notify) has failed to start, whatever
//   its exit code ("protocol" in systemd).
// - The watchdog does not count while a unit reloads: a slow board is no hung program.
// - OnSuccess= and SuccessAction= follow where a unit that ran becomes inactive, by itself or by a
//   stop, as in systemd; not where it is restarted.
#pragma once

#include <cstdint>

#include <string>
#include <vector>

#include "base/time.h"
#include "config/unit.h"
#include "supervisor/exit_info.h"

namespace husk::supervisor {

enum class State : uint8_t {
    kInactive,   // not wanted, nothing runs
    kWaiting,    // wanted; units that it is ordered after are not up yet
    kCondition,  // ExecCondition= runs
    kStartPre,   // ExecStartPre= runs
    kStarting,   // launched; not ready yet (exec: execve; notify: READY=1; oneshot: its end)
    kStartPost,  // ExecStartPost= runs
    kRunning,
    kReloading,  // ExecReload= runs, or a program that was told to reload has not said READY=1 yet
    kExited,     // ended as it should; counts as up (oneshot, RemainAfterExit=)
    kStopCommand,  // ExecStop= runs
    kStopping,     // told to end, still alive; then killed
    kCleaning,     // the main process is gone; the rest of its cgroup is being killed
    kStopPost,     // ExecStopPost= runs
    kBackoff,      // will be started again when the timer fires
    kFailed,       // ended, and not started again
};
inline constexpr int kStates = static_cast<int>(State::kFailed) + 1;
// What clients see first: "inactive", "waiting", "starting", …. The states in which commands run
// show as that which they are part of.
const char* StateName(State state);
const char* SubStateName(State state);  // each its own: "start-pre", "stop-command", …

enum class EventKind {
    // text: what follows "started", "stopped", "restarted", "reloaded": "at boot", "by 'husk stop'"
    kStartWanted,
    kStopWanted,
    kRestartWanted,
    kReloadWanted,     // only for a unit that CanReload()
    kResetFailed,      // forget failures and start limits; what has failed is inactive
    kOrderReady,       // everything that it is ordered after is up (or will not come up)
    kOrderWaits,       // text: for what, "'mosquitto' (starting)". Only changes the reason
    kRequirementLost,  // text: "requires 'db', which has failed"
    kConditionUnmet,   // instead of kOrderReady; text: "ConditionPathExists=/x does not hold"
    kAssertionFailed,  // the same for Assert...=
    kLaunched,         // clone3 succeeded; pid
    kLaunchFailed,     // nothing was started; text: the error
    kExecuted,         // execve succeeded
    kStepFailed,       // the child reported a step before execve; text: the error. The exit follows
    kMainExited,       // exit
    kGroupEmpty,     // no process is left in the cgroup. Never stands for the exit: where that was
                     // lost, the runner says kMainExited with kUnknown
    kCommandDone,    // what kRunCommand started is over; exit (kStartFailed where it never ran)
    kReady,          // READY=1, a newline on NotifyFd=, or with Notify=healthy the first good check
    kReloadStarted,  // RELOADING=1
    kStopAnnounced,  // STOPPING=1
    kSignOfLife,     // WATCHDOG=1
    kWatchdogTrigger,   // WATCHDOG=trigger
    kWatchdogInterval,  // WATCHDOG_USEC=; duration
    kExtendTimeout,     // EXTEND_TIMEOUT_USEC=; duration
    kUnhealthy,  // health_action is to be carried out; text: "unhealthy: 'wget …' exited with …"
    kMemoryRanOut,  // OOMPolicy=stop: a process of it was killed for memory; exit
    kImageDamaged,  // a block of its image does not match its hash; text: which one
    kTriggered,     // what Life::untold stands for was carried out
    kTimer,         // the armed timer fired
    // Advance() makes these two of kTimer.
    kRuntimeOver,   // RuntimeMaxSec=
    kWatchdogLate,  // WatchdogSec=
};
inline constexpr int kEventKinds = static_cast<int>(EventKind::kWatchdogLate) + 1;

struct Event {
    EventKind kind{};
    std::string text;
    int pid = 0;
    ExitInfo exit = {};
    Duration duration{};
    config::HealthAction health_action = config::HealthAction::kNone;
};

// The lists of commands of a unit, in the order of its life.
enum class CommandKind { kCondition, kStartPre, kStartPost, kReload, kStop, kStopPost };
inline constexpr int kCommandKinds = static_cast<int>(CommandKind::kStopPost) + 1;
const char* CommandKey(CommandKind kind);  // "ExecStartPre"

enum class ActionKind {
    kJoinOrder,    // ask for kOrderReady / kRequirementLost (they may come at once)
    kLaunch,       // build and start the container; answer kLaunched or kLaunchFailed
    kSignalMain,   // signal to the main process, then SIGCONT (systemd.kill(5)): a process that is
                   // stopped must wake up to end
    kSignalGroup,  // the same to every process of the cgroup
    kKillGroup,    // cgroup.kill; kGroupEmpty is to follow (at once where nothing is left)
    kArmTimer,     // replaces an armed one
    kCancelTimer,
    kRelease,  // let go of cgroup leaf, mounts, namespaces: nothing is to be started soon
    // Starts one command; kCommandDone follows. Where the main process lives it is run inside its
    // container, otherwise in a new one of the same plan.
    kRunCommand,
    kKillCommand,  // the running one and its children; kCommandDone still follows
};

struct Action {
    ActionKind kind{};
    int signal = 0;
    Instant at{};  // kArmTimer
    CommandKind command{};
    int index = 0;  // kRunCommand: in the list of its kind
};

// What of a unit's configuration decides over its life.
struct Policy {
    config::ServiceType type = config::ServiceType::kExec;
    // The program says when it is ready (Type=notify, NotifyFd=), or its health check does.
    bool says_ready = false;
    config::RestartPolicy restart = config::RestartPolicy::kOnFailure;
    Duration restart_sec{}, restart_max_delay{};
    int restart_steps = 0;
    config::ExitStatusSet restart_prevent, restart_force, success;
    bool remain_after_exit = false;
    // Of each list: how many, and for each whether it may fail ('-').
    std::vector<bool> commands[kCommandKinds];
    // From the launch to being up, and for each command of a start or a reload; for oneshot to its
    // end, and infinite unless the unit gives one.
    Duration timeout_start = kInfinite;
    Duration timeout_stop = kInfinite;
    Duration timeout_abort = kInfinite;  // timeout_stop after the watchdog's signal
    Duration runtime_max = kInfinite;
    Duration job_timeout = kInfinite;  // in kWaiting
    Duration watchdog{};               // 0: none
    int watchdog_signal = 6;
    config::KillMode kill_mode = config::KillMode::kControlGroup;
    int kill_signal = 15, restart_kill_signal = 15, final_kill_signal = 9;
    int reload_signal = 0;  // 0: none
    bool send_sigkill = true, send_sighup = false;
    Duration start_limit_interval{};
    int start_limit_burst = 0;  // 0: no limit

    const std::vector<bool>& Commands(CommandKind kind) const {
        return commands[static_cast<int>(kind)];
    }
    friend bool operator==(const Policy&, const Policy&) = default;
};
Policy PolicyOf(const config::Unit& unit, const config::SystemConfig& system);
// Whether there is a way to reload it: ExecReload=, Type=notify-reload or ReloadSignal=.
bool CanReload(const Policy& policy);

// What happens once the cgroup is empty.
enum class AfterCleaning : uint8_t {
    kStayDown,    // it was told to stop -> inactive
    kDone,        // it ended by itself, as it should -> inactive, Life::done
    kSkip,        // ExecCondition= said no -> inactive, Life::done
    kExitedWell,  // as kDone with RemainAfterExit= -> exited
    kFail,
    kBackoff,
    kStartAgain,
    kStartPost,  // oneshot: ExecStartPost= is due, now that it has ended
    kByExit,     // it said that it is stopping: its exit decides
};
inline constexpr int kAfterCleanings = static_cast<int>(AfterCleaning::kByExit) + 1;

// What a unit's end is to others, until kTriggered: OnFailure=, FailureAction= and their kin.
enum class Untold : uint8_t { kNothing, kSuccess, kFailure, kStartLimit };
inline constexpr int kUntolds = static_cast<int>(Untold::kStartLimit) + 1;

// Goes into the unit's record as it is, so that a new supervisor goes on from it.
struct Life {
    State state = State::kInactive;
    int main_pid = 0;
    std::string reason;  // why it is in this state, for people
    // What the reason of the state that is being worked towards will say: "started at boot",
    // "stopped by 'husk stop'", "exited with code 1; not started again (Restart=no)".
    std::string cause;
    Instant since{};                                 // when it got there
    Instant started_at{};                            // of the last launch
    AfterCleaning after = AfterCleaning::kStayDown;  // from kStopCommand to kStopPost
    int command = 0;        // index of the command that runs, in the list of the state
    bool executed = false;  // the program runs: execve succeeded
    bool ready = false;     // it was up in this run: ExecStop= is due
    bool post_due = false;  // something ran: ExecStopPost= is due before it is over
    bool killed = false;    // kStopping: the stop signal had its time
    bool done = false;      // kInactive: ended by itself as it should (or skipped), not stopped
    bool command_killed = false;  // it had its time
    Untold untold = Untold::kNothing;
    uint64_t restarts = 0;     // automatic ones since it was last started on request
    int failures_in_row = 0;   // the step of the backoff; 0 after a stable run
    int starts_in_window = 0;  // StartLimitBurst=
    Instant window_began{};
    Instant timer{};                                  // deadline of the state, 0 = none
    Instant runtime_deadline{}, watchdog_deadline{};  // 0 = none
    Duration watchdog{};  // WATCHDOG_USEC= of the program; 0: the unit's
    ExitInfo last_exit;   // kind kNone before the first
    Text step_error;      // what the child reported before execve, until its exit comes
};

// The earliest of the three deadlines, 0 = none: when the timer has to fire. A new supervisor arms
// it.
Instant NextDeadline(const Life& life);

// Whether units ordered after this one may start: up, or not coming up by itself now. Backoff is
// settled, so that a unit which fails at every try does not hold up a boot; order.h makes those
// wait that require it.
bool IsSettled(State state);
// Whether processes of it may exist.
bool HasProcesses(State state);
bool IsUp(State state);      // kRunning, kReloading, kExited
bool IsEnding(State state);  // kStopCommand to kStopPost: Life::after says what comes then

// `random` is for the jitter of the backoff: any number, a fixed one in tests.
std::vector<Action> Advance(Life& life, const Policy& policy, const Event& event, Instant now,
                            uint32_t random);

// The pause before automatic start number failures_in_row (1 = first; 0 is as 1): from restart_sec
// to restart_max_delay in restart_steps exponential steps (systemd's formula), plus up to a tenth
// of jitter. From the second on it is at least 10 ms, so that RestartSec=0 is no busy loop.
Duration BackoffDelay(const Policy& policy, int failures_in_row, uint32_t random);
// A run of at least this length makes the backoff start from the short delay again: 10 s, or the
// longest delay where that is more, so that a unit which crashes spends more time up than waiting
// before it gets short delays.
Duration StableRun(const Policy& policy);

}  // namespace husk::supervisor
