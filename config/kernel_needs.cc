#include "config/kernel_needs.h"

#include <algorithm>

#include "base/text.h"
#include "config/graph.h"
#include "config/rules.h"

namespace husk::config {
namespace {

constexpr std::string_view kPrefix = "CONFIG_";
// The oldest kernel that the boot tests run.
constexpr uint64_t kOldestMajor = 6, kOldestMinor = 1;

using Need = std::string_view;
constexpr Need kNone;

// Which key of a unit asks. A default that asks is named by its key too.

Need ByUserNs(const Unit& unit) {
    if (!unit.container.uid_map.empty())
        return FindGiven(unit, "Container.UIDMap") ? "Container.UIDMap" : "Container.GIDMap";
    return unit.container.user_ns == UserNamespace::kAuto ? "Container.UserNS" : kNone;
}

Need ByHostName(const Unit& unit) {
    return unit.container.protect_hostname ? "Container.ProtectHostname" : kNone;
}

Need ByTimeOffset(const Unit& unit) {
    return unit.container.time_offset != Duration{} ? "Container.TimeOffset" : kNone;
}

Need ByLandlock(const Unit& unit) {
    if (!unit.container.landlock_read_paths.empty()) return "Container.LandlockReadPaths";
    return !unit.container.landlock_write_paths.empty() ? "Container.LandlockWritePaths" : kNone;
}

Need ByLandlockPorts(const Unit& unit) {
    return !unit.container.landlock_bind_ports.empty() ? "Container.LandlockBindPorts" : kNone;
}

Need BySysctl(const Unit& unit) {
    return !unit.container.sysctl.empty() ? "Container.Sysctl" : kNone;
}

Need ByPids(const Unit& unit) {
    return unit.container.private_pids ? "Container.PrivatePIDs" : kNone;
}

Need ByIpc(const Unit& unit) { return unit.container.private_ipc ? "Container.PrivateIPC" : kNone; }

Need ByNetwork(const Unit& unit) {
    return unit.container.network.kind != NetworkMode::Kind::kHost ? "Container.Network" : kNone;
}

Need ByOwnNetwork(const Unit& unit) {
    const auto kind = unit.container.network.kind;
    return kind == NetworkMode::Kind::kNone || kind == NetworkMode::Kind::kMember
               ? "Container.Network"
               : kNone;
}

bool HasDriver(const Unit& unit, NetworkDriver driver) {
    return std::ranges::any_of(unit.container.network.networks,
                               [&](const auto& one) { return one.driver == driver; });
}
Need ByBridge(const Unit& unit) {
    return HasDriver(unit, NetworkDriver::kBridge) ? "Container.Network" : kNone;
}
Need ByMacvlan(const Unit& unit) {
    return HasDriver(unit, NetworkDriver::kMacvlan) ? "Container.Network" : kNone;
}
Need ByIpvlan(const Unit& unit) {
    return HasDriver(unit, NetworkDriver::kIpvlan) ? "Container.Network" : kNone;
}

// What a name without a suffix is cannot be told before the file is there.
Need ByErofs(const Unit& unit) {
    return unit.container.image.ends_with(".erofs") ? "Container.Image" : kNone;
}

Need BySquashfs(const Unit& unit) {
    return unit.container.image.ends_with(".squashfs") ? "Container.Image" : kNone;
}

Need ByImage(const Unit& unit) {
    if (!unit.container.image_mounts.empty()) return "Container.Mount";
    return unit.container.image.empty() ? kNone : "Container.Image";
}

Need ByVerity(const Unit& unit) {
    return unit.container.image_verity.empty() ? kNone : "Container.ImageVerity";
}

Need ByPlainImage(const Unit& unit) {
    return ByErofs(unit).empty() && BySquashfs(unit).empty() ? ByImage(unit) : kNone;
}

Need ByOverlay(const Unit& unit) {
    if (unit.container.rootfs_overlay) return "Container.Rootfs";
    return unit.container.overlay != OverlayMode::kNone ? "Container.Overlay" : kNone;
}

Need ByReadOnlyRoot(const Unit& unit) {
    if (!ByOverlay(unit).empty() || !unit.container.read_only) return kNone;
    return !unit.container.rootfs.empty() ? "Container.Rootfs" : ByImage(unit);
}

Need ByTasks(const Unit& unit) {
    if (unit.service.tasks_max == kUnlimited) return kNone;
    return FindGiven(unit, "Container.PidsLimit") ? "Container.PidsLimit" : "Service.TasksMax";
}

Need ByMemory(const Unit& unit) {
    const ServiceSection& service = unit.service;
    constexpr auto kUnset = MemoryLimit::Kind::kUnset;
    if (service.memory_max.kind != kUnset)
        return FindGiven(unit, "Container.Memory") ? "Container.Memory" : "Service.MemoryMax";
    if (service.memory_high.kind != kUnset) return "Service.MemoryHigh";
    if (service.memory_low.kind != kUnset) return "Service.MemoryLow";
    return service.memory_min.kind != kUnset ? "Service.MemoryMin" : kNone;
}

Need BySwap(const Unit& unit) {
    return unit.service.memory_swap_max.kind != MemoryLimit::Kind::kUnset ? "Service.MemorySwapMax"
                                                                          : kNone;
}

Need ByCpuQuota(const Unit& unit) { return unit.service.cpu_quota ? "Service.CPUQuota" : kNone; }

Need ByCpuWeight(const Unit& unit) { return unit.service.cpu_weight ? "Service.CPUWeight" : kNone; }

Need ByCpus(const Unit& unit) {
    if (unit.service.allowed_cpus) return "Service.AllowedCPUs";
    return unit.service.allowed_memory_nodes ? "Service.AllowedMemoryNodes" : kNone;
}

Need ByZswap(const Unit& unit) {
    return unit.service.memory_zswap_max.kind != MemoryLimit::Kind::kUnset
               ? "Service.MemoryZSwapMax"
               : kNone;
}

Need ByIoLimits(const Unit& unit) {
    const ServiceSection& service = unit.service;
    if (!service.io_read_bandwidth.empty()) return "Service.IOReadBandwidthMax";
    if (!service.io_write_bandwidth.empty()) return "Service.IOWriteBandwidthMax";
    if (!service.io_read_iops.empty()) return "Service.IOReadIOPSMax";
    return !service.io_write_iops.empty() ? "Service.IOWriteIOPSMax" : kNone;
}

Need ByIoWeight(const Unit& unit) { return unit.service.io_weight ? "Service.IOWeight" : kNone; }

Need ByIo(const Unit& unit) {
    const Need limits = ByIoLimits(unit);
    return limits.empty() ? ByIoWeight(unit) : limits;
}

// In the order of the reference. Options that one of these depends on (NET, SHMEM, BLOCK,
// CGROUP_SCHED) have no row of their own.
constexpr KernelNeed kNeeds[] = {
    {"BINFMT_ELF", "", "runs husk and the programs of units", nullptr, nullptr},
    {"MULTIUSER", "", "programs run as users and groups of their own", nullptr, nullptr},
    {"PROC_FS", "", "/proc, of the device and of each container", nullptr, nullptr},
    {"SYSFS", "", "/sys, of the device and of each container", nullptr, nullptr},
    {"DEVTMPFS", "", "/dev of the device", nullptr, nullptr},
    {"TMPFS", "", "/run, /tmp, and the root of each container", nullptr, nullptr},
    {"UNIX98_PTYS", "", "each container has a /dev/pts of its own", nullptr, nullptr},
    {"UNIX", "", "the control socket, and what PID 1 and the supervisor speak over", nullptr,
     nullptr},
    {"EPOLL", "", "PID 1 and the supervisor wait for events by it", nullptr, nullptr},
    {"SIGNALFD", "", "PID 1 hears of signals and of ended processes by it", nullptr, nullptr},
    {"MEMFD_CREATE", "", "the logs of units lie in memory files", nullptr, nullptr},
    {"CGROUPS", "", "each unit has a cgroup of its own", nullptr, nullptr},
    {"NAMESPACES", "", "each container has namespaces of its own", nullptr, nullptr},
    {"SECCOMP_FILTER", "", "each container has a filter of system calls", nullptr, nullptr},
    {"CGROUP_BPF", "", "each container has a filter of devices", nullptr, nullptr},
    {"BPF_SYSCALL", "", "the filter of devices is loaded by it", nullptr, nullptr},
    {"PSI", "", "'husk why' tells of units that ran short of memory", nullptr, nullptr,
     Severity::kWarning},
    {"INOTIFY_USER", "", "'husk logs --follow' waits by it", nullptr, nullptr, Severity::kWarning},
    {"USER_NS", "", "a user namespace", "UserNS=auto, the default, UIDMap= and GIDMap=", ByUserNs},
    {"UTS_NS", "", "a host name of its own", "ProtectHostname=yes, the default", ByHostName},
    {"PID_NS", "", "a PID namespace", "PrivatePIDs=yes, the default", ByPids},
    {"IPC_NS", "", "an IPC namespace", "PrivateIPC=yes, the default", ByIpc},
    {"POSIX_MQUEUE", "", "a /dev/mqueue of its own", "PrivateIPC=yes, the default", ByIpc},
    {"NET_NS", "", "a network namespace", "Network=none, the default, NAME.network and NAME.container",
     ByNetwork},
    {"INET", "", "a loopback interface of its own", "Network=none, the default, and NAME.network",
     ByOwnNetwork},
    {"MACVLAN", "", "makes the link of a unit", "Network=macvlan:LINK and Driver=macvlan",
     ByMacvlan},
    {"IPVLAN", "", "makes the link of a unit", "Network=ipvlan:LINK and Driver=ipvlan", ByIpvlan},
    {"BRIDGE", "", "is what the links of a network's units meet in", "Network=NAME.network",
     ByBridge},
    {"VETH", "", "makes the link of a unit", "Network=NAME.network", ByBridge},
    {"NF_TABLES", "", "keeps networks apart and publishes ports", "Network=NAME.network",
     ByBridge},
    {"NF_TABLES_INET", "", "keeps networks apart and publishes ports", "Network=NAME.network",
     ByBridge},
    {"NF_TABLES_BRIDGE", "", "lets no unit send in another's name", "Network=NAME.network",
     ByBridge},
    {"NF_CONNTRACK", "", "knows which packets are answers", "Network=NAME.network", ByBridge},
    {"NFT_CT", "", "knows which packets are answers", "Network=NAME.network", ByBridge},
    {"NFT_NAT", "", "publishes ports", "Network=NAME.network", ByBridge},
    {"NFT_MASQ", "", "gives what leaves a network the device's address", "Network=NAME.network",
     ByBridge},
    {"NFT_FIB_INET", "", "tells the device's own addresses", "Network=NAME.network",
     ByBridge},
    {"NFT_REJECT_INET", "", "tells who is refused", "Network=NAME.network", ByBridge},
    {"NF_FLOW_TABLE_INET", "",
     "takes what is established past the rules; published ports are slower without it",
     "Network=NAME.network", ByBridge, Severity::kWarning},
    {"NFT_FLOW_OFFLOAD", "",
     "takes what is established past the rules; published ports are slower without it",
     "Network=NAME.network", ByBridge, Severity::kWarning},
    {"PROC_SYSCTL", "", "sets parameters", "Sysctl=", BySysctl},
    {"TIME_NS", "", "clocks of its own", "TimeOffset=", ByTimeOffset},
    {"SECURITY_LANDLOCK", "", "says which paths may be used",
     "LandlockReadPaths= and LandlockWritePaths=", ByLandlock},
    {"SECURITY_LANDLOCK", "", "says which ports may be bound, from kernel 6.7 on",
     "LandlockBindPorts=", ByLandlockPorts, Severity::kError, 7},
    {"BLK_DEV_LOOP", "", "image files are mounted through a loop device", "Image=", ByImage},
    {"EROFS_FS", "", "mounts the image", "Image=NAME.erofs", ByErofs},
    {"SQUASHFS", "", "mounts the image", "Image=NAME.squashfs", BySquashfs},
    {"EROFS_FS", "SQUASHFS", "mounts the image, as its file is", "Image=", ByPlainImage},
    {"BLK_DEV_DM", "", "checks the image by its hashes", "ImageVerity=", ByVerity},
    {"DM_VERITY", "", "checks the image by its hashes", "ImageVerity=", ByVerity},
    {"OVERLAY_FS", "", "what is written to the root goes to an overlay", "Overlay=, Rootfs=PATH:O",
     ByOverlay},
    {"OVERLAY_FS", "",
     "a root that lacks a mount point, or a file such as /etc/hosts, gets it by an overlay",
     "Image= and Rootfs= where the root lacks something", ByReadOnlyRoot, Severity::kWarning},
    {"CGROUP_PIDS", "", "limits processes and threads", "TasksMax= and PidsLimit=, 512 by default",
     ByTasks},
    {"MEMCG", "", "limits memory",
     "Memory=, MemoryMax=, MemoryHigh=, MemoryLow=, MemoryMin=", ByMemory},
    {"SWAP", "", "limits swap", "MemorySwapMax=", BySwap},
    {"CFS_BANDWIDTH", "", "limits CPU time", "CPUQuota=", ByCpuQuota},
    {"FAIR_GROUP_SCHED", "", "weighs CPU time", "CPUWeight=", ByCpuWeight},
    {"CPUSETS", "", "binds to CPUs and memory nodes", "AllowedCPUs=, AllowedMemoryNodes=", ByCpus},
    {"ZSWAP", "", "limits compressed swap", "MemoryZSwapMax=", ByZswap},
    {"BLK_CGROUP", "", "counts what is read from disks and written to them",
     "IOWeight=, IOReadBandwidthMax= and its kin", ByIo},
    {"BLK_DEV_THROTTLING", "", "limits what is read from disks and written to them",
     "IOReadBandwidthMax=, IOWriteBandwidthMax=, IOReadIOPSMax=, IOWriteIOPSMax=", ByIoLimits},
    {"BLK_CGROUP_IOCOST", "BFQ_GROUP_IOSCHED", "weighs the use of disks", "IOWeight=", ByIoWeight},
};

bool IsOptionName(std::string_view name) {
    return !name.empty() && std::ranges::all_of(name, [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
               c == '_';
    });
}

void TakeComment(std::string_view comment, int number, KernelConfig& kernel) {
    constexpr std::string_view kNotSet = " is not set", kTitle = " Kernel Configuration";
    if (comment.starts_with(kPrefix) && comment.ends_with(kNotSet)) {
        comment.remove_prefix(kPrefix.size());
        comment.remove_suffix(kNotSet.size());
        if (IsOptionName(comment)) kernel.options[std::string(comment)] = {false, number};
    } else if (comment.starts_with("Linux/") && comment.ends_with(kTitle)) {
        comment.remove_suffix(kTitle.size());
        kernel.version = comment.substr(comment.rfind(' ') + 1);
        kernel.version_line = number;
    }
}

// False for what is no line of a .config.
bool TakeLine(std::string_view line, int number, KernelConfig& kernel) {
    if (line.empty()) return true;
    if (line.starts_with('#')) {
        TakeComment(Trim(line.substr(1)), number, kernel);
        return true;
    }
    const size_t equals = line.find('=');
    if (!line.starts_with(kPrefix) || equals == line.npos) return false;
    const std::string_view name = line.substr(kPrefix.size(), equals - kPrefix.size());
    if (!IsOptionName(name)) return false;
    kernel.options[std::string(name)] = {line.substr(equals + 1) != "n", number};
    return true;
}

// Before 6.`since`; false for what is no version.
bool IsBefore(std::string_view version, uint64_t since) {
    const auto parts = Split(version, '.');
    const auto major = ParseUnsigned(parts[0]);
    const auto minor = parts.size() > 1 ? ParseUnsigned(parts[1]) : std::nullopt;
    if (!major || !minor) return false;
    return *major < kOldestMajor || (*major == kOldestMajor && *minor < since);
}

// "CONFIG_EROFS_FS or CONFIG_SQUASHFS"
std::string Lacked(const KernelNeed& need) {
    if (need.since_minor != 0)
        return Cat(kPrefix, need.option, " of kernel ", std::to_string(kOldestMajor), ".",
                   std::to_string(need.since_minor), " or later");
    std::string text = Cat(kPrefix, need.option);
    if (!need.alternative.empty()) text += Cat(" or ", kPrefix, need.alternative);
    return text;
}

bool IsMet(const KernelConfig& kernel, const KernelNeed& need) {
    if (kernel.Has(need.option))
        return need.since_minor == 0 || !IsBefore(kernel.version, need.since_minor);
    return !need.alternative.empty() && kernel.Has(need.alternative);
}

std::string Verb(const KernelNeed& need) {
    return need.severity == Severity::kError ? " needs " : " may need ";
}

void CheckUnit(const KernelNeed& need, LoadedUnit& loaded) {
    const Need key = need.asked_by(loaded.unit);
    if (key.empty()) return;
    const std::string_view name = key.substr(key.find('.') + 1);
    InsertProblem(loaded.problems,
           {need.severity, PlaceOf(loaded.unit, key), std::string(name),
            Cat("key ", Quote(name), Verb(need), Lacked(need), ", which this kernel lacks"),
            need.what_for});
    if (need.severity == Severity::kError) loaded.refused = true;
}

}  // namespace

bool KernelConfig::Has(std::string_view option) const {
    auto found = options.find(option);
    return found != options.end() && found->second.there;
}

Location KernelConfig::PlaceOf(std::string_view option) const {
    auto found = options.find(option);
    return {file, found == options.end() ? 0 : found->second.line};
}

std::expected<KernelConfig, Problem> ParseKernelConfig(std::string_view file,
                                                       std::string_view text) {
    constexpr char kHint[] =
        "give what the kernel's build left as .config, or /boot/config-VERSION";
    KernelConfig kernel{.file = std::string(file)};
    auto refuse = [&](int line, std::string what, std::string_view hint) {
        return std::unexpected(
            Problem{Severity::kError, {kernel.file, line}, {}, std::move(what), std::string(hint)});
    };
    // As /proc/config.gz is.
    if (text.starts_with("\x1f\x8b"))
        return refuse(0, "is compressed", Cat("zcat ", file, " >FILE, and give that FILE"));
    int number = 0;
    for (std::string_view line : Split(text, '\n'))
        if (!TakeLine(Trim(line.substr(0, line.find('\r'))), ++number, kernel))
            return refuse(number, "is not a line of a kernel's configuration", kHint);
    if (kernel.options.empty()) return refuse(0, "holds no options of a kernel", kHint);
    return kernel;
}

std::span<const KernelNeed> KernelNeeds() { return kNeeds; }

void CheckKernel(const KernelConfig& kernel, std::vector<LoadedUnit>& units, Problems& problems) {
    if (IsBefore(kernel.version, kOldestMinor))
        AddProblem(problems, Severity::kError, {kernel.file, kernel.version_line}, {},
                   Cat("kernel ", Quote(kernel.version), " is too old"),
                   Cat("husk is tested on ", std::to_string(kOldestMajor), ".",
                       std::to_string(kOldestMinor), " and later"));
    for (const KernelNeed& need : kNeeds) {
        if (IsMet(kernel, need)) continue;
        if (need.asked_by == nullptr)
            InsertProblem(problems, {need.severity,
                              kernel.PlaceOf(need.option),
                              {},
                              Cat("husk", Verb(need), Lacked(need), ", which this kernel lacks"),
                              need.what_for});
        else
            for (LoadedUnit& unit : units) CheckUnit(need, unit);
    }
    RefuseRequirers(units, BuildGraph(units));
}

}  // namespace husk::config
