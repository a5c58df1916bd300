// is-system-running, poweroff, reboot, halt, version.
#include "base/text.h"
#include "cli/commands.h"
#include "cli/version.h"
#include "supervisor/husk_binary.h"

namespace husk::cli {
namespace {

std::string FormatState(const Invocation&, const Answer& answer) {
    return answer.ok ? answer.state + "\n" : "";
}

std::string FormatNothing(const Invocation&, const Answer&) { return ""; }

}  // namespace

int IsSystemRunningCommand(const Invocation& given) {
    Invocation call = given;
    Request request{.verb = "is-system-running"};
    request.wait = call.arguments.Has("wait");
    if (request.wait) call.call.answer_patience = kInfinite;
    auto reply = Call(call.call, request);
    if (!reply) return ExitCodeOf(reply.error());
    if (!Print(call.json ? reply->line + "\n" : FormatState(call, reply->answer)))
        return kExitFailed;
    if (int code = ExitCodeOf(reply->answer); code != kExitOk) return code;
    return reply->answer.state == "running" ? kExitOk : kExitFailed;
}

int ShutdownCommand(const Invocation& call) {
    Request request{.verb = "shutdown"};
    request.action = call.verb->name;
    return AskAndPrint(call, request, FormatNothing);
}

int VersionCommand(const Invocation& given) {
    Invocation call = given;
    // A machine without a supervisor has a version too.
    call.call.connect_patience = Duration::zero();
    auto reply = Call(call.call, {.verb = "version"});
    const auto image = supervisor::ReadHuskBinary("/proc/self/exe");
    const BinaryView own{kVersion, image ? image->build : ""};
    if (call.json) {
        const std::string alone = Cat("{\"version\":1,\"ok\":true,\"husk\":", JsonString(kVersion),
                                      ",\"build\":", JsonString(own.build), "}");
        return Print(Cat(reply ? reply->line : alone, "\n")) ? kExitOk : kExitFailed;
    }
    std::string text = Cat(FormatBinary(own), "\n");
    if (reply && reply->answer.ok) {
        const Answer& answer = reply->answer;
        const Style plain;
        text +=
            Cat("supervisor: ", FormatBinary({answer.husk, answer.build}), ", pid ",
                std::to_string(answer.pid), ", started ", std::to_string(answer.supervisor_starts),
                answer.supervisor_starts == 1 ? " time" : " times", " since boot\n");
        if (!answer.init.husk.empty()) text += Cat("PID 1: ", FormatBinary(answer.init), "\n");
        if (answer.upgrade) text += Cat(Visible(plain, answer.upgrade->text), "\n");
    }
    return Print(text) ? kExitOk : kExitFailed;
}

}  // namespace husk::cli
