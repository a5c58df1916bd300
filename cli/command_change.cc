// plan, apply, confirm, reload, update.
#include <limits.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/commands.h"
#include "config/values.h"
#include "supervisor/control_protocol.h"

namespace husk::cli {
namespace {

// The supervisor has another working directory.
std::string AbsolutePath(const std::string& path) {
    char here[PATH_MAX];
    if (path.starts_with('/') || ::getcwd(here, sizeof here) == nullptr) return path;
    return Cat(here, "/", path);
}

// Files that are refused are told on standard error, each problem on its line.
void PrintProblems(const Invocation& call, const Answer& answer) {
    const Style plain;
    for (const auto& problem : answer.problems)
        PrintError(DescribeProblem(call.style.terminal ? call.style : plain, problem));
}

int Fails(const Invocation& call, const Answer& answer) {
    PrintProblems(call, answer);
    return ExitCodeOf(answer);
}

Request PlanRequest(const Invocation& call) {
    Request request{.verb = "plan"};
    request.partial = call.arguments.Has("partial");
    if (!call.arguments.operands.empty())
        request.path = AbsolutePath(call.arguments.operands.front());
    return request;
}

// False where the option is wrong, and that was said.
bool TakeConfirmTime(const Invocation& call, Request& request) {
    const auto text = call.arguments.Get("confirm");
    if (!text) return true;
    const auto span = config::ParseSpan(*text);
    if (!span || *span <= Duration::zero() || *span > supervisor::kLongestConfirmTime) {
        PrintError(Cat("apply: --confirm=", *text, ": write a time up to ",
                       FormatDuration(supervisor::kLongestConfirmTime), ", such as 90 or 2min"));
        return false;
    }
    request.confirm = std::chrono::ceil<std::chrono::seconds>(*span).count();
    return true;
}

}  // namespace

int PlanCommand(const Invocation& call) {
    auto reply = Call(call.call, PlanRequest(call));
    if (!reply) return ExitCodeOf(reply.error());
    const Answer& answer = reply->answer;
    if (call.json) return Print(reply->line + "\n") ? ExitCodeOf(answer) : kExitFailed;
    if (!answer.ok) return Fails(call, answer);
    return Print(Cat(FormatChanges(answer.changes, call.style),
                     FormatConfirmation(answer, ReadClocks(), call.style)))
               ? kExitOk
               : kExitFailed;
}

int ChangeCommand(const Invocation& given) {
    if (given.verb->name == std::string_view("reload") && !given.arguments.operands.empty()) {
        if (!given.arguments.Has("partial")) return UnitJobCommand(given);
        PrintError("reload: --partial is for unit files: leave it or the units out");
        return kExitUsage;
    }
    Invocation call = given;
    Request request = PlanRequest(call);
    request.verb = call.verb->name;
    if (!TakeConfirmTime(call, request)) return kExitUsage;
    // What will be waited for; a change in between only makes this older news.
    if (!call.json)
        if (const int code = PlanCommand(call); code != kExitOk) return code;
    call.call.repeatable = false;  // the second answer would tell of no change
    call.call.answer_patience = kInfinite;
    auto reply = Call(call.call, request);
    if (!reply) return ExitCodeOf(reply.error());
    const Answer& answer = reply->answer;
    if (call.json) return Print(reply->line + "\n") ? ExitCodeOf(answer) : kExitFailed;
    if (request.confirm != 0 && !Print(FormatConfirmation(answer, ReadClocks(), call.style)))
        return kExitFailed;
    return answer.ok ? kExitOk : Fails(call, answer);
}

int UpdateCommand(const Invocation& given) {
    Invocation call = given;
    const auto& words = call.arguments.operands;
    Request request{.verb = "update", .units = {words.front()}};
    request.settings.assign(words.begin() + 1, words.end());
    request.persist = call.arguments.Has("persist");
    call.call.repeatable = false;  // a list would be added to twice
    return AskAndPrint(call, request, [](const Invocation& asked, const Answer& answer) {
        return FormatUpdate(asked.arguments.operands.front(), answer, asked.style);
    });
}

int ConfirmCommand(const Invocation& given) {
    Invocation call = given;
    call.call.repeatable = false;  // the second answer would be that nothing is pending
    return AskAndPrint(call, {.verb = "confirm"},
                       [](const Invocation&, const Answer&) { return std::string(); });
}

}  // namespace husk::cli
