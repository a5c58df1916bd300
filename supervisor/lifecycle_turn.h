// What the parts of the lifecycle share: one call of Advance(), and the moves that it is made of.
// Only for supervisor/lifecycle*.cc.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "supervisor/lifecycle.h"

namespace husk::supervisor::lifecycle {

// The kernel kills a cgroup as a whole, so a second try is for what hides in a system call, and to
// say that it does.
inline constexpr Duration kKillAgainAfter = std::chrono::seconds(5);

// Life::command where none of the list runs: one that is being killed has to end first, or a reload
// is the program's own work.
inline constexpr int kNoCommand = -1;

// Life, policy and event of one call, and the actions that it leads to.
struct Turn {
    Life& life;
    const Policy& policy;
    const Event& event;
    Instant now;
    uint32_t random;
    std::vector<Action> actions;

    void Do(ActionKind kind, int signal = 0) {
        actions.push_back({.kind = kind, .signal = signal});
    }
};

// now + delay without overflow: RestartSec=infinity is a deadline that never comes.
Instant Later(Instant now, Duration delay);
// The deadline of the state; kInfinite: none.
void SetTimer(Turn& t, Duration delay);
// Without a deadline, until SetTimer().
void Enter(Turn& t, State state, std::string reason);

// --- start (lifecycle_start.cc) ---
// A start on request is a new story: neither its restarts nor its failures count on.
void ForgetFailures(Life& life);
void ToWaiting(Turn& t);
void ToRunning(Turn& t);
// The next step of a start after the commands of the state that it is in: more commands, or the
// launch.
void GoOnStarting(Turn& t);
// Launched without the word that it is up, yet.
bool IsReadyAwaited(const Turn& t);
// Runs the list of this kind from its first command on. `behind`: one that is being killed has to
// end first.
void RunCommands(Turn& t, CommandKind kind, bool behind = false);

// --- commands (lifecycle_commands.cc) ---
State StateOf(CommandKind kind);
CommandKind CommandOf(State state);  // of the states in which commands run
// How the command that ended did, in words; empty where it did well, or may fail.
std::string CommandFailure(const Turn& t);
// True where there was a next one, which runs now.
bool RunNextCommand(Turn& t);

// --- stop (lifecycle_stop.cc) ---
// Where the end of last_exit leads, by the rules for restarts: sets after, cause and the counts.
void DecideAfterExit(Turn& t);
std::string ExitWords(const Life& life);
void ToDown(Turn& t, State state, std::string reason, Untold untold = Untold::kNothing);
// Towards the end of the main process; life.after and life.cause say what comes then.
void ToStopping(Turn& t);
// kGroupEmpty follows once the kill has done its work.
void ToCleaning(Turn& t);
// Nothing of it is alive, and no command is due.
void Conclude(Turn& t);
// It has a main process, or a launch that will be one.
bool HasMain(const Turn& t);

#define HUSK_ANY(event, handler, ...) void handler(Turn& t);
#define HUSK_RULE(state, event, handler, ...) void handler(Turn& t);
#include "supervisor/lifecycle_table.inc"
#undef HUSK_ANY
#undef HUSK_RULE

}  // namespace husk::supervisor::lifecycle
