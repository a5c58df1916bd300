// network.
#include <algorithm>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/format.h"

namespace husk::cli {

int NetworkCommand(const Invocation& call) {
    auto reply = Call(call.call, {.verb = "networks"});
    if (!reply) return ExitCodeOf(reply.error());
    if (int code = ExitCodeOf(reply->answer); code != kExitOk) return code;
    const auto& operands = call.arguments.operands;
    const auto& networks = reply->answer.networks;
    const auto& links = reply->answer.links;
    auto print = [](const std::string& text) { return Print(text) ? kExitOk : kExitFailed; };
    if (call.json) return print(reply->line + "\n");
    if (operands.empty())
        return print(
            Cat(FormatNetworks(networks, call.style), "\n", FormatLinks(links, call.style)));
    const auto found = std::ranges::find(networks, operands.front(), &NetworkView::name);
    if (found != networks.end()) return print(FormatNetwork(*found, call.style));
    const auto link = std::ranges::find(links, operands.front(), &LinkView::name);
    if (link != links.end()) return print(FormatLink(*link, call.style));
    std::vector<std::string_view> names;
    for (const auto& network : networks) names.push_back(network.name);
    for (const auto& one : links) names.push_back(one.name);
    const auto nearest = Nearest(operands.front(), names);
    PrintError(Cat("no network and no link ", Quote(operands.front()),
                   nearest ? Cat(" (did you mean ", Quote(*nearest), "?)") : ""));
    return kExitNoSuchUnit;
}

}  // namespace husk::cli
