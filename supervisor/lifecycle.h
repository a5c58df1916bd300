// The life of one unit: what it does next, and why, as a pure function of its state, an event and
// the time. Nothing here acts; unit_runner.h carries the actions out and feeds back what happened.
//
//            start wanted       predecessors up      clone3 done, execve done
//   inactive ------------> waiting -----------> starting -----------> running
//      ^                      ^                    |                     |
//      | stop done            | delay over         | exit, failed step,  | exit
//      |                      |                    v timeout             v
//   stopping/cleaning      backoff <------------ cleaning <-------------+----> exited, failed
//
// A launch happens only out of waiting, so that every start, automatic or asked for, looks at the
// order first. Every process that was launched ends in cleaning, which kills what is left of its
// cgroup, before anything else may happen.
//
// Decisions that are not in systemd's words, or not there at all:
// - What was never executed has nobody to ask: stopping it, or its start timeout, kills it at once.
//   (A PID 1 of a namespace that has no handler yet would not notice SIGTERM, pid_namespaces(7).)
// - A stop that was asked for ends in inactive whatever the exit was; the reason names the exit.
//   Stopping what has failed makes it inactive: the way to take note of a failure.
// - KillMode=process: as mixed. The rest of the group is killed once the main process is gone,
// since
//   a container ends with its main process and its cgroup must be empty for the next start.
// - SendSIGKILL=no: the stop signal is sent again at each timeout, and the stop waits for ever.
// - Type=oneshot is not restarted after a clean exit (as systemd), whatever Restart= says.
// - A unit whose image is damaged has failed, whatever Restart= says and whatever its program makes
// of
//   the error that it read: what it does next is chance, and a restart would read the same bytes.
// - A clean exit that Restart=always or on-success starts again counts as a failure for the backoff
//   when the run was shorter than StableRun(): a loop backs off, whatever its exit codes.
//
// Every pair of state and event is decided in Advance(); "nothing" is written there too.
#pragma once

#include <cstdint>

#include <string>
#include <vector>

#include "base/time.h"
#include "config/unit.h"
#include "supervisor/exit_info.h"

namespace husk::supervisor {

enum class State {
    kInactive,  // not wanted, nothing runs
    kWaiting,   // wanted; units that it is ordered after are not up yet
    kStarting,  // launched; execve has not succeeded yet (oneshot: until it has ended)
    kRunning,
    kExited,    // ended as it should; counts as up (oneshot, RemainAfterExit=)
    kStopping,  // told to end, still alive; then killed
    kCleaning,  // the main process is gone; the rest of its cgroup is being killed
    kBackoff,   // will be started again when the timer fires
    kFailed,    // ended, and not started again
};
inline constexpr int kStates = static_cast<int>(State::kFailed) + 1;
const char* StateName(State state);  // "inactive", "waiting", …; kCleaning shows as "stopping"

enum class EventKind {
    // text: what follows "started", "stopped", "restarted": "at boot", "by 'husk stop'"
    kStartWanted,
    kStopWanted,
    kRestartWanted,
    kOrderReady,       // everything that it is ordered after is up (or will not come up)
    kOrderWaits,       // text: for what, "'mosquitto' (starting)". Only changes the reason
    kRequirementLost,  // text: "requires 'db', which has failed"
    kLaunched,         // clone3 succeeded; pid
    kLaunchFailed,     // nothing was started; text: the error
    kExecuted,         // execve succeeded
    kStepFailed,       // the child reported a step before execve; text: the error. The exit follows
    kMainExited,       // exit
    kGroupEmpty,    // no process is left in the cgroup. Never stands for the exit: where that was
                    // lost, the runner says kMainExited with kUnknown
    kMemoryRanOut,  // OOMPolicy=stop: a process of it was killed for memory; exit
    kImageDamaged,  // a block of its image does not match its hash; text: which one
    kTimer,         // the armed timer fired
};
inline constexpr int kEventKinds = static_cast<int>(EventKind::kTimer) + 1;

struct Event {
    EventKind kind{};
    std::string text;
    int pid = 0;
    ExitInfo exit;
};

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
};

struct Action {
    ActionKind kind{};
    int signal = 0;
    Instant at{};  // kArmTimer
};

// What of a unit's configuration decides over its life.
struct Policy {
    config::ServiceType type = config::ServiceType::kExec;
    config::RestartPolicy restart = config::RestartPolicy::kOnFailure;
    Duration restart_sec{}, restart_max_delay{};
    int restart_steps = 0;
    config::ExitStatusSet restart_prevent, restart_force, success;
    bool remain_after_exit = false;
    // From the launch to execve; for oneshot to its end, and infinite unless the unit gives one.
    Duration timeout_start = kInfinite;
    Duration timeout_stop = kInfinite;
    config::KillMode kill_mode = config::KillMode::kControlGroup;
    int kill_signal = 15;
    bool send_sigkill = true;
};
Policy PolicyOf(const config::Unit& unit, const config::SystemConfig& system);

// What happens once the cgroup is empty.
enum class AfterCleaning {
    kStayDown,    // it was told to stop -> inactive
    kDone,        // it ended by itself, as it should -> inactive, Life::done
    kExitedWell,  // the same with RemainAfterExit= -> exited
    kFail,
    kBackoff,
    kStartAgain,
};
inline constexpr int kAfterCleanings = static_cast<int>(AfterCleaning::kStartAgain) + 1;

// Goes into the unit's record as it is, so that a new supervisor goes on from it.
struct Life {
    State state = State::kInactive;
    std::string reason;  // why it is in this state, for people
    // What the reason of the state that is being worked towards will say: "started at boot",
    // "stopped by 'husk stop'", "exited with code 1; not started again (Restart=no)".
    std::string cause;
    Instant since{};  // when it got there
    int main_pid = 0;
    Instant started_at{};                            // of the last launch
    AfterCleaning after = AfterCleaning::kStayDown;  // kStopping, kCleaning
    bool executed = false;                           // the program runs: execve succeeded
    bool killed = false;                             // kStopping: the stop signal had its time
    bool done = false;        // kInactive: ended by itself as it should, not stopped
    uint64_t restarts = 0;    // automatic ones since it was last started on request
    int failures_in_row = 0;  // the step of the backoff; 0 after a stable run
    Instant timer{};          // deadline of the armed timer, 0 = none. A new supervisor arms it
    ExitInfo last_exit;       // kind kNone before the first
    std::string step_error;   // what the child reported before execve, until its exit comes
};

// Whether units ordered after this one may start: up, or not coming up by itself now. Backoff is
// settled, so that a unit which fails at every try does not hold up a boot; order.h makes those
// wait that require it.
bool IsSettled(State state);
// Whether processes of it may exist.
bool HasProcesses(State state);
bool IsUp(State state);  // kRunning, kExited

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
