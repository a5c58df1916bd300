// Whose notifications count: pure decisions over what the kernel says of a datagram's sender.
//
// The unit's own socket is the first attribution: nobody else is given it. The two others hold
// where it has travelled, by a volume that two units share. The user id is the kernel's word even
// where the sender has gone by now (SCM_CREDENTIALS cannot name one that the sender's user
// namespace does not map); the cgroup is asked of a sender that is still there.
#pragma once

#include <cstdint>
#include <sys/types.h>

#include <optional>
#include <string_view>

#include "config/unit.h"
#include "container/spec.h"

namespace husk::supervisor {

// NotifyAccess= as it holds: with Notify=yes "all", as Quadlet has it; "main" where the unit says
// that it notifies, by Type= or WatchdogSec=, and nothing wider (systemd.service(5)). kNone: the
// unit gets no socket.
config::NotifyAccess AccessInForce(const config::Unit& unit);

// Whether /proc/PID/cgroup names the leaf, a path such as "/units/web", or what is below it.
bool IsInLeaf(std::string_view proc_cgroup, std::string_view leaf);
// "/units/web" of "/sys/fs/cgroup/units/web".
std::string_view LeafPath(std::string_view cgroup_path);

// The users of the unit's user namespace; nothing: it has the device's.
std::optional<container::IdMap> MapOfUnit(const config::Unit& unit, container::IdRange ids);

struct NotifySender {
    pid_t pid = 0;
    uint32_t uid = 0;  // the device's
    bool alive = false;
    bool in_leaf = false;  // where it is alive
};
struct NotifyRules {
    config::NotifyAccess access = config::NotifyAccess::kMain;
    pid_t main_pid = 0, command_pid = 0;  // 0: none runs
    // RunInit=: the program is a child of the main process.
    pid_t program_pid = 0;
    // Others of the device reach the socket too: a sender that is gone is not believed.
    bool shared_path = false;
    const container::IdMap* map = nullptr;  // of the user namespace; nothing: the device's users
};
// Nothing: it counts. Otherwise why not: "a process of another unit".
std::string_view WhyRefused(const NotifySender& sender, const NotifyRules& rules);

}  // namespace husk::supervisor
