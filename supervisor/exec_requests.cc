// Manager's answer to `husk exec`.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>

#include "base/log.h"
#include "base/text.h"
#include "supervisor/manager.h"

namespace husk::supervisor {
namespace {

constexpr int kSignalBase = 128;  // of an exit status, as shells have it

// What the container is to get is nothing of the caller's own, neither a file nor the terminal:
// pipes, or one end of a terminal that was made for this.
Status CheckStreams(const std::vector<OwnedFd>& streams, bool terminal) {
    if (streams.size() != (terminal ? 1 : 3))
        return Fail(terminal ? "a terminal is one descriptor" : "three descriptors go along");
    for (const auto& stream : streams) {
        struct stat file {};
        if (::fstat(stream.get(), &file) != 0) return FailErrno("look at a descriptor");
        if (terminal ? ::isatty(stream.get()) == 0 : !S_ISFIFO(file.st_mode))
            return Fail(terminal ? "the descriptor is no terminal" : "a descriptor is no pipe");
    }
    return {};
}

std::string EndOfExec(const CommandEnd& end) {
    const ExitInfo& exit = end.exit;
    if (exit.kind == ExitKind::kStartFailed)
        return Answer::Failure(end.execute_error == ENOENT ? "not-found"
                               : end.execute_error != 0    ? "not-executable"
                                                           : "failed",
                               exit.text);
    Answer answer;
    answer.Add("exit_status", int64_t{exit.signal != 0 ? kSignalBase + exit.signal : exit.code});
    answer.Add("exit", Describe(exit));
    return answer.Finish();
}

}  // namespace

void Manager::AnswerExec(ControlServer::ConnectionId id, const ControlRequest& request) {
    const std::string& name = request.units.front();
    const ExecRequest& asked = request.exec;
    auto refuse = [&](const char* code, const std::string& why) {
        Reply(id, Answer::Failure(code, Cat("unit ", Quote(name), ": ", why)));
    };
    if (control_ == nullptr) return;
    const std::vector<OwnedFd> streams = control_->TakeDescriptors(id);
    if (asked.command.empty()) return refuse("bad-request", "no command");
    if (Status right = CheckStreams(streams, asked.terminal); !right)
        return refuse("bad-request", right.error().text());
    UnitRunner& runner = *Find(name);
    const Life& life = runner.life();
    if (shutdown_ != ShutdownAction::kNone) return refuse("stopping", "the system is going down");
    if (!runner.CanEnter() || IsEnding(life.state))
        return refuse("not-running", Cat("it does not run (", life.reason, ")"));
    if (asked.main_pid != 0 && asked.main_pid != life.main_pid)
        return refuse("not-running", "it was restarted just now; try again");

    auto program = runner.ProgramInside({.arguments = asked.command,
                                         .environment = asked.environment,
                                         .working_dir = asked.directory});
    if (!program) return refuse("failed", program.error().text());
    rootfs::UserIds user = runner.plan()->spec.user;
    if (asked.has_user) {
        user.uid = asked.uid;
        user.gid = asked.gid;
        user.groups = asked.groups;
        if (Status mapped = runner.CheckUser(user); !mapped)
            return refuse("failed", mapped.error().text());
    }
    for (const auto& stream : streams)
        if (Status given = runner.GiveToUser(stream.get(), user); !given)
            return refuse("failed", given.error().text());

    UnitCommand::Order order{.program = std::move(*program)};
    order.input.user = &user;
    order.input.standard_in = streams.front().get();
    order.input.standard_out = streams[asked.terminal ? 0 : 1].get();
    order.input.standard_error = streams.back().get();
    order.input.terminal = asked.terminal;
    order.done = [this, id](const CommandEnd& end) {
        control_->WhenGone(id, nullptr);
        Reply(id, EndOfExec(end));
    };
    auto session = runner.StartSession(std::move(order));
    if (!session) return refuse("failed", session.error().text());
    LogInfo("unit ", Quote(name), ": 'husk exec' runs ", Quote(asked.command.front()));
    // As where a terminal hangs up: the kernel says so by itself where there is one.
    control_->WhenGone(id, [session = *session] { session->Signal(SIGHUP); });
}

}  // namespace husk::supervisor
