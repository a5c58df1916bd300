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
const char* StateName(State state);  // "inactive", "waiting", …; kCleaning shows as "stopping"

enum class EventKind {
    kStartWanted,    // text: by whom
    kStopWanted,     // text: by whom
    kRestartWanted,  // text: by whom
    kOrderReady,     // everything that it is ordered after is up (or will not come up)
    kRequirementLost,  // text: which required unit failed or is refused
    kLaunched,       // clone3 succeeded; pid
    kLaunchFailed,   // nothing was started; text: the error
    kExecuted,       // execve succeeded
    kStepFailed,     // the child reported a step before execve; text: the error. The exit follows
    kMainExited,     // exit
    kGroupEmpty,     // no process is left in the cgroup
    kTimer,          // the armed timer fired
};

struct Event {
    EventKind kind{};
    std::string text;
    int pid = 0;
    ExitInfo exit;
};

enum class ActionKind {
    kJoinOrder,    // ask for kOrderReady / kRequirementLost (they may come at once)
    kLaunch,       // build and start the container; answer kLaunched or kLaunchFailed
    kSignalMain,   // signal to the main process
    kSignalGroup,  // signal to every process of the cgroup
    kKillGroup,    // cgroup.kill; kGroupEmpty is to follow (at once where nothing is left)
    kArmTimer,     // replaces an armed one
    kCancelTimer,
    kRelease,      // let go of cgroup leaf, mounts, namespaces: nothing is to be started soon
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
    Duration timeout_start = kInfinite, timeout_stop = kInfinite;
    config::KillMode kill_mode = config::KillMode::kControlGroup;
    int kill_signal = 15;
    bool send_sigkill = true;
};
Policy PolicyOf(const config::Unit& unit, const config::SystemConfig& system);

// What happens once the cgroup is empty.
enum class AfterCleaning { kStayDown, kFail, kExitedWell, kBackoff, kStartAgain };

// Goes into the unit's record as it is, so that a new supervisor goes on from it.
struct Life {
    State state = State::kInactive;
    std::string reason;           // why it is in this state, for people
    Instant since{};              // when it got there
    int main_pid = 0;
    Instant started_at{};         // of the last launch
    AfterCleaning after = AfterCleaning::kStayDown;  // kStopping, kCleaning
    bool killed = false;          // kStopping: the stop signal had its time
    uint64_t restarts = 0;        // automatic ones since it was last started on request
    int failures_in_row = 0;      // the step of the backoff; 0 after a stable run
    Instant timer{};              // deadline of the armed timer, 0 = none
    ExitInfo last_exit;           // kind kNone before the first
    std::string step_error;       // what the child reported before execve, until its exit comes
};

// Whether units ordered after this one may start: up, or surely not coming up in this job.
bool IsSettled(State state);
bool IsUp(State state);  // kRunning, kExited

// `random` is for the jitter of the backoff: any number, a fixed one in tests.
std::vector<Action> Advance(Life& life, const Policy& policy, const Event& event, Instant now,
                            uint32_t random);

// The pause before automatic start number failures_in_row (1 = first): from restart_sec to
// restart_max_delay in restart_steps exponential steps, plus up to a tenth of jitter.
Duration BackoffDelay(const Policy& policy, int failures_in_row, uint32_t random);
// A run of at least this length makes the backoff start from the short delay again.
Duration StableRun(const Policy& policy);

}  // namespace husk::supervisor
