#include "supervisor/notify_sender.h"

#include <algorithm>

#include "base/text.h"
#include "container/id_map.h"

namespace husk::supervisor {

using config::NotifyAccess;

NotifyAccess AccessInForce(const config::Unit& unit) {
    const auto& service = unit.service;
    const bool by_type = service.type == config::ServiceType::kNotify ||
                         service.type == config::ServiceType::kNotifyReload;
    const bool has_watchdog = service.watchdog != kInfinite && service.watchdog != Duration(0);
    const auto given = service.notify_access.value_or(NotifyAccess::kNone);
    if (given != NotifyAccess::kNone) return given;
    if (!service.notify_access && unit.container.notify == config::NotifyMode::kYes)
        return NotifyAccess::kAll;
    if (by_type || has_watchdog || unit.container.notify == config::NotifyMode::kYes)
        return NotifyAccess::kMain;
    return NotifyAccess::kNone;
}

bool IsInLeaf(std::string_view proc_cgroup, std::string_view leaf) {
    for (std::string_view line : Split(proc_cgroup, '\n')) {
        constexpr std::string_view kVersion2 = "0::";
        if (!line.starts_with(kVersion2)) continue;
        line.remove_prefix(kVersion2.size());
        // Of a process whose leaf is gone.
        constexpr std::string_view kDeleted = " (deleted)";
        if (line.ends_with(kDeleted)) line.remove_suffix(kDeleted.size());
        return line.starts_with(leaf) && (line.size() == leaf.size() || line[leaf.size()] == '/');
    }
    return false;
}

std::string_view LeafPath(std::string_view cgroup_path) {
    constexpr std::string_view kMount = "/sys/fs/cgroup";
    if (cgroup_path.starts_with(kMount)) cgroup_path.remove_prefix(kMount.size());
    return cgroup_path;
}

std::optional<container::IdMap> MapOfUnit(const config::Unit& unit, container::IdRange ids) {
    container::IdMap map;
    for (const auto& line : unit.container.uid_map)
        map.users.push_back({line.inside, line.outside, line.count});
    if (!map.users.empty()) return map;
    if (unit.container.user_ns == config::UserNamespace::kHost) return std::nullopt;
    return container::MapOf(ids);
}

std::string_view WhyRefused(const NotifySender& sender, const NotifyRules& rules) {
    if (rules.access == NotifyAccess::kNone) return "NotifyAccess=none";
    if (sender.pid <= 0) return "a process without a pid here";
    if (rules.map != nullptr && !std::ranges::any_of(rules.map->users, [&](const auto& extent) {
            return sender.uid >= extent.outside && sender.uid - extent.outside < extent.count;
        }))
        return "a user of another unit";
    if (sender.alive && !sender.in_leaf) return "a process of another unit";
    if (!sender.alive && rules.shared_path) return "a process that is gone";
    const bool is_main = sender.pid == rules.main_pid || sender.pid == rules.program_pid;
    switch (rules.access) {
        case NotifyAccess::kMain: return is_main ? "" : "not the main process (NotifyAccess=main)";
        case NotifyAccess::kExec:
            return is_main || sender.pid == rules.command_pid
                       ? ""
                       : "neither the main process nor a command of the unit (NotifyAccess=exec)";
        case NotifyAccess::kAll:
        case NotifyAccess::kNone: return "";
    }
    return "";
}

}  // namespace husk::supervisor
