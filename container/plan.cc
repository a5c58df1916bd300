#include "container/plan.h"

#include <sched.h>

#include "base/sys.h"
#include "base/text.h"

namespace husk::container {
namespace {

constexpr std::string_view kDefaultPath =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

uint64_t CloneFlags(const ContainerSpec& spec) {
    uint64_t flags = CLONE_NEWNS | CLONE_NEWUTS;
    if (spec.user_namespace) flags |= CLONE_NEWUSER;
    if (spec.private_pids) flags |= CLONE_NEWPID;
    if (spec.private_ipc) flags |= CLONE_NEWIPC;
    if (spec.network == NetworkKind::kPrivate) flags |= CLONE_NEWNET;
    return flags;
}

std::vector<std::string> ProgramCandidates(const ContainerSpec& spec) {
    const std::string& program = spec.argv.front();
    if (program.find('/') != std::string::npos) return {program};
    std::string_view path = kDefaultPath;
    for (const auto& variable : spec.environment)
        if (variable.starts_with("PATH=")) path = std::string_view(variable).substr(5);
    std::vector<std::string> candidates;
    for (auto folder : Split(path, ':'))
        if (folder.starts_with("/")) candidates.push_back(Cat(folder, "/", program));
    return candidates;
}

std::vector<const char*> Pointers(const std::vector<std::string>& strings) {
    std::vector<const char*> pointers;
    pointers.reserve(strings.size() + 1);
    for (const auto& string : strings) pointers.push_back(string.c_str());
    pointers.push_back(nullptr);
    return pointers;
}

}  // namespace

const char* StageName(Stage stage) {
    switch (stage) {
        case Stage::kWaitForParent: return "wait for the supervisor";
        case Stage::kBecomeRoot: return "become root of the user namespace";
        case Stage::kNewSession: return "start a session";
        case Stage::kUnshareCgroup: return "enter a cgroup namespace";
        case Stage::kPrivateMounts: return "make mounts private";
        case Stage::kTree: return "build the root";
        case Stage::kHostName: return "set the host name";
        case Stage::kLoopback: return "bring the loopback interface up";
        case Stage::kResourceLimits: return "set resource limits";
        case Stage::kKeyring: return "join a session keyring";
        case Stage::kBoundingSet: return "drop capabilities from the bounding set";
        case Stage::kNoNewPrivileges: return "set no_new_privs";
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
    plan->spec = std::move(spec);
    plan->programs = ProgramCandidates(plan->spec);
    if (plan->programs.empty())
        return Fail(Cat("command ", Quote(plan->spec.argv.front()),
                        ": PATH has no absolute folder; write the program's full path"));
    auto root = rootfs::PlanRoot(plan->spec.root, [tree](const std::string& path) {
        return tree == nullptr ? rootfs::PathFact{} : tree->LookUp(path);
    });
    if (!root) return Fail(std::move(root).error());
    plan->root = std::move(*root);
    plan->clone_flags = CloneFlags(plan->spec);
    plan->argv = Pointers(plan->spec.argv);
    plan->envp = Pointers(plan->spec.environment);
    return plan;
}

}  // namespace husk::container
