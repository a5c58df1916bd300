// UnitRunner's commands of Exec…=: what the lifecycle asks for by kRunCommand and kKillCommand.
#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "config/words.h"
#include "supervisor/command_environment.h"
#include "supervisor/unit_runner.h"

namespace husk::supervisor {
namespace {

constexpr const char* kCommandGroup = "command";

const std::vector<config::ServiceCommand>& ListOf(const config::ServiceSection& service,
                                                  CommandKind kind) {
    switch (kind) {
        case CommandKind::kCondition: return service.exec_condition;
        case CommandKind::kStartPre: return service.exec_start_pre;
        case CommandKind::kStartPost: return service.exec_start_post;
        case CommandKind::kReload: return service.exec_reload;
        case CommandKind::kStop: return service.exec_stop;
        case CommandKind::kStopPost: return service.exec_stop_post;
    }
    return service.exec_stop_post;
}

// Before the container is there, and once it is gone, nothing of a command stays:
// systemd.service(5) says so of ExecStartPre=. What the others leave behind goes with the
// container.
bool LeavesNothing(CommandKind kind) {
    return kind == CommandKind::kCondition || kind == CommandKind::kStartPre ||
           kind == CommandKind::kStopPost;
}

Result<container::Program> ProgramOf(const config::ServiceCommand& command,
                                     const container::Program& own,
                                     const std::vector<std::string>& more) {
    container::ProgramSpec spec{.environment = own.environment, .working_dir = own.working_dir};
    container::Overlay(spec.environment, more);
    std::vector<std::string> missing;  // empty then, as in Exec=
    spec.arguments = command.plain
                         ? command.words
                         : config::ExpandVariables(command.words, spec.environment, missing);
    if (command.own_name && spec.arguments.size() > 1) {
        spec.path = std::move(spec.arguments.front());
        spec.arguments.erase(spec.arguments.begin());
    }
    return container::MakeProgram(std::move(spec));
}

}  // namespace

void UnitRunner::RunCommand(CommandKind kind, int index) {
    // One that was killed and has not gone: it is not waited for any more.
    command_ = nullptr;
    later_command_.reset();
    if (pidfd_ && !record_.life.executed) {
        later_command_ = {kind, index};
        return;
    }
    Status started = StartCommand(kind, index);
    if (started) return;
    Dispatch({.kind = EventKind::kCommandDone,
              .exit = {.kind = ExitKind::kStartFailed,
                       .text = started.error().text(),
                       .at = MonotonicNow(),
                       .at_realtime = RealtimeNow()}});
}

Status UnitRunner::StartCommand(CommandKind kind, int index) {
    const auto& list = ListOf(unit_.service, kind);
    // The unit's file may be another one since the policy was made.
    if (static_cast<size_t>(index) >= list.size())
        return Fail(CommandKey(kind), "= has fewer commands now");
    const bool inside = bool(pidfd_);
    UnitCommand::Order order{.group = kCommandGroup, .kill_rest = LeavesNothing(kind)};
    std::vector<OwnedFd> keep;  // until the child has its own
    if (inside)
        HUSK_TRY(FindPlan());
    else
        HUSK_TRY(MakeReady(order.input, keep));
    const pid_t main_pid = !inside ? 0 : plan_->spec.private_pids ? 1 : record_.life.main_pid;
    const auto variables =
        kind == CommandKind::kStartPre
            ? host_.MonitorVariables(*this)
            : CommandEnvironment(kind, main_pid, record_.life.last_exit, unit_.service);
    auto program = ProgramOf(list[static_cast<size_t>(index)], plan_->program, variables);
    if (!program) return Fail(std::move(program).error());
    order.program = std::move(*program);

    auto made = std::make_unique<UnitCommand>(device_.loop, cgroup_.path(), plan_);
    UnitCommand* command = made.get();
    order.done = [this, command](const CommandEnd& end) { OnCommandDone(command, end); };
    order.save = [this, command] {
        record_.command_pid = command->pid();
        record_.command_start_time = command->start_time();
        record_.command_cgroup = command->group();
        return TrySave();
    };
    Status started =
        inside ? StartInside(*command, std::move(order)) : command->Start(std::move(order));
    if (!started) {
        record_.command_pid = 0;
        return started;
    }
    commands_.push_back(std::move(made));
    command_ = command;
    return {};
}

void UnitRunner::OnCommandDone(const UnitCommand* command, const CommandEnd& end) {
    const auto at = std::ranges::find(commands_, command, &std::unique_ptr<UnitCommand>::get);
    const auto keep = std::move(*at);
    commands_.erase(at);
    if (command_ != command) return;  // given up on
    command_ = nullptr;
    record_.command_pid = 0;
    DrainLogFully();
    Dispatch({.kind = EventKind::kCommandDone, .exit = end.exit});
}

void UnitRunner::KillCommand() {
    if (later_command_) {
        later_command_.reset();
        return Dispatch({.kind = EventKind::kCommandDone,
                         .exit = {.kind = ExitKind::kStartFailed,
                                  .text = "the main process was not executed",
                                  .at = MonotonicNow(),
                                  .at_realtime = RealtimeNow()}});
    }
    for (const auto& command : commands_) command->Kill();
}

void UnitRunner::OnExecuted() {
    Dispatch({.kind = EventKind::kExecuted});
    if (auto waiting = std::exchange(later_command_, std::nullopt); waiting && pidfd_)
        RunCommand(waiting->first, waiting->second);
}

// One that an earlier supervisor has started goes on. Where nobody knows how it ended, that is what
// the lifecycle is told.
void UnitRunner::AdoptCommand(const std::vector<OrphanExit>& exits) {
    if (record_.command_pid == 0) return LoseCommand();
    leaf_usable_ = true;
    auto made = std::make_unique<UnitCommand>(device_.loop, cgroup_.path(), plan_);
    UnitCommand* command = made.get();
    commands_.push_back(std::move(made));
    command_ = command;
    if (command->Adopt(record_.command_pid, record_.command_start_time, record_.command_cgroup,
                       [this, command](const CommandEnd& end) { OnCommandDone(command, end); }))
        return;
    for (const auto& exit : exits)
        if (command->TakeOrphanExit(exit)) return;
    OnCommandDone(
        command,
        {.exit = {.kind = ExitKind::kUnknown, .at = MonotonicNow(), .at_realtime = RealtimeNow()}});
}

// The supervisor died between two commands, or before it could tell of this one's end.
void UnitRunner::LoseCommand() {
    const State state = record_.life.state;
    const bool runs = state == State::kCondition || state == State::kStartPre ||
                      state == State::kStopCommand || state == State::kStopPost ||
                      state == State::kStartPost ||
                      (state == State::kReloading && record_.life.command >= 0);
    if (!runs) return;
    KillGroupsBelow(cgroup_.path(), kCommandGroup);
    Dispatch({.kind = EventKind::kCommandDone,
              .exit = {.kind = ExitKind::kUnknown, .at = MonotonicNow()}});
}

}  // namespace husk::supervisor
