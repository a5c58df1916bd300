// UnitRunner's processes beside the main one: commands of Exec…=, health checks, `husk exec`.
#include <linux/capability.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>

#include "base/sys.h"
#include "base/text.h"
#include "config/keys.h"
#include "container/id_map.h"
#include "supervisor/namespaces.h"
#include "supervisor/unit_runner.h"

namespace husk::supervisor {
namespace {

constexpr size_t kMostSessions = 16;

// What a process would be given that enters by `plan` has to be what the container has: where it
// was to have a namespace of its own and has the device's, nothing may be started in it.
Status CheckNamespaces(const container::Plan& plan, pid_t main) {
    struct Kind {
        const char* name;
        uint64_t flag;
    };
    constexpr Kind kKinds[] = {{"mnt", CLONE_NEWNS},  {"pid", CLONE_NEWPID},
                               {"net", CLONE_NEWNET}, {"ipc", CLONE_NEWIPC},
                               {"uts", CLONE_NEWUTS}, {"user", CLONE_NEWUSER}};
    const Namespaces own = ReadNamespaces(main), device = ReadNamespaces(0);
    for (size_t i = 0; i < own.size(); ++i)
        for (const Kind& kind : kKinds)
            if (std::string_view(kNamespaceKinds[i]) == kind.name &&
                (plan.clone_flags & kind.flag) != 0 && own[i] == device[i])
                return Fail("its main process has left the container's ", kind.name, " namespace");
    return {};
}

// What enters a container has the device's rights until it gives them up, and is seen by the
// container meanwhile. In a user namespace of its own the container has no rights over it; as the
// device's root with this capability it has (ptrace(2), "Ptrace access mode checking").
Status CheckTracing(const container::ContainerSettings& spec) {
    const bool traces = (spec.capabilities >> CAP_SYS_PTRACE & 1) != 0;
    if (spec.user_namespace || !traces) return {};
    return Fail(
        "with UserNS=host and CAP_SYS_PTRACE its processes could trace what enters it; leave one "
        "of the two out");
}

}  // namespace

// The plan that what runs was made of. After a restart of the supervisor it is made again from the
// unit's files, where those still say the same.
Status UnitRunner::FindPlan() {
    if (plan_) return {};
    bool same = ids_.base == record_.id_range_base && !plan_is_old_;
    for (const KeyChange& change : ChangedKeys(record_.keys, unit_))
        same &= change.key != kUnknownKey && config::IsLive(change.key);
    if (!same)
        return Fail(
            "its files have changed since it was started; restart it first ('husk restart')");
    return Prepare(true);
}

Status UnitRunner::StartInside(UnitCommand& command, UnitCommand::Order order) {
    if (!pidfd_) return Fail("it does not run");
    // Until then its root is the device's, or half built.
    if (!record_.life.executed) return Fail("its program does not run yet");
    HUSK_TRY(FindPlan());
    HUSK_TRY(CheckTracing(plan_->spec));
    HUSK_TRY(CheckNamespaces(*plan_, record_.life.main_pid));
    std::vector<OwnedFd> keep;  // until the child has its own
    HUSK_TRY(OpenStreams(order.input, keep));
    order.input.join_pidfd = pidfd_.get();
    return command.Start(std::move(order));
}

Result<container::Program> UnitRunner::ProgramInside(container::ProgramSpec spec) {
    HUSK_TRY(FindPlan());
    std::vector<std::string> environment = plan_->program.environment;
    container::Overlay(environment, spec.environment);
    spec.environment = std::move(environment);
    if (spec.working_dir.empty()) spec.working_dir = plan_->program.working_dir;
    return container::MakeProgram(std::move(spec));
}

Result<UnitCommand*> UnitRunner::StartSession(UnitCommand::Order order) {
    if (sessions_.size() >= kMostSessions)
        return Fail("it has ", std::to_string(kMostSessions),
                    " programs of 'husk exec' already; end one of them first");
    auto command = std::make_unique<UnitCommand>(device_.loop, cgroup_.path(), plan_);
    UnitCommand* session = command.get();
    order.group = kSessionGroup;
    order.kill_rest = false;
    order.done = [this, session, done = std::move(order.done)](const CommandEnd& end) {
        const auto told = done;  // this goes with the session
        const auto at = std::ranges::find(sessions_, session, &std::unique_ptr<UnitCommand>::get);
        const auto keep = std::move(*at);
        sessions_.erase(at);
        told(end);
    };
    HUSK_TRY(StartInside(*session, std::move(order)));
    sessions_.push_back(std::move(command));
    return session;
}

Status UnitRunner::GiveToUser(int fd, const rootfs::UserIds& user) const {
    const auto& map = plan_->spec.user_namespace;
    const uint32_t uid =
        map ? container::OnDevice(map->users, user.uid).value_or(user.uid) : user.uid;
    const uint32_t gid =
        map ? container::OnDevice(map->groups, user.gid).value_or(user.gid) : user.gid;
    // A terminal keeps its group, tty.
    const bool terminal = ::isatty(fd) != 0;
    if (::fchown(fd, uid, terminal ? static_cast<gid_t>(-1) : gid) != 0)
        return FailErrno("give a stream to the container's user");
    return {};
}

Status UnitRunner::CheckUser(const rootfs::UserIds& user) const {
    const auto& map = plan_->spec.user_namespace;
    if (!map) return {};
    bool there =
        container::OnDevice(map->users, user.uid) && container::OnDevice(map->groups, user.gid);
    for (uint32_t group : user.groups) there &= container::OnDevice(map->groups, group).has_value();
    if (!there) return Fail("the user, or a group of it, is not in the unit's map of ids");
    return {};
}

}  // namespace husk::supervisor
