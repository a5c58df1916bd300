// blame, critical-chain.
#include "base/text.h"
#include "cli/boot_report.h"
#include "cli/commands.h"

namespace husk::cli {
namespace {

std::string FormatBlamePage(const Invocation& call, const Answer& answer) {
    return answer.ok ? FormatBlame(answer, call.style) : "";
}

}  // namespace

int BlameCommand(const Invocation& call) {
    return AskAndPrint(call, {.verb = "boot"}, FormatBlamePage);
}

int CriticalChainCommand(const Invocation& call) {
    auto reply = Call(call.call, {.verb = "boot"});
    if (!reply) return ExitCodeOf(reply.error());
    const Answer& answer = reply->answer;
    if (int code = ExitCodeOf(answer); code != kExitOk) return code;
    const auto& operands = call.arguments.operands;
    const std::string name = operands.empty() ? "" : operands.front();
    const auto chain = CriticalChain(answer, name);
    auto refuse = [&](const char* code, const std::string& text, int exit_code) {
        if (call.json)
            (void)Print(Cat("{\"version\":1,\"ok\":false,\"code\":\"", code,
                            "\",\"error\":", JsonString(text), "}\n"));
        PrintError(text);
        return exit_code;
    };
    if (chain.empty() && !name.empty()) {
        std::vector<std::string_view> names;
        for (const auto& unit : answer.units) {
            if (unit.name == name)
                return refuse("failed",
                              Cat("unit ", Quote(name), " has not come up since boot: 'husk why ",
                                  name, "' tells more"),
                              kExitFailed);
            names.push_back(unit.name);
        }
        auto nearest = Nearest(name, names);
        const std::string hint = nearest ? Cat(" (did you mean ", Quote(*nearest), "?)") : "";
        return refuse("no-such-unit", Cat("no unit ", Quote(name), hint), kExitNoSuchUnit);
    }
    const std::string text = call.json ? CriticalChainJson(answer, chain)
                                       : FormatCriticalChain(answer, chain, call.style);
    return Print(text) ? kExitOk : kExitFailed;
}

}  // namespace husk::cli
