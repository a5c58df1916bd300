// The lifecycle's commands: ExecStartPre= and its kin, one after the other.
#include "base/text.h"
#include "supervisor/lifecycle_turn.h"

namespace husk::supervisor {

const char* CommandKey(CommandKind kind) {
    switch (kind) {
        case CommandKind::kCondition: return "ExecCondition";
        case CommandKind::kStartPre: return "ExecStartPre";
        case CommandKind::kStartPost: return "ExecStartPost";
        case CommandKind::kReload: return "ExecReload";
        case CommandKind::kStop: return "ExecStop";
        case CommandKind::kStopPost: return "ExecStopPost";
    }
    return "Exec";
}

namespace lifecycle {
namespace {

Duration LimitOf(const Turn& t) {
    switch (CommandOf(t.life.state)) {
        case CommandKind::kCondition:
        case CommandKind::kStartPre:
        case CommandKind::kStartPost:
        case CommandKind::kReload: return t.policy.timeout_start;
        case CommandKind::kStop:
        case CommandKind::kStopPost: return t.policy.timeout_stop;
    }
    return kInfinite;
}

void RunOne(Turn& t) {
    t.life.command_killed = false;
    SetTimer(t, LimitOf(t));
    t.actions.push_back({.kind = ActionKind::kRunCommand,
                         .command = CommandOf(t.life.state),
                         .index = t.life.command});
}

// The command had its time: true the first time, when it is killed; then it is not waited for.
bool KillLateCommand(Turn& t) {
    if (t.life.command_killed) return false;
    t.life.command_killed = true;
    t.Do(ActionKind::kKillCommand);
    SetTimer(t, kKillAgainAfter);
    return true;
}

std::string LateWords(const Turn& t) {
    return Cat(CommandKey(CommandOf(t.life.state)), "= was not finished within ",
               FormatDuration(LimitOf(t)));
}

// A start that failed in a command.
void FailStart(Turn& t, std::string words) {
    Life& life = t.life;
    const State state = life.state;
    life.last_exit = {
        .kind = ExitKind::kStartFailed, .text = std::move(words), .at = t.now, .at_realtime = 0};
    DecideAfterExit(t);
    // systemd.service(5): what has not begun needs no end.
    if (state == State::kCondition) life.post_due = false;
    life.ready = false;
    if (state == State::kStartPost && HasMain(t)) {
        ToStopping(t);
        life.reason = Cat(Describe(life.last_exit), "; being stopped");
    } else {
        ToCleaning(t);
    }
}

// systemd.service(5), ExecCondition=: 1 to 254 is a no, 255 and any other end a failure.
bool SaysNo(const Turn& t) {
    const ExitInfo& exit = t.event.exit;
    return t.life.state == State::kCondition && !t.life.command_killed &&
           exit.kind == ExitKind::kExited && exit.code < 255;
}

void GoOnRunning(Turn& t, std::string reason) {
    t.life.cause = std::move(reason);
    ToRunning(t);
}

}  // namespace

State StateOf(CommandKind kind) {
    switch (kind) {
        case CommandKind::kCondition: return State::kCondition;
        case CommandKind::kStartPre: return State::kStartPre;
        case CommandKind::kStartPost: return State::kStartPost;
        case CommandKind::kReload: return State::kReloading;
        case CommandKind::kStop: return State::kStopCommand;
        case CommandKind::kStopPost: return State::kStopPost;
    }
    return State::kStopPost;
}

CommandKind CommandOf(State state) {
    for (int kind = 0; kind < kCommandKinds; ++kind)
        if (StateOf(static_cast<CommandKind>(kind)) == state) return static_cast<CommandKind>(kind);
    return CommandKind::kStopPost;
}

void RunCommands(Turn& t, CommandKind kind, bool behind) {
    Enter(t, StateOf(kind), Cat("running ", CommandKey(kind), "= (", t.life.cause, ")"));
    t.life.command = behind ? kNoCommand : 0;
    if (kind != CommandKind::kCondition && kind != CommandKind::kStopPost) t.life.post_due = true;
    if (!behind) return RunOne(t);
    t.life.command_killed = true;
    SetTimer(t, kKillAgainAfter);
}

std::string CommandFailure(const Turn& t) {
    const Life& life = t.life;
    if (life.command == kNoCommand) return {};
    const CommandKind kind = CommandOf(life.state);
    const std::vector<bool>& may_fail = t.policy.Commands(kind);
    const auto index = static_cast<size_t>(life.command);
    if (index < may_fail.size() && may_fail[index]) return {};
    if (life.command_killed) return LateWords(t);
    if (IsClean(t.event.exit, {}, config::ServiceType::kOneshot)) return {};
    return Cat(CommandKey(kind), "= ", Describe(t.event.exit));
}

bool RunNextCommand(Turn& t) {
    const size_t count = t.policy.Commands(CommandOf(t.life.state)).size();
    if (static_cast<size_t>(t.life.command + 1) >= count) return false;
    ++t.life.command;
    RunOne(t);
    return true;
}

void OnStartCommandDone(Turn& t) {
    const std::string failure = CommandFailure(t);
    if (!failure.empty() && SaysNo(t)) {
        t.life.after = AfterCleaning::kSkip;
        t.life.cause = Cat("skipped: ", failure);
        t.life.post_due = false;
        return ToCleaning(t);
    }
    if (!failure.empty()) return FailStart(t, failure);
    if (RunNextCommand(t)) return;
    GoOnStarting(t);
}

void OnStartCommandLate(Turn& t) {
    if (!KillLateCommand(t)) FailStart(t, LateWords(t));
}

void OnStartPostDone(Turn& t) {
    if (std::string failure = CommandFailure(t); !failure.empty())
        return FailStart(t, std::move(failure));
    if (RunNextCommand(t)) return;
    if (HasMain(t)) return ToRunning(t);
    // A oneshot that has ended well, before its ExecStartPost=.
    DecideAfterExit(t);
    ToCleaning(t);
}

void OnStartPostLate(Turn& t) {
    if (!KillLateCommand(t)) FailStart(t, LateWords(t));
}

void OnReloadCommandDone(Turn& t) {
    if (t.life.command == kNoCommand) return;  // it waits for the program
    if (std::string failure = CommandFailure(t); !failure.empty())
        return GoOnRunning(t, Cat("reload failed: ", failure, "; goes on as it was"));
    if (RunNextCommand(t)) return;
    ToRunning(t);
}

void OnReloadLate(Turn& t) {
    const bool commands = t.life.command != kNoCommand;
    if (commands && KillLateCommand(t)) return;
    GoOnRunning(
        t, Cat("reload failed: ",
               commands ? LateWords(t)
                        : Cat("not ready again within ", FormatDuration(t.policy.timeout_start)),
               "; goes on as it was"));
}

void OnStopCommandDone(Turn& t) {
    // Where it fails, the stop goes on all the same.
    if (!t.life.command_killed || t.life.command == kNoCommand)
        if (RunNextCommand(t)) return;
    HasMain(t) ? ToStopping(t) : ToCleaning(t);
}

void OnStopCommandLate(Turn& t) {
    if (KillLateCommand(t)) return;
    HasMain(t) ? ToStopping(t) : ToCleaning(t);
}

namespace {
// Of a unit that ended well by itself it makes a failure; other ends have their own words.
void NoteStopPost(Turn& t, const std::string& failure) {
    if (failure.empty()) return;
    Life& life = t.life;
    life.cause += Cat(" (", failure, ")");
    if (life.after == AfterCleaning::kDone) life.after = AfterCleaning::kFail;
}
}  // namespace

void OnStopPostDone(Turn& t) {
    NoteStopPost(t, CommandFailure(t));
    if (!t.life.command_killed && RunNextCommand(t)) return;
    ToCleaning(t);
}

void OnStopPostLate(Turn& t) {
    if (KillLateCommand(t)) return;
    NoteStopPost(t, LateWords(t));
    ToCleaning(t);
}

}  // namespace lifecycle
}  // namespace husk::supervisor
