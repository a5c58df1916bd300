#include "container/plan.h"

#include <sched.h>

#include <utility>

#include "base/sys.h"
#include "base/text.h"
#include "container/id_map.h"

namespace husk::container {
namespace {

uint64_t CloneFlags(const ContainerSettings& spec) {
    uint64_t flags = 0;
    if (spec.private_mounts) flags |= CLONE_NEWNS;
    if (spec.private_host_name) flags |= CLONE_NEWUTS;
    if (spec.user_namespace) flags |= CLONE_NEWUSER;
    if (spec.private_pids) flags |= CLONE_NEWPID;
    if (spec.private_ipc) flags |= CLONE_NEWIPC;
    if (spec.network == NetworkKind::kPrivate) flags |= CLONE_NEWNET;
    return flags;
}

// A folder of the layer of mount points whose owner has no id in the container would show as
// nobody's, were it the tree's own; it cannot be given away to nobody, and stays root's.
void DropForeignOwners(const IdMap& map, rootfs::RootPlan& root) {
    std::erase_if(root.steps, [&map](const rootfs::TreeStep& step) {
        return step.op == rootfs::TreeOp::kSetOwner &&
               (!OnDevice(map.users, step.uid) || !OnDevice(map.groups, step.gid));
    });
}

// As /proc/PID/timens_offsets takes them (time_namespaces(7)); nanoseconds are never negative.
std::string TimeOffsets(int64_t offset) {
    constexpr int64_t kSecond = 1'000'000'000;
    int64_t seconds = offset / kSecond, rest = offset % kSecond;
    if (rest < 0) {
        seconds -= 1;
        rest += kSecond;
    }
    const std::string by = Cat(" ", std::to_string(seconds), " ", std::to_string(rest), "\n");
    return Cat("monotonic", by, "boottime", by);
}

}  // namespace

const char* StageName(Stage stage) {
    switch (stage) {
        case Stage::kWaitForParent: return "wait for the supervisor";
        case Stage::kJoinNamespaces: return "join the namespaces of the container";
        case Stage::kTimeNamespace: return "set the clocks of a time namespace (TimeOffset=)";
        case Stage::kBecomeRoot: return "become root of the user namespace";
        case Stage::kNewSession: return "start a session";
        case Stage::kTerminal: return "take the terminal";
        case Stage::kUnshareCgroup: return "enter a cgroup namespace";
        case Stage::kPrivateMounts: return "make mounts private";
        case Stage::kTree: return "build the root";
        case Stage::kHostName: return "set the host name";
        case Stage::kLoopback: return "bring the loopback interface up";
        case Stage::kResourceLimits: return "set resource limits";
        case Stage::kPersonality: return "set the personality";
        case Stage::kKeyring: return "join a session keyring";
        case Stage::kReaper: return "start the first process of RunInit=";
        case Stage::kBoundingSet: return "drop capabilities from the bounding set";
        case Stage::kNoNewPrivileges: return "set no_new_privs";
        case Stage::kLandlock: return "restrict by Landlock";
        case Stage::kIds: return "set user and groups";
        case Stage::kCapabilities: return "set capabilities";
        case Stage::kFilter: return "install the seccomp filter";
        case Stage::kStandardStreams: return "set up standard streams";
        case Stage::kDescriptors: return "close descriptors";
        case Stage::kSignals: return "reset signals";
        case Stage::kWorkingDirectory: return "change to the working directory";
        case Stage::kExecute: return "execute";
    }
    return "unknown stage";
}

Result<std::unique_ptr<Plan>> MakePlan(ContainerSpec spec, const rootfs::Tree* tree) {
    if (spec.argv.empty()) return Fail("no command; write Exec=");
    auto plan = std::make_unique<Plan>();
    auto program = MakeProgram({.arguments = std::move(spec.argv),
                                .environment = std::move(spec.environment),
                                .working_dir = std::move(spec.working_dir)});
    if (!program) return Fail(std::move(program).error());
    plan->program = std::move(*program);
    if (spec.private_mounts) {
        auto root = rootfs::PlanRoot(spec.root, [tree](const std::string& path) {
            return tree == nullptr ? rootfs::PathFact{} : tree->LookUp(path);
        });
        if (!root) return Fail(std::move(root).error());
        plan->root = std::move(*root);
        if (spec.user_namespace) DropForeignOwners(*spec.user_namespace, plan->root);
    }
    plan->steps = std::make_shared<rootfs::TreeSteps>(std::exchange(plan->root.steps, {}));
    plan->tree = std::move(spec.root.tree);
    plan->device_nodes = std::move(spec.root.device_nodes);
    plan->spec = std::move(spec);
    if (plan->spec.time_offset != 0) plan->time_offsets = TimeOffsets(plan->spec.time_offset);
    auto landlock = PlanLandlock(spec.landlock);
    if (!landlock) return Fail(std::move(landlock).error());
    plan->landlock = std::move(*landlock);
    plan->clone_flags = CloneFlags(plan->spec);
    return plan;
}

}  // namespace husk::container
