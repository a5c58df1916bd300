// exec.
#include <cstdlib>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sys.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/exec_relay.h"
#include "rootfs/users.h"

namespace husk::cli {
namespace {

constexpr size_t kNamesLimit = 1 << 20;  // passwd, group

// A file of the container's, without links out of it; empty where there is none.
Result<std::string> ReadInside(pid_t main_pid, const char* path) {
    auto root = OpenFile(Cat("/proc/", std::to_string(main_pid), "/root"), O_PATH | O_DIRECTORY);
    if (!root) return Fail(std::move(root).error().Wrap("the container's root"));
    const OwnedFd found(sys::openat2(
        root->get(), path,
        {.flags = O_PATH | O_CLOEXEC, .resolve = sys::kResolveInRoot | sys::kResolveNoMagicLinks}));
    if (!found) return errno == ENOENT ? Result<std::string>("") : FailErrno("open ", Quote(path));
    auto file = OpenRegularFile(found, path);
    if (!file) return Fail(std::move(file).error());
    return ReadAll(file->get(), kNamesLimit, path);
}

// By the container's own names.
Result<rootfs::UserIds> FindUser(pid_t main_pid, std::string_view text) {
    auto passwd = ReadInside(main_pid, "etc/passwd"), group = ReadInside(main_pid, "etc/group");
    if (!passwd) return Fail(std::move(passwd).error());
    if (!group) return Fail(std::move(group).error());
    const size_t colon = text.find(':');
    rootfs::UserRequest request{.user = std::string(text.substr(0, colon))};
    if (colon != text.npos) request.group = text.substr(colon + 1);
    return rootfs::ResolveUser(request, *passwd, *group);
}

Result<Request> BuildRequest(const Invocation& call) {
    const Arguments& given = call.arguments;
    Request request{.verb = "exec", .units = {given.operands.front()}};
    request.command.assign(given.operands.begin() + 1, given.operands.end());
    request.terminal = given.Has("tty");
    request.directory = given.Get("workdir").value_or("");
    if (!request.directory.empty() && request.directory[0] != '/')
        return Fail("working directory ", Quote(request.directory),
                    ": write its absolute path in the container");
    auto reply = Call(call.call, {.verb = "status", .units = request.units});
    if (!reply) return Fail(std::move(reply).error());
    if (!reply->answer.ok) return Fail(reply->answer.error);
    const UnitView& unit = reply->answer.units.front();
    if (unit.main_pid == 0)
        return Fail("unit ", Quote(unit.name), ": it does not run (", unit.reason, ")");
    request.main_pid = unit.main_pid;
    const auto pid = static_cast<pid_t>(unit.main_pid);
    if (const char* term = ::getenv("TERM"); request.terminal && term != nullptr)
        request.environment.push_back(Cat("TERM=", term));
    if (auto user = given.Get("user")) {
        auto ids = FindUser(pid, *user);
        if (!ids) return Fail(std::move(ids).error());
        request.environment.push_back("HOME=" + ids->home);
        request.user = std::move(*ids);
    }
    for (const auto& [name, value] : given.in_order) {
        if (name != "env") continue;
        if (value.find('=') == value.npos || value.starts_with('='))
            return Fail("option '--env': ", Quote(value), " is not NAME=VALUE");
        request.environment.push_back(value);
    }
    return request;
}

struct Ends {
    RelayStreams ours;
    std::vector<OwnedFd> theirs;  // standard input, output and error, or one terminal
};

Result<Ends> MakePipes(bool input) {
    Ends ends;
    ends.ours.reads_input = input;
    OwnedFd* const ours[] = {&ends.ours.input, &ends.ours.output, &ends.ours.error};
    for (int i = 0; i < 3; ++i) {
        int pair[2];
        if (::pipe2(pair, O_CLOEXEC) != 0) return FailErrno("make a pipe");
        ours[i]->reset(pair[i == 0 ? 1 : 0]);
        ends.theirs.emplace_back(pair[i == 0 ? 0 : 1]);
    }
    if (!input) ends.ours.input.reset();  // the program sees its end at once
    return ends;
}

Result<Ends> MakeTerminal(int64_t main_pid) {
    auto terminal = OpenContainerTerminal(static_cast<pid_t>(main_pid));
    if (!terminal) return Fail(std::move(terminal).error());
    CopyWindowSize(STDIN_FILENO, terminal->relayed.get());
    Ends ends;
    ends.ours.terminal = ends.ours.reads_input = true;
    ends.ours.output = std::move(terminal->relayed);
    ends.theirs.push_back(std::move(terminal->programs));
    return ends;
}

int ExitCodeOfExec(const Invocation& call, const Reply& reply) {
    const Answer& answer = reply.answer;
    if (call.json) (void)WriteAll(STDERR_FILENO, reply.line + "\n", "standard error");
    if (answer.exit_status) return static_cast<int>(*answer.exit_status);
    if (!call.json) (void)ExitCodeOf(answer);  // prints it
    return answer.code == "not-found"        ? kExitNotFound
           : answer.code == "not-executable" ? kExitNotExecutable
                                             : kExitExecFailed;
}

Result<RelayEnd> Execute(const Invocation& call, const Request& request) {
    auto ends = request.terminal ? MakeTerminal(request.main_pid)
                                 : MakePipes(call.arguments.Has("interactive"));
    if (!ends) return Fail(std::move(ends).error());
    auto control = Connect(call.call);
    if (!control) return Fail(std::move(control).error());
    std::vector<int> theirs;
    for (const auto& fd : ends->theirs) theirs.push_back(fd.get());
    HUSK_TRY(SendRequest(control->get(), request, theirs, call.call.answer_patience));
    // A terminal whose program's side nobody has open gives errors instead of waiting.
    OwnedFd held;
    if (request.terminal) held = std::move(ends->theirs.front());
    ends->theirs.clear();
    std::optional<RawMode> raw;
    if (request.terminal) {
        auto mode = RawMode::Enter(STDIN_FILENO);
        if (!mode) return Fail(std::move(mode).error());
        raw.emplace(std::move(*mode));
    }
    return RelayUntilAnswer(control->get(), std::move(ends->ours), raw ? &*raw : nullptr);
}

}  // namespace

int ExecCommand(const Invocation& call) {
    if (call.arguments.Has("tty") && ::isatty(STDIN_FILENO) == 0) {
        PrintError(
            "exec: -t wants a terminal, and standard input is none; use -i for pipes and files");
        return kExitExecFailed;
    }
    (void)::signal(SIGPIPE, SIG_IGN);  // who does not read on is noticed by the write
    auto request = BuildRequest(call);
    if (!request) {
        PrintError(request.error().text());
        return kExitExecFailed;
    }
    auto end = Execute(call, *request);
    if (!end) {
        PrintError(end.error().text());
        return kExitExecFailed;
    }
    return end->signal != 0 ? 128 + end->signal : ExitCodeOfExec(call, end->reply);
}

}  // namespace husk::cli
