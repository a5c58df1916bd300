#include "supervisor/device_rules.h"

#include <fnmatch.h>

namespace husk::supervisor {

std::optional<config::DeviceNode> RuleOf(const std::vector<config::DeviceNode>& rules,
                                         std::string_view name) {
    std::optional<config::DeviceNode> found;
    for (const config::DeviceNode& rule : rules) {
        if (rule.match.empty() ||
            ::fnmatch(rule.match.c_str(), std::string(name).c_str(), FNM_PATHNAME) != 0)
            continue;
        if (!found) found.emplace();
        if (!rule.user.empty()) found->user = rule.user;
        if (!rule.group.empty()) found->group = rule.group;
        if (!rule.link.empty()) found->link = rule.link;
        if (rule.mode) found->mode = rule.mode;
    }
    return found;
}

}  // namespace husk::supervisor
