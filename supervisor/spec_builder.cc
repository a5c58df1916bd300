#include "supervisor/spec_builder.h"

#include <sched.h>
#include <sys/resource.h>

#include <algorithm>

#include "base/capabilities.h"
#include "base/hash.h"
#include "base/text.h"
#include "container/id_map.h"
#include "container/program.h"
#include "supervisor/network_wishes.h"
#include "supervisor/notify_sender.h"
#include "supervisor/notify_socket.h"
#include "supervisor/unit_files.h"
#include "supervisor/unit_folders.h"
#include "supervisor/unit_secrets.h"

namespace husk::supervisor {
namespace {

using config::Unit;
using container::ContainerSpec;

// Of a unit where nobody says one. When memory is short without such a limit, the kernel looks for
// what to kill by the pages of processes: tmpfs, pipes and sockets are none, so that a unit which
// fills those sees its neighbours killed first.
constexpr config::MemoryLimit kDefaultMemoryMax{config::MemoryLimit::Kind::kPercent, 75'00};

std::vector<container::ResourceLimit> ResourceLimits(const Unit& unit, const DeviceFacts& device) {
    std::vector<container::ResourceLimit> limits;
    for (const auto& [resource, limit] : unit.service.limits)
        limits.push_back({resource, limit.soft, limit.hard});
    // systemd's defaults: programs that use select(2) break above 1024, others raise it themselves.
    if (!unit.service.limits.contains(RLIMIT_NOFILE))
        limits.push_back({RLIMIT_NOFILE, std::min<uint64_t>(1024, device.descriptor_limit),
                          std::min<uint64_t>(524288, device.descriptor_limit)});
    return limits;
}

// The kernel takes quotas from 1 ms on: a small share counts over a longer time, as in systemd.
void SetCpuQuota(const config::ServiceSection& service, container::CgroupLimits& limits) {
    constexpr uint64_t kLeast = 1'000, kLongest = 1'000'000, kWhole = 10'000;
    const uint64_t quota = *service.cpu_quota;
    const uint64_t asked = static_cast<uint64_t>(service.cpu_quota_period.count()) / 1000;
    const uint64_t needed = (kLeast * kWhole + quota - 1) / quota;
    limits.cpu_period_us = std::min(std::max(asked, needed), kLongest);
    limits.cpu_quota_us = std::max(limits.cpu_period_us * quota / kWhole, kLeast);
}

int SchedulerOf(config::SchedulingPolicy policy) {
    switch (policy) {
        case config::SchedulingPolicy::kOther: return SCHED_OTHER;
        case config::SchedulingPolicy::kBatch: return SCHED_BATCH;
        case config::SchedulingPolicy::kIdle: return SCHED_IDLE;
        case config::SchedulingPolicy::kFifo: return SCHED_FIFO;
        case config::SchedulingPolicy::kRoundRobin: return SCHED_RR;
    }
    return SCHED_OTHER;
}

std::vector<std::string> Environment(const Unit& unit, const UnitFacts& facts,
                                     const ContainerSpec& spec) {
    std::vector<std::string> environment = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME=" + spec.user.home, "HOSTNAME=" + spec.host_name, "container=husk"};
    if (!facts.timezone.variable.empty()) environment.push_back("TZ=" + facts.timezone.variable);
    for (std::string& variable : FolderVariables(unit)) environment.push_back(std::move(variable));
    if (!unit.service.credentials.empty())
        environment.push_back("CREDENTIALS_DIRECTORY=" + CredentialsPlace(unit));
    container::Overlay(environment, unit.container.environment);
    container::Overlay(environment, facts.environment);
    return environment;
}

bool IsInNetworks(const Unit& unit) {
    return unit.container.network.kind == config::NetworkMode::Kind::kMember;
}

// Of a unit in networks, hosts and resolv.conf are mounted, since they change while it runs; of one
// that shares a network, resolv.conf.
std::vector<rootfs::RootFile> RootFiles(const Unit& unit, const ContainerSpec& spec,
                                        const DeviceFacts& device) {
    std::vector<rootfs::RootFile> files = {
        {.path = "/etc/hostname", .content = spec.host_name + "\n", .own = true},
        {"/etc/passwd", std::string(rootfs::DefaultPasswd())},
        {"/etc/group", std::string(rootfs::DefaultGroup())}};
    if (IsInNetworks(unit)) return files;
    std::string hosts = Cat("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n127.0.1.1\t",
                            spec.host_name, "\n");
    for (const auto& line : HostLinesOf(unit))
        if (line.address)
            hosts += Cat(FormatAddress(*line.address), "\t", Join(line.names, " "), "\n");
    files.push_back({.path = "/etc/hosts", .content = std::move(hosts), .own = true});
    if (FollowsNames(unit)) return files;
    const auto resolver = ResolverWishOf(unit);
    const bool asks =
        !resolver.servers.empty() || !resolver.search.empty() || !resolver.options.empty();
    if (!unit.container.no_dns)
        files.push_back(
            {"/etc/resolv.conf",
             asks ? network::ResolverText(resolver, {}, device.resolv_conf) : device.resolv_conf});
    return files;
}

void AddNames(const Unit& unit, const DeviceFacts& device, std::vector<rootfs::BindMount>& binds) {
    for (const char* name : {"hosts", "resolv.conf"}) {
        if (name[0] == 'h' && !IsInNetworks(unit)) continue;
        const std::string path = Cat("/etc/", name);
        const bool taken =
            std::ranges::any_of(binds, [&](const auto& bind) { return bind.destination == path; });
        if (taken || (unit.container.no_dns && name[0] == 'r')) continue;
        binds.push_back(
            {.source = name[0] == 'h' ? HostsFile(unit, device) : ResolverFile(unit, device),
             .destination = path,
             .read_only = true,
             .no_exec = true,
             .is_directory = false});
    }
}

rootfs::RootFile FileOf(const std::string& parameter) {
    const size_t equals = parameter.find('=');
    std::string path = parameter.substr(0, equals);
    std::ranges::replace(path, '.', '/');
    return {"/proc/sys/" + path, parameter.substr(equals + 1)};
}

bool IsOfNetwork(const std::string& parameter) { return parameter.starts_with("net."); }

std::vector<rootfs::RootFile> KernelFiles(const Unit& unit) {
    std::vector<rootfs::RootFile> files;
    for (const auto& parameter : unit.container.sysctl)
        if (!IsInNetworks(unit) || !IsOfNetwork(parameter)) files.push_back(FileOf(parameter));
    return files;
}

void AddMounts(const Unit& unit, const DeviceFacts& device, const UnitFacts& facts,
               rootfs::RootSpec& root) {
    const bool map = root.tree_idmap;
    for (size_t i = 0; i < unit.container.volumes.size(); ++i) {
        const auto& volume = unit.container.volumes[i];
        root.binds.push_back({.source = VolumeSource(volume, device),
                              .destination = volume.destination,
                              .subpath = volume.subpath,
                              .read_only = volume.read_only,
                              .no_exec = volume.no_exec,
                              .no_suid = volume.no_suid,
                              .no_dev = volume.no_dev,
                              .recursive = volume.recursive,
                              .idmap = map && volume.idmap,
                              .is_directory = facts.volume_is_directory[i]});
    }
    for (size_t i = 0; i < unit.container.image_mounts.size(); ++i) {
        const auto& image = unit.container.image_mounts[i];
        root.binds.push_back({.source = facts.image_paths[i],
                              .destination = image.destination,
                              .subpath = image.subpath,
                              .read_only = true,
                              .no_exec = image.no_exec,
                              .idmap = map,
                              .is_directory = facts.image_is_directory[i]});
    }
    if (AccessInForce(unit) != config::NotifyAccess::kNone)
        root.binds.push_back({.source = Cat(device.run_directory, kNotifyFolder, "/", unit.name),
                              .destination = kNotifyPath,
                              .read_only = true,
                              .no_exec = true,
                              .is_directory = false});
    if (FollowsNames(unit)) AddNames(unit, device, root.binds);
    AddFolderMounts(unit, device, map, root.binds);
    AddSecretMounts(unit, device, root.binds);
    if (!facts.timezone.file.empty())
        root.binds.push_back({.source = facts.timezone.file,
                              .destination = "/etc/localtime",
                              .read_only = true,
                              .no_exec = true,
                              .is_directory = false});
    for (const auto& tmpfs : unit.container.tmpfs)
        root.tmpfs.push_back(
            {tmpfs.destination, tmpfs.size, tmpfs.mode, tmpfs.read_only, tmpfs.no_exec});
    if (!unit.container.read_only || !unit.container.read_only_tmpfs) return;
    auto taken = [&](std::string_view path) {
        auto is_there = [&](const auto& mount) { return mount.destination == path; };
        return std::ranges::any_of(root.binds, is_there) ||
               std::ranges::any_of(root.tmpfs, is_there);
    };
    for (const char* path : {"/tmp", "/var/tmp", "/run"})
        if (!taken(path))
            root.tmpfs.push_back(
                {.destination = path, .mode = std::string_view(path) == "/run" ? 0755u : 01777u});
}

std::vector<container::IdExtent> Extents(const std::vector<config::IdMapping>& map) {
    std::vector<container::IdExtent> extents;
    for (const auto& line : map) extents.push_back({line.inside, line.outside, line.count});
    return extents;
}

// Names that the container's passwd resolves are not known to the rules of config/.
Status CheckMapped(const Unit& unit, const ContainerSpec& spec) {
    auto check = [&](const std::vector<container::IdExtent>& map, uint32_t id,
                     const char* key) -> Status {
        if (container::OnDevice(map, id)) return {};
        return Fail(key, " ", std::to_string(id), " of ", Quote(unit.container.user),
                    " is not in the map of ids; add it to ",
                    std::string_view(key) == "user" ? "UIDMap=" : "GIDMap=");
    };
    HUSK_TRY(check(spec.user_namespace->users, spec.user.uid, "user"));
    HUSK_TRY(check(spec.user_namespace->groups, spec.user.gid, "group"));
    for (uint32_t group : spec.user.groups)
        HUSK_TRY(check(spec.user_namespace->groups, group, "group"));
    return {};
}

// config's paths have a leading '-' where they may be missing.
std::vector<container::LandlockPath> LandlockPaths(const std::vector<std::string>& texts) {
    std::vector<container::LandlockPath> paths;
    for (const auto& text : texts) {
        const bool optional = text.starts_with('-');
        paths.push_back({text.substr(optional), optional});
    }
    return paths;
}

void AddNamespaces(const config::ContainerSection& keys, const UnitFacts& facts,
                   ContainerSpec& spec) {
    if (!keys.uid_map.empty())
        spec.user_namespace = {Extents(keys.uid_map), Extents(keys.gid_map)};
    else if (keys.user_ns == config::UserNamespace::kAuto)
        spec.user_namespace = container::MapOf(facts.id_range);
    spec.private_pids = keys.private_pids;
    spec.private_ipc = keys.private_ipc;
    spec.private_mounts = keys.private_mounts;
    spec.private_host_name = keys.protect_hostname;
    spec.time_offset = keys.time_offset.count();
    switch (keys.network.kind) {
        case config::NetworkMode::Kind::kNone:
            spec.network = container::NetworkKind::kPrivate;
            break;
        case config::NetworkMode::Kind::kHost: spec.network = container::NetworkKind::kHost; break;
        case config::NetworkMode::Kind::kContainer:
        case config::NetworkMode::Kind::kMember:
            spec.network = container::NetworkKind::kJoin;
            break;
    }
}

std::vector<std::string> MaskedPaths(const Unit& unit, const std::vector<std::string>& defaults) {
    std::vector<std::string> paths;
    const auto& unmask = unit.container.unmask;
    auto unmasked = [&](const std::string& path) {
        return std::ranges::any_of(unmask, [&](const auto& word) {
            return word == "ALL" || word == "all" || word == path;
        });
    };
    for (const auto& path : defaults)
        if (!unmasked(path)) paths.push_back(path);
    return paths;
}

}  // namespace

std::vector<rootfs::RootFile> NetworkParameters(const Unit& unit) {
    std::vector<rootfs::RootFile> files;
    if (!IsInNetworks(unit)) return files;
    for (const auto& parameter : unit.container.sysctl)
        if (IsOfNetwork(parameter)) files.push_back(FileOf(parameter));
    return files;
}

Result<uint64_t> CapabilitySet(const Unit& unit) {
    uint64_t set = 0;
    auto apply = [&](const std::vector<std::string>& names, bool add) -> Status {
        for (const auto& name : names) {
            uint64_t bits = AllCapabilities();
            const bool all = name == "all" || name == "ALL";
            // What is added is added to what DropCapability=all leaves, as Podman has it.
            if (all && !add) continue;
            if (!all) {
                auto number = CapabilityNumber(name);
                if (!number) return Fail(std::move(number).error());
                bits = uint64_t{1} << *number;
            }
            set = add ? set | bits : set & ~bits;
        }
        return {};
    };
    HUSK_TRY(apply(unit.container.add_capability, true));
    HUSK_TRY(apply(unit.container.drop_capability, false));
    return set;
}

std::string HostNameOf(const Unit& unit) {
    const std::string& given = unit.container.host_name;
    return given.empty() ? unit.name.substr(0, 64) : given;
}

// By what the content hangs on, and not by the content: that changes while containers have it.
static std::string SharedFile(const DeviceFacts& device, const char* name, const Unit& unit,
                              const std::string& own) {
    uint64_t hash = HashOn(kHashSeed, own);
    for (const auto& member : unit.container.network.networks)
        hash = HashOn(HashOn(hash, member.network), "\n");
    return Cat(device.run_directory, kNetworkFolder, "/", name, "-", std::to_string(hash));
}

std::string HostsFile(const Unit& unit, const DeviceFacts& device) {
    std::string own;
    for (const auto& line : HostLinesOf(unit))
        own += Cat(line.address ? FormatAddress(*line.address) : "gateway", " ",
                   Join(line.names, " "), "\n");
    return SharedFile(device, "hosts", unit, own);
}

std::string ResolverFile(const Unit& unit, const DeviceFacts& device) {
    const auto wish = ResolverWishOf(unit);
    std::string own = Cat(Join(wish.search, " "), "\n", Join(wish.options, " "), "\n");
    for (const IpAddress& server : wish.servers) own += FormatAddress(server) + "\n";
    return SharedFile(device, "resolv.conf", unit, own);
}

bool FollowsNames(const Unit& unit) {
    return unit.container.network.kind != config::NetworkMode::Kind::kNone;
}

VolumeFolder NewVolumeFolder(const config::Volume& volume, const rootfs::UserIds& user) {
    return {.uid = volume.user == config::kUnitsOwn ? user.uid : volume.user,
            .gid = volume.group == config::kUnitsOwn ? user.gid : volume.group,
            .mode = volume.mode};
}

std::string VolumeSource(const config::Volume& volume, const DeviceFacts& device) {
    return volume.named ? VolumeFolderPath(volume.source, device) : volume.source;
}

std::string VolumeFolderPath(const std::string& name, const DeviceFacts& device) {
    return Cat(device.state_directory, "/volumes/", name);
}

std::string SharedFolderAround(std::string_view path, const DeviceFacts& device) {
    std::string_view around;
    for (const char* kind : {"/volumes/", "/state/", "/cache/", "/logs/"}) {
        const std::string all = device.state_directory + kind;
        if (path.starts_with(all)) around = path.substr(0, path.find('/', all.size()));
    }
    if (around.size() == path.size()) around = {};
    for (const std::string& folder : device.shared_folders)
        if (path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/' &&
            (around.empty() || folder.size() < around.size()))
            around = folder;
    return std::string(around);
}

std::optional<uint64_t> ResolveMemory(const config::MemoryLimit& limit, uint64_t memory_total) {
    switch (limit.kind) {
        case config::MemoryLimit::Kind::kUnset: return std::nullopt;
        case config::MemoryLimit::Kind::kBytes: return limit.value;
        case config::MemoryLimit::Kind::kPercent: return memory_total / 10'000 * limit.value;
        case config::MemoryLimit::Kind::kInfinity: return container::kNoLimit;
    }
    return std::nullopt;
}

container::CgroupLimits BuildLimits(const Unit& unit, const config::SystemConfig& system,
                                    const DeviceFacts& device, const UnitFacts& facts) {
    const auto& service = unit.service;
    container::CgroupLimits limits;
    auto memory = [&](const config::MemoryLimit& limit) {
        return ResolveMemory(limit, device.memory_total);
    };
    limits.memory_min = memory(service.memory_min);
    limits.memory_low = memory(service.memory_low);
    limits.memory_high = memory(service.memory_high);
    limits.memory_max = memory(service.memory_max);
    if (!limits.memory_max) limits.memory_max = memory(system.default_memory_max);
    if (!limits.memory_max && device.limits_memory)
        limits.memory_max = *memory(kDefaultMemoryMax) & ~uint64_t{0xfffff};  // whole pages
    limits.memory_swap_max = memory(service.memory_swap_max);
    limits.memory_zswap_max = memory(service.memory_zswap_max);
    uint64_t tasks = service.tasks_max.value_or(system.default_tasks_max);
    if (service.tasks_max_is_share)
        tasks = std::max<uint64_t>(device.tasks_total * tasks / 10'000, 1);
    // The kernel's default is no limit, so that nothing has to be written for it.
    if (tasks != config::kUnlimited) limits.tasks_max = tasks;
    if (service.cpu_quota) SetCpuQuota(service, limits);
    limits.cpu_weight = service.cpu_weight;
    limits.cpus = service.allowed_cpus;
    limits.memory_nodes = service.allowed_memory_nodes;
    limits.io_weight = service.io_weight;
    limits.io = facts.io;
    if (service.delegate)
        limits.delegate_to =
            !unit.container.uid_map.empty()
                ? container::OnDevice(Extents(unit.container.uid_map), 0).value_or(0)
            : unit.container.user_ns == config::UserNamespace::kAuto ? facts.id_range.base
                                                                     : 0;
    limits.oom_group = service.oom_policy == config::OomPolicy::kKill;
    return limits;
}

Result<ContainerSpec> BuildSpec(const Unit& unit, const config::SystemConfig& system,
                                const DeviceFacts& device, const UnitFacts& facts) {
    ContainerSpec spec;
    spec.name = unit.name;
    spec.host_name = unit.container.protect_hostname ? HostNameOf(unit) : facts.device_host_name;
    spec.argv = ExpandCommand(unit, facts.environment);
    spec.user = facts.user;
    if (!unit.container.working_dir.empty()) spec.working_dir = unit.container.working_dir;
    AddNamespaces(unit.container, facts, spec);
    if (spec.user_namespace) HUSK_TRY(CheckMapped(unit, spec));
    auto capabilities = CapabilitySet(unit);
    if (!capabilities) return Fail(std::move(capabilities).error());
    spec.capabilities = *capabilities;
    spec.no_new_privileges = unit.container.no_new_privileges;
    spec.limits = BuildLimits(unit, system, device, facts);
    if (!facts.off_device) {
        auto devices = BuildDeviceRules(unit, facts.devices);
        if (!devices) return Fail(std::move(devices).error());
        spec.devices = std::make_shared<container::DeviceRules>(std::move(*devices));
    }
    spec.landlock = {.read = LandlockPaths(unit.container.landlock_read_paths),
                     .write = LandlockPaths(unit.container.landlock_write_paths),
                     .bind_ports = unit.container.landlock_bind_ports,
                     .abi = device.landlock_abi};
    spec.resource_limits = ResourceLimits(unit, device);
    spec.nice = unit.service.nice;
    spec.scheduling_policy = SchedulerOf(unit.service.scheduling_policy);
    spec.scheduling_priority = unit.service.scheduling_priority;
    spec.io_class = unit.service.io_class;
    spec.oom_score_adjust = unit.service.oom_score_adjust.value_or(0);
    spec.umask = unit.service.umask;
    spec.environment = Environment(unit, facts, spec);

    rootfs::RootSpec& root = spec.root;
    root.kind = facts.tree.empty() ? rootfs::RootKind::kSkeleton : rootfs::RootKind::kTree;
    root.tree = facts.tree;
    root.tree_name = unit.container.image.empty() ? Cat("rootfs ", Quote(unit.container.rootfs))
                                                  : Cat("image ", Quote(unit.container.image));
    root.tree_idmap = spec.user_namespace.has_value();
    root.volatile_overlay =
        unit.container.overlay == config::OverlayMode::kVolatile || unit.container.rootfs_overlay;
    root.overlay_size = unit.container.overlay_size;
    if (unit.container.overlay == config::OverlayMode::kVolume)
        root.overlay_folder = VolumeFolderPath(unit.container.overlay_volume, device);
    root.read_only =
        unit.container.read_only && !root.volatile_overlay && root.overlay_folder.empty();
    root.files = RootFiles(unit, spec, device);
    root.kernel_files = KernelFiles(unit);
    root.masked = MaskedPaths(unit, rootfs::DefaultMaskedPaths());
    root.masked.insert(root.masked.end(), unit.container.mask.begin(), unit.container.mask.end());
    root.protected_paths = MaskedPaths(unit, rootfs::DefaultProtectedPaths());
    root.device_tree = device.run_directory + "/dev";
    uint32_t uid = facts.user.uid, gid = facts.user.gid;
    if (spec.user_namespace) {
        // CheckMapped() has looked.
        uid = container::OnDevice(spec.user_namespace->users, uid).value_or(uid);
        gid = container::OnDevice(spec.user_namespace->groups, gid).value_or(gid);
    }
    root.device_nodes = BuildDeviceNodes(facts.devices, uid, gid);
    root.staging = device.run_directory + "/root";
    root.shm_size = unit.container.shm_size;
    root.own_network = spec.network == container::NetworkKind::kPrivate;
    root.kept_network = IsInNetworks(unit);
    root.own_ipc = spec.private_ipc;
    root.own_pids = spec.private_pids;
    root.writable_cgroup = unit.service.delegate;
    constexpr uint32_t kTtyGroup = 5;
    root.tty_group =
        !spec.user_namespace || container::OnDevice(spec.user_namespace->groups, kTtyGroup);
    AddMounts(unit, device, facts, root);
    return spec;
}

}  // namespace husk::supervisor
