// A container ready to be started: everything that can be decided or built without starting it.
#pragma once

#include <cstdint>

#include <memory>
#include <string>
#include <vector>

#include "container/landlock.h"
#include "container/program.h"
#include "container/spec.h"
#include "rootfs/look_up.h"
#include "rootfs/tree.h"

namespace husk::container {

// What the child does between clone3(2) and execve(2), in this order. Failures are reported by it.
enum class Stage : uint32_t {
    kWaitForParent,   // id maps, oom score, nice level, record
    kJoinNamespaces,  // of a container that runs, instead of making some
    kTimeNamespace,   // while /proc is the device's, and before its file of offsets is another's
    kBecomeRoot,      // of its user namespace
    kNewSession,
    kTerminal,       // the session's controlling one
    kUnshareCgroup,  // after CLONE_INTO_CGROUP: together with it the namespace would be rooted at
                     // the parent's group
    kPrivateMounts,
    kTree,  // the steps of rootfs::RootPlan
    kHostName,
    kLoopback,
    kResourceLimits,
    kPersonality,  // whatever that of who started the supervisor is
    kKeyring,      // an own session keyring, or the device's would show
    kReaper,       // a first process that stays, and the program as its child
    kBoundingSet,
    kNoNewPrivileges,
    kLandlock,  // while CAP_SYS_ADMIN is there, which it needs where new privileges are allowed
    kIds,
    kCapabilities,
    kFilter,
    kStandardStreams,
    kDescriptors,
    kSignals,
    kWorkingDirectory,
    kExecute,
};
const char* StageName(Stage stage);  // "drop capabilities from the bounding set", …

struct Plan {
    ContainerSettings spec;
    Program program;        // the unit's own
    rootfs::RootPlan root;  // without its steps
    // Never nullptr. Containers that are alike can share one list (SharedValues).
    std::shared_ptr<const rootfs::TreeSteps> steps;
    Text tree;                                     // RootSpec::tree
    std::vector<rootfs::DeviceNode> device_nodes;  // RootSpec::device_nodes
    LandlockPlan landlock;
    std::string time_offsets;  // for /proc/self/timens_offsets; empty: the device's clocks
    uint64_t clone_flags = 0;  // CLONE_NEW*

    Plan() = default;
    Plan(const Plan&) = delete;  // children and their failures are explained by the one they had
    Plan& operator=(const Plan&) = delete;
};

// `tree` is the mounted image or directory of spec.root, nullptr for a skeleton.
Result<std::unique_ptr<Plan>> MakePlan(ContainerSpec spec, const rootfs::Tree* tree);

}  // namespace husk::container
