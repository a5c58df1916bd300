#include "supervisor/security_checks.h"

#include <linux/capability.h>
#include <sys/resource.h>

#include <algorithm>

#include "base/syscalls.h"
#include "base/text.h"
#include "container/id_map.h"
#include "container/seccomp.h"

namespace husk::supervisor {
namespace {

using container::NetworkKind;
using Facts = SecurityFacts;
using Verdict = SecurityVerdict;

constexpr unsigned kAll = 10;

Verdict BadIf(bool bad, unsigned floor = 0) { return bad ? Verdict{kAll, floor, {}} : Verdict{}; }

bool IsAtOrBelow(std::string_view path, std::string_view folder) {
    return path == folder ||
           (path.starts_with(folder) && (folder == "/" || path[folder.size()] == '/'));
}

// Folders of the device from which it can be taken over, or that say much about it.
constexpr std::string_view kSensitive[] = {"/boot", "/dev",  "/etc",         "/lib",      "/proc",
                                           "/root", "/sbin", "/bin",         "/run/husk", "/sys",
                                           "/usr",  "/init", "/var/lib/husk"};

bool IsSensitive(std::string_view source) {
    return std::ranges::any_of(kSensitive, [source](std::string_view folder) {
        return IsAtOrBelow(source, folder) || IsAtOrBelow(folder, source);
    });
}

// Named volumes are the unit's own, and a single file or folder of programs that is only read is
// what the minimal root is made of.
Verdict AskVolumes(const Facts& facts) {
    Verdict verdict;
    for (const auto& volume : facts.unit.container.volumes) {
        if (volume.named || !IsSensitive(volume.source)) continue;
        const bool socket = IsAtOrBelow("/run/husk", volume.source);
        const bool programs = IsAtOrBelow(volume.source, "/usr") ||
                              IsAtOrBelow(volume.source, "/bin") ||
                              IsAtOrBelow(volume.source, "/lib");
        if (volume.read_only && !socket && programs) continue;
        const bool as_root = facts.DeviceUsers() || volume.idmap;
        // The control socket is root's, on a read-only mount too.
        const bool taken = !volume.read_only || (socket && facts.DeviceRoot());
        const unsigned floor = !as_root ? 20 : taken ? 90 : 10;
        verdict.badness = kAll;
        verdict.floor = std::max(verdict.floor, floor);
        verdict.detail += Cat(verdict.detail.empty() ? "" : ", ", volume.source,
                              volume.read_only ? " (read-only)" : "");
    }
    return verdict;
}

Verdict AskUsers(const Facts& facts) { return BadIf(facts.DeviceUsers(), facts.Root() ? 30 : 10); }

Verdict AskMap(const Facts& facts) {
    if (facts.DeviceUsers()) return {};
    auto has_root = [](const auto& map) {
        return std::ranges::any_of(map, [](const auto& extent) { return extent.outside == 0; });
    };
    return BadIf(
        has_root(facts.spec.user_namespace->users) || has_root(facts.spec.user_namespace->groups),
        20);
}

Verdict AskUser(const Facts& facts) {
    if (!facts.Root()) return {};
    return {facts.DeviceUsers() ? kAll : 2u, 0,
            facts.DeviceUsers() ? "of the device" : "of its own user namespace only"};
}

Verdict AskMounts(const Facts& facts) {
    return BadIf(!facts.spec.private_mounts, facts.DeviceRoot()    ? 85
                                             : facts.DeviceUsers() ? 40
                                                                   : 25);
}

Verdict AskPids(const Facts& facts) {
    return BadIf(!facts.spec.private_pids, facts.DeviceRoot() ? 40 : 5);
}

Verdict AskIpc(const Facts& facts) { return BadIf(!facts.spec.private_ipc, 5); }

Verdict AskHostName(const Facts& facts) { return BadIf(!facts.spec.private_host_name); }

Verdict AskNetwork(const Facts& facts) {
    switch (facts.spec.network) {
        case NetworkKind::kPrivate: return {};
        case NetworkKind::kHost: return {kAll, 15, "that of the device"};
        case NetworkKind::kJoin:
            if (facts.spec.root.kept_network) return {2, 0, "a network of units"};
            return {3, 0, Cat("that of unit ", Quote(facts.unit.container.network.unit))};
    }
    return {};
}

Verdict AskPrivileges(const Facts& facts) {
    return BadIf(!facts.spec.no_new_privileges, facts.DeviceUsers() ? 15 : 0);
}

Verdict AskFilter(const Facts& facts) { return BadIf(facts.spec.filter == nullptr, 30); }

Verdict AskRoot(const Facts& facts) {
    const auto& root = facts.spec.root;
    if (!facts.spec.private_mounts || (root.read_only && !root.volatile_overlay)) return {};
    return {root.volatile_overlay ? 4u : kAll, 0,
            root.volatile_overlay ? "until it stops" : "and it stays"};
}

Verdict AskMasks(const Facts& facts) {
    const auto& unmask = facts.unit.container.unmask;
    if (unmask.empty()) return {};
    return {kAll, facts.DeviceRoot() ? 50u : 5u, Join(unmask, ", ")};
}

Verdict AskLandlock(const Facts& facts) {
    const auto& landlock = facts.spec.landlock;
    if (landlock.write.empty() && landlock.read.empty()) return {kAll, 0, {}};
    return {};
}

// Memory, disks and flash of the device, by the names that the kernel gives.
bool IsOfTheWhole(std::string_view path) {
    constexpr std::string_view kNames[] = {
        "/dev/mem",  "/dev/kmem", "/dev/port",   "/dev/kmsg",    "/dev/sd",
        "/dev/vd",   "/dev/nvme", "/dev/mmcblk", "/dev/mtd",     "/dev/dm-",
        "/dev/loop", "/dev/disk", "/dev/mapper", "/dev/watchdog"};
    return path == "/dev" || std::ranges::any_of(kNames, [path](std::string_view name) {
               return path.starts_with(name);
           });
}

Verdict AskDevices(const Facts& facts) {
    Verdict verdict;
    auto add = [&verdict](const std::string& name, bool whole) {
        verdict.badness = kAll;
        verdict.floor = std::max(verdict.floor, whole ? 80u : 5u);
        verdict.detail += Cat(verdict.detail.empty() ? "" : ", ", name);
    };
    for (const auto& device : facts.unit.container.devices)
        add(device.source, IsOfTheWhole(device.source));
    // Without a node in the container or CAP_MKNOD they cannot be opened.
    for (const auto& rule : facts.unit.service.device_allow) add(rule.name, false);
    return verdict;
}

Verdict AskDelegate(const Facts& facts) { return BadIf(facts.unit.service.delegate); }

Verdict AskTasks(const Facts& facts) {
    const auto& most = facts.spec.limits.tasks_max;
    return BadIf(!most || *most == container::kNoLimit);
}

Verdict AskMemory(const Facts& facts) {
    const auto& most = facts.spec.limits.memory_max;
    return BadIf(!most || *most == container::kNoLimit);
}

Verdict AskPriority(const Facts& facts) {
    const bool real_time = std::ranges::any_of(facts.spec.resource_limits, [](const auto& limit) {
        return limit.resource == RLIMIT_RTPRIO && limit.hard > 0;
    });
    constexpr int kFifo = 1, kRoundRobin = 2;  // SCHED_FIFO, SCHED_RR
    const int policy = facts.spec.scheduling_policy;
    return BadIf(real_time || policy == kFifo || policy == kRoundRobin || facts.spec.nice < 0 ||
                 facts.spec.oom_score_adjust < 0);
}

// Names that say that their value is a secret: what is in the environment is read by every child,
// and often ends in logs.
Verdict AskEnvironment(const Facts& facts) {
    constexpr std::string_view kWords[] = {"PASSWORD", "PASSWD", "TOKEN",      "SECRET",
                                           "API_KEY",  "APIKEY", "PRIVATE_KEY"};
    Verdict verdict;
    for (const auto& variable : facts.unit.container.environment) {
        std::string name = variable.substr(0, variable.find('='));
        std::string upper = name;
        for (char& c : upper)
            if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
        const bool secret = std::ranges::any_of(
            kWords, [&](std::string_view word) { return upper.find(word) != upper.npos; });
        // POSTGRES_PASSWORD_FILE names a file, as it should be.
        if (!secret || upper.ends_with("_FILE")) continue;
        verdict.badness = kAll;
        verdict.detail += Cat(verdict.detail.empty() ? "" : ", ", name);
    }
    return verdict;
}

constexpr SecurityCheck kChecks[] = {
    {"UserNS", 60, "has users and groups of its own", "its users are the device's", AskUsers},
    {"UIDMap", 40, "no id of its map is root of the device", "its map has root of the device",
     AskMap},
    {"User", 30, "does not run as root", "runs as root", AskUser},
    {"PrivateMounts", 60, "has a root and mounts of its own", "is on the device's root and mounts",
     AskMounts},
    {"PrivatePIDs", 30, "sees only its own processes", "sees the device's processes", AskPids},
    {"PrivateIPC", 15, "has shared memory and queues of its own",
     "shares memory and queues with the device", AskIpc},
    {"ProtectHostname", 5, "has a host name of its own", "has the device's host name", AskHostName},
    {"Network", 30, "has a network of its own", "is on a network that is not its own", AskNetwork},
    {"NoNewPrivileges", 30, "nothing that it executes gains rights",
     "gains rights by setuid programs", AskPrivileges},
    {"SystemCallFilter", 60, "system calls are filtered", "every system call is let through",
     AskFilter},
    {"ReadOnly", 10, "cannot write to its root", "writes to its root", AskRoot},
    {"Unmask", 20, "what the kernel shows in /proc and /sys is masked",
     "sees what is masked elsewhere", AskMasks},
    {"Volume", 40, "has no sensitive path of the device", "has sensitive paths of the device",
     AskVolumes},
    {"LandlockWritePaths", 8, "Landlock limits its paths", "Landlock does not limit its paths",
     AskLandlock},
    {"AddDevice", 30, "opens the usual devices only", "opens devices", AskDevices},
    {"Delegate", 5, "makes no cgroups", "makes cgroups of its own", AskDelegate},
    {"TasksMax", 10, "has a limit of processes", "may take all processes of the device", AskTasks},
    {"MemoryMax", 10, "has a limit of memory", "may take all memory of the device", AskMemory},
    {"Nice", 5, "is not put before other units",
     "comes before other units (Nice=, CPUSchedulingPolicy=, LimitRTPRIO=, OOMScoreAdjust=)",
     AskPriority},
    {"Environment", 10, "no variable looks like a secret", "variables look like secrets",
     AskEnvironment},
};

// Words are what the kernel lets it do; capabilities(7).
constexpr CapabilityRisk kCapabilities[] = {
    {CAP_SYS_ADMIN, 40, 95, "mounts, and much of the administration of the kernel"},
    {CAP_SYS_MODULE, 40, 95, "loads and removes kernel modules"},
    {CAP_SYS_RAWIO, 40, 90, "reaches ports and memory of the hardware"},
    {CAP_SYS_PTRACE, 30, 30, "reads and changes other processes"},
    {CAP_DAC_READ_SEARCH, 30, 70, "reads every file, also by its handle outside of its root"},
    {CAP_DAC_OVERRIDE, 20, 20, "reads and writes every file of its root"},
    {CAP_BPF, 20, 50, "loads BPF programs"},
    {CAP_PERFMON, 15, 30, "watches the kernel and all processes"},
    {CAP_SYS_BOOT, 20, 50, "reboots, and starts another kernel"},
    {CAP_MKNOD, 20, 30, "makes device nodes"},
    {CAP_NET_ADMIN, 20, 20, "configures the network: addresses, routes, firewall"},
    {CAP_NET_RAW, 10, 10, "sends any packet, and listens to all"},
    {CAP_SYS_TIME, 15, 20, "sets the clock"},
    {CAP_SYS_CHROOT, 5, 10, "changes its root"},
    {CAP_SETUID, 10, 20, "becomes any user"},
    {CAP_SETGID, 10, 20, "becomes any group"},
    {CAP_SETPCAP, 10, 5, "changes what its children inherit"},
    {CAP_SETFCAP, 10, 20, "gives files capabilities"},
    {CAP_CHOWN, 5, 10, "gives files to others"},
    {CAP_FOWNER, 5, 10, "changes modes of files of others"},
    {CAP_FSETID, 3, 5, "keeps setuid bits when it writes"},
    {CAP_KILL, 5, 10, "signals processes of other users"},
    {CAP_SYSLOG, 10, 10, "reads the kernel's log and addresses"},
    {CAP_SYS_RESOURCE, 10, 10, "goes beyond limits and quotas"},
    {CAP_SYS_NICE, 5, 5, "takes any priority"},
    {CAP_SYS_TTY_CONFIG, 5, 5, "hangs up and configures terminals"},
    {CAP_SYS_PACCT, 3, 3, "switches process accounting"},
    {CAP_IPC_OWNER, 5, 5, "uses every System V object"},
    {CAP_IPC_LOCK, 2, 2, "locks memory"},
    {CAP_LINUX_IMMUTABLE, 3, 3, "sets files immutable"},
    {CAP_LEASE, 1, 1, "takes leases on every file"},
    {CAP_NET_BIND_SERVICE, 1, 1, "binds ports below 1024"},
    {CAP_NET_BROADCAST, 1, 1, "sends broadcasts"},
    {CAP_AUDIT_WRITE, 2, 2, "writes to the audit log"},
    {CAP_AUDIT_CONTROL, 5, 5, "configures auditing"},
    {CAP_AUDIT_READ, 3, 3, "reads the audit log"},
    {CAP_MAC_OVERRIDE, 10, 30, "overrides mandatory access control"},
    {CAP_MAC_ADMIN, 10, 30, "configures mandatory access control"},
    {CAP_WAKE_ALARM, 2, 2, "wakes the device up"},
    {CAP_BLOCK_SUSPEND, 2, 2, "keeps the device from sleeping"},
    {CAP_CHECKPOINT_RESTORE, 5, 5, "restores processes, and chooses their ids"},
};

constexpr CallRisk kCalls[] = {
    {20, "mount umount2 pivot_root move_mount fsopen fsmount open_tree mount_setattr",
     "changes mounts"},
    {20, "init_module finit_module delete_module", "loads kernel modules"},
    {15, "reboot kexec_load kexec_file_load", "reboots or loads another kernel"},
    {20, "unshare setns", "makes and enters namespaces"},
    {20, "bpf", "loads BPF programs"},
    {15, "perf_event_open", "uses performance counters"},
    {5, "ptrace process_vm_readv process_vm_writev", "debugs other processes of its own"},
    {10, "add_key request_key keyctl", "uses keyrings of the kernel"},
    {15, "io_uring_setup io_uring_enter io_uring_register",
     "uses io_uring, which passes by the filter"},
    {10, "userfaultfd", "handles page faults, which exploits build on"},
    {10, "clock_settime settimeofday adjtimex clock_adjtime", "sets the clock"},
    {15, "iopl ioperm", "uses ports of the hardware"},
    {10, "open_by_handle_at", "opens files by their handles"},
    {10, "swapon swapoff", "switches swap"},
    {5, "syslog", "reads the kernel's log"},
    {5, "acct quotactl", "configures accounting and quotas"},
    {10, "chroot", "changes its root"},
};

bool LetsThrough(const container::ContainerSpec& spec, std::string_view call) {
    if (spec.filter == nullptr) return SyscallNumber(call).has_value();
    return container::Allows(*spec.filter, call);
}

}  // namespace

bool SecurityFacts::DeviceRoot() const {
    if (!spec.user_namespace) return Root();
    return container::OnDevice(spec.user_namespace->users, spec.user.uid) == 0u;
}

std::span<const SecurityCheck> SecurityChecks() { return kChecks; }
std::span<const CapabilityRisk> CapabilityRisks() { return kCapabilities; }
std::span<const CallRisk> CallRisks() { return kCalls; }

// A user namespace has rights over what is its own only; the network is the device's where it is
// shared.
Verdict Judge(const CapabilityRisk& risk, const Facts& facts) {
    if (!facts.Has(risk.capability)) return {};
    const bool of_network = risk.capability == CAP_NET_ADMIN || risk.capability == CAP_NET_RAW ||
                            risk.capability == CAP_NET_BIND_SERVICE;
    const bool inside = !facts.DeviceUsers() || (of_network && facts.OwnNetwork());
    return {inside ? 2u : kAll, inside ? 0 : risk.floor,
            inside ? " (inside of its own namespaces)" : " (of the device)"};
}

Verdict Judge(const CallRisk& risk, const Facts& facts) {
    Verdict verdict;
    for (std::string_view call : SplitWords(risk.calls))
        if (LetsThrough(facts.spec, call)) {
            verdict.badness = kAll;
            verdict.detail += Cat(verdict.detail.empty() ? "" : ", ", call);
        }
    return verdict;
}

}  // namespace husk::supervisor
