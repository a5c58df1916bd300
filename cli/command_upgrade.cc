// upgrade
#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "cli/commands.h"
#include "config/values.h"
#include "supervisor/control_protocol.h"
#include "supervisor/husk_binary.h"

namespace husk::cli {
namespace {

using namespace std::chrono_literals;

constexpr unsigned kMemfdExec = 0x10;  // MFD_EXEC, of kernels from 6.3 on
constexpr int kSealExec = 0x20;        // F_SEAL_EXEC, the same
constexpr Duration kUsualLimit = 10s;
// Behind the limit: to come back, and to take the units over once more.
constexpr Duration kPatience = 60s;
constexpr Duration kPause = 100ms;

// What is looked at is what runs: a copy in memory that nobody can change any more.
Result<OwnedFd> CopySealed(const std::string& path) {
    auto file = OpenFile(path, O_RDONLY);
    if (!file) return Fail(std::move(file).error());
    auto text = ReadAll(file->get(), supervisor::kMaxImageSize, path);
    if (!text) return Fail(std::move(text).error());
    const std::string name = path.substr(path.rfind('/') + 1).substr(0, 200);
    constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    OwnedFd copy(::memfd_create(name.c_str(), kFlags | kMemfdExec));
    if (!copy && errno == EINVAL) copy.reset(::memfd_create(name.c_str(), kFlags));
    if (!copy) return FailErrno("make a file in memory");
    HUSK_TRY(WriteAll(copy.get(), *text, Cat("the copy of ", Quote(path), " in memory")));
    (void)::fcntl(copy.get(), F_ADD_SEALS, kSealExec);  // only newer kernels know it
    if (::fcntl(copy.get(), F_ADD_SEALS,
                F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        return FailErrno("seal a file in memory");
    return copy;
}

Result<std::vector<OwnedFd>> CopyFiles(const Invocation& call) {
    const std::string& path = call.arguments.operands.front();
    std::vector<OwnedFd> files;
    for (const auto& one : {path, call.arguments.Get("signature").value_or(path + ".sig")}) {
        auto copy = CopySealed(one);
        if (!copy) return Fail(std::move(copy).error());
        files.push_back(std::move(*copy));
    }
    return files;
}

Result<Reply> AskForUpgrade(const Invocation& call, const Request& request,
                            const std::vector<OwnedFd>& files) {
    auto socket = Connect(call.call);
    if (!socket) return Fail(std::move(socket).error());
    HUSK_TRY(SendRequest(socket->get(), request, {files[0].get(), files[1].get()},
                         call.call.answer_patience));
    return ReceiveReply(socket->get(), 30s);  // the rehearsal is in it
}

// How it went on, from whichever supervisor is there by then.
Result<Reply> AwaitOutcome(const Invocation& call, int64_t begun, Duration limit) {
    const Instant until = MonotonicNow() + limit + kPatience;
    for (;;) {
        auto reply = Call(call.call, {.verb = "version"});
        const bool ours = reply && reply->answer.upgrade && reply->answer.upgrade->begun == begun;
        if (ours && reply->answer.upgrade->outcome != "under-way") return reply;
        if (reply && reply->answer.ok && !ours)
            return Fail("the supervisor does not know of this upgrade any more");
        if (MonotonicNow() > until)
            return reply ? Fail("it has no end yet: see 'husk status'") : std::move(reply);
        const timespec pause{0, kPause / 1ns};
        (void)::nanosleep(&pause, nullptr);
    }
}

int Fails(const Invocation& call, const std::string& text) {
    if (call.json)
        Print(Cat("{\"version\":1,\"ok\":false,\"code\":\"failed\",\"error\":", JsonString(text),
                  "}\n"));
    const Style plain;
    PrintError(Visible(plain, text));
    return kExitFailed;
}

int Finish(const Invocation& call, const Reply& reply) {
    const Answer& answer = reply.answer;
    if (answer.upgrade->outcome != "done") return Fails(call, answer.upgrade->text);
    const std::string text =
        Cat("supervisor: replaced, pid ", std::to_string(answer.pid),
            "; it has taken over what runs\nPID 1: replaced\n", FormatBinary(answer.upgrade->to),
            " runs, until the next boot: that starts what the boot image has\n");
    return Print(call.json ? reply.line + "\n" : text) ? kExitOk : kExitFailed;
}

}  // namespace

int UpgradeCommand(const Invocation& call) {
    Request request{.verb = "upgrade"};
    request.check = call.arguments.Has("check");
    request.downgrade = call.arguments.Has("downgrade");
    Duration limit = kUsualLimit;
    if (const auto text = call.arguments.Get("within")) {
        const auto span = config::ParseSpan(*text);
        if (!span || *span < 1s || *span > supervisor::kLongestUpgrade) {
            PrintError(Cat("upgrade: --within=", *text, ": write a time from 1s to ",
                           FormatDuration(supervisor::kLongestUpgrade), ", such as 30 or 2min"));
            return kExitUsage;
        }
        limit = *span;
        request.within = std::chrono::ceil<std::chrono::seconds>(limit).count();
    }
    auto files = CopyFiles(call);
    if (!files) return Fails(call, files.error().text());
    auto reply = AskForUpgrade(call, request, *files);
    if (!reply) return ExitCodeOf(reply.error());
    const Answer& answer = reply->answer;
    if (!answer.ok || (call.json && request.check)) {
        if (call.json && !Print(reply->line + "\n")) return kExitFailed;
        return ExitCodeOf(answer);
    }
    if (!call.json && !Print(Cat(FormatBinary(answer.offered),
                                 ": the signature is good, and it can take over\n")))
        return kExitFailed;
    if (request.check || !answer.upgrade) return kExitOk;
    auto outcome = AwaitOutcome(call, answer.upgrade->begun, limit);
    if (!outcome) return Fails(call, outcome.error().text());
    return Finish(call, *outcome);
}

}  // namespace husk::cli
