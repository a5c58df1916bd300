// A unit as its file says it, typed: what the key table (config/keys.h) fills and everything after
// it reads. Plain data; defaults are the values written here. Vocabulary: docs/husk.units.5.
//
// Units of measure: sizes in bytes, times in nanoseconds (Duration, kInfinite = "infinity"),
// CPU quota in hundredths of a percent of one CPU, weights as in cgroup v2.
#pragma once

#include <cstdint>

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ip_address.h"
#include "base/rare.h"
#include "base/time.h"
#include "config/unit_life.h"

namespace husk::config {

// Where a problem is, for messages.
struct Location {
    std::string file;
    int line = 0;
};

// One key that the files gave.
struct GivenKey {
    uint16_t key = 0;  // KeyName(key) of config/keys.h: "Container.Memory"
    Place at;          // of its last assignment
    // Of the whole value: every assignment of a list, specifiers expanded. Two units with equal
    // digests say the same with that key.
    uint64_t digest = 0;
};

// "infinity" for memory and tasks limits.
inline constexpr uint64_t kUnlimited = UINT64_MAX;

// A size limit: bytes, or a share of physical memory in hundredths of a percent. The share is
// resolved on the device, since the same file is checked on a build host with other memory.
struct MemoryLimit {
    enum class Kind { kUnset, kBytes, kPercent, kInfinity } kind = Kind::kUnset;
    uint64_t value = 0;
    friend bool operator==(const MemoryLimit&, const MemoryLimit&) = default;
};

// LogDriver=: whether what the program writes goes where StandardOutput= says, or nowhere.
enum class LogDriver : uint8_t { kPassthrough, kNone };

struct UnitSection {
    std::string description;
    List<std::string> documentation;
    // Names of units without ".container", in the order of the file.
    List<std::string> after, before, wants, requires_, binds_to, part_of, conflicts;
    List<std::string> on_failure, on_success;
    bool after_online = false, wants_online = false, requires_online = false;  // kOnlineTarget
    List<Condition> conditions;
    Duration start_limit_interval = std::chrono::seconds(10);
    int start_limit_burst = 0;  // 0: no limit
    UnitAction start_limit_action = UnitAction::kNone;
    UnitAction failure_action = UnitAction::kNone, success_action = UnitAction::kNone;
    Duration job_timeout = kInfinite;  // how long a start may wait for other units
    bool critical = false;
    Duration critical_allowance = std::chrono::minutes(1);
    friend bool operator==(const UnitSection&, const UnitSection&) = default;
};

enum class OverlayMode { kNone, kVolatile, kVolume };
inline constexpr uint64_t kDefaultOverlaySize = 64ull << 20;

// Of a new volume's folder: the id is the unit's.
inline constexpr uint32_t kUnitsOwn = UINT32_MAX;

struct Volume {
    std::string source;       // absolute host path, or the name of a named volume
    bool named = false;       // NAME or NAME.volume: a directory under the state folder
    std::string subpath;      // what of it is mounted, without a '/' in front; empty: the whole
    std::string destination;  // absolute, normalised
    bool read_only = false;
    bool no_exec = false, no_suid = true, no_dev = true;
    bool recursive = false;  // rbind
    bool idmap = true;       // owners on disk are the container's ids; `noidmap` turns it off
    // Of the folder of a new named volume: what its NAME.volume says.
    uint32_t user = kUnitsOwn, group = kUnitsOwn;
    unsigned mode = 0755;
    Place at;
    friend bool operator==(const Volume&, const Volume&) = default;
};

struct TmpfsMount {
    std::string destination;
    uint64_t size = 0;  // bytes, 0 = the kernel's default
    unsigned mode = 01777;
    bool read_only = false, no_exec = false;  // nosuid and nodev always
    Place at;
    friend bool operator==(const TmpfsMount&, const TmpfsMount&) = default;
};

// Mount=, until the unit is whole: then it is among the volumes, image mounts or tmpfs.
struct MountSpec {
    enum class Kind { kBind, kTmpfs, kVolume, kImage } kind = Kind::kBind;
    Volume volume;  // kImage: `source` is the image's name
    TmpfsMount tmpfs;
    Place at;
    friend bool operator==(const MountSpec&, const MountSpec&) = default;
};

enum class UserNamespace { kAuto, kHost };

using MacAddress = std::array<uint8_t, 6>;

enum class NetworkDriver : uint8_t { kBridge, kMacvlan, kIpvlan };
const char* NetworkDriverName(NetworkDriver driver);

// Network=NAME.network[:OPTION[,OPTION…]]: the unit is a member of that network. Or it has a link
// upon one of the device's, without a file: Network=macvlan:LINK[:OPTION[,OPTION…]].
struct NetworkMembership {
    std::string network;                // "NAME", or "macvlan:LINK"
    std::string parent;                 // LINK, where there is no file
    NetworkDriver driver = {};          // the file's, once that is known
    std::optional<IpAddress> ip4, ip6;  // nothing: given out by husk
    // Only without a file.
    unsigned length4 = 0, length6 = 0;
    std::optional<IpAddress> gateway4, gateway6;
    uint32_t mtu = 0;
    std::optional<MacAddress> mac;
    std::vector<std::string> aliases;
    std::string interface_name;  // in the container; empty: eth0, eth1, …
    Place at;
    friend bool operator==(const NetworkMembership&, const NetworkMembership&) = default;
};

struct NetworkMode {
    enum class Kind { kNone, kHost, kContainer, kMember } kind = Kind::kNone;
    Text unit;                         // kContainer: that unit's name
    bool requires_only_here = false;   // kContainer: no other key ties it to that unit
    List<NetworkMembership> networks;  // kMember
    // The unit is in the same namespace again after a restart. With "none" it has a new one.
    bool OutlivesRestarts() const { return kind != Kind::kNone; }
    friend bool operator==(const NetworkMode&, const NetworkMode&) = default;
};

// A line of /etc/hosts.
struct HostEntry {
    std::vector<std::string> names;
    std::optional<IpAddress> address;  // none: "host-gateway"
    friend bool operator==(const HostEntry&, const HostEntry&) = default;
};

struct IpRange {
    IpAddress first, last;
    friend bool operator==(const IpRange&, const IpRange&) = default;
};

// `count` ids of the container from `inside` on are the device's from `outside` on.
struct IdMapping {
    uint32_t inside = 0, outside = 0, count = 1;
    Place at;
    friend bool operator==(const IdMapping&, const IdMapping&) = default;
};

enum class PortProtocol : uint8_t { kTcp, kUdp, kSctp };

// Ports of the device that lead to as many of the container's.
struct PublishedPort {
    std::optional<IpAddress> address;  // none: every address of the device
    uint16_t host = 0;                 // the first of them; 0: free ones are chosen
    uint16_t container = 0;
    uint16_t count = 1;
    PortProtocol protocol = PortProtocol::kTcp;
    Place at;
    friend bool operator==(const PublishedPort&, const PublishedPort&) = default;
};

// One assignment of SystemCallFilter=.
struct SystemCallList {
    bool deny = false;  // a leading '~': these are taken away
    struct Entry {
        std::string name;          // of a call, or of a group with its '@'
        std::optional<int> error;  // NAME:ERROR: what the refused call returns; 0: it kills
        friend bool operator==(const Entry&, const Entry&) = default;
    };
    std::vector<Entry> entries;
    Place at;
    friend bool operator==(const SystemCallList&, const SystemCallList&) = default;
};

struct DeviceAccess {
    bool read = false, write = false, make = false;
    friend bool operator==(const DeviceAccess&, const DeviceAccess&) = default;
};

// A device node of the device in the container.
struct DeviceMapping {
    std::string source, destination;  // absolute
    DeviceAccess access;
    bool optional = false;  // a leading '-': left out where it is missing
    Place at = {};
    friend bool operator==(const DeviceMapping&, const DeviceMapping&) = default;
};

// Which devices may be opened: one node, or a class of /proc/devices.
struct DeviceRule {
    enum class Kind { kNode, kCharacterClass, kBlockClass } kind = Kind::kNode;
    std::string name;  // a path, or the class's name; '*' and '?' match in names of classes
    DeviceAccess access;
    friend bool operator==(const DeviceRule&, const DeviceRule&) = default;
};

// What a unit may take of a block device, or of the one that a file lies on.
struct IoLimit {
    std::string path;
    uint64_t most = 0;  // bytes or operations a second; kUnlimited
    friend bool operator==(const IoLimit&, const IoLimit&) = default;
};

struct ContainerSection {
    std::string image;            // name or absolute path
    Text image_verity;            // root hash, or the absolute path of a file with one
    Text rootfs;                  // absolute path of a directory
    bool rootfs_overlay = false;  // Rootfs=PATH:O
    List<std::string> entrypoint, exec;
    Text working_dir;                     // empty: "/"
    List<std::string> environment;        // NAME=VALUE, a later one replaces an earlier one
    List<std::string> environment_files;  // paths; "-/path" may be missing
    bool environment_host = false;
    Text timezone;  // empty: UTC; "local": the device's
    bool run_init = false;
    List<SecretSpec> secrets;
    HealthSection health;
    NotifyMode notify = NotifyMode::kNo;
    Text container_name;
    List<std::string> labels, annotations;  // NAME=VALUE
    LogDriver log_driver = LogDriver::kPassthrough;
    List<std::string> log_options;  // NAME=VALUE
    Text user, group;               // name or number, empty: 0
    List<std::string> group_add;
    Text host_name;  // empty: the unit's name
    List<Volume> volumes;
    List<Volume> image_mounts;  // `source` is the image's name
    List<TmpfsMount> tmpfs;
    List<DeviceMapping> devices;
    List<MountSpec> mounts;
    uint64_t shm_size = 64ull << 20;
    bool read_only = true;
    bool read_only_tmpfs = true;  // tmpfs on /tmp, /run, /var/tmp where the root is read-only
    OverlayMode overlay = OverlayMode::kNone;
    uint64_t overlay_size = kDefaultOverlaySize;        // kVolatile
    Text overlay_volume;                                // kVolume: its name
    List<std::string> mask, unmask;                     // paths; unmask "ALL" drops every default
    List<std::string> add_capability, drop_capability;  // "CAP_…"; drop may be "all"
    bool no_new_privileges = true;
    List<SystemCallList> system_calls;  // none: the default profile
    int system_call_error = 1;          // errno, EPERM; 0: a refused call kills
    Text seccomp_profile;               // absolute path of a file
    UserNamespace user_ns = UserNamespace::kAuto;
    // Explicit maps; both or none of them, once rules.cc has seen the unit. UserNS= is not given
    // then.
    List<IdMapping> uid_map, gid_map;
    bool private_pids = true, private_ipc = true, private_mounts = true, protect_hostname = true;
    Duration time_offset{};                                       // 0: the device's clocks
    List<std::string> landlock_read_paths, landlock_write_paths;  // "-/path": may be missing
    List<uint16_t> landlock_bind_ports;
    List<std::string> sysctl;  // NAME=VALUE, with dots
    NetworkMode network;
    std::optional<IpAddress> ip4, ip6;  // on the one network; see NetworkMembership
    List<std::string> network_aliases;
    List<PublishedPort> publish_ports;
    List<IpAddress> dns;
    bool no_dns = false;           // DNS=none: resolv.conf is left as it is
    List<std::string> dns_search;  // "" is "."
    List<std::string> dns_options;
    List<HostEntry> hosts;
    friend bool operator==(const ContainerSection&, const ContainerSection&) = default;
};

enum class ServiceType { kExec, kSimple, kOneshot, kNotify, kNotifyReload };
enum class RestartPolicy {
    kNo,
    kOnSuccess,
    kOnFailure,
    kOnAbnormal,
    kOnAbort,
    kAlways,
    kOnWatchdog
};
// Whether units that depend on this one see its automatic restarts.
enum class RestartMode { kNormal, kDirect };
enum class KillMode { kControlGroup, kMixed, kProcess };
enum class OomPolicy { kContinue, kStop, kKill };
enum class DevicePolicy { kClosed, kStrict };
enum class SchedulingPolicy { kOther, kBatch, kIdle, kFifo, kRoundRobin };
enum class OutputTarget { kLog, kNull, kConsole };

// Exit codes and signals, as RestartPreventExitStatus= and its kin list them.
struct ExitStatusSet {
    List<int> codes, signals;
    friend bool operator==(const ExitStatusSet&, const ExitStatusSet&) = default;
};

// RLIMIT_* by number; kUnlimited = RLIM_INFINITY.
struct ResourceLimit {
    uint64_t soft = 0, hard = 0;
    friend bool operator==(const ResourceLimit&, const ResourceLimit&) = default;
};

struct ServiceSection {
    ServiceType type = ServiceType::kExec;
    RestartPolicy restart = RestartPolicy::kOnFailure;
    Duration restart_sec = std::chrono::milliseconds(100);
    Duration restart_max_delay = std::chrono::seconds(30);
    int restart_steps = 8;  // exponential from restart_sec to restart_max_delay
    ExitStatusSet restart_prevent, restart_force, success;
    bool remain_after_exit = false;
    // Run in containers of the same plan: before the start, after the end; inside the running one:
    // the others.
    List<ServiceCommand> exec_condition, exec_start_pre, exec_start_post, exec_reload, exec_stop,
        exec_stop_post;
    RestartMode restart_mode = RestartMode::kNormal;
    std::optional<Duration> timeout_start, timeout_stop;  // unset: system.conf's default
    std::optional<Duration> timeout_abort;                // unset: timeout_stop
    Duration runtime_max = kInfinite;
    std::optional<int> restart_kill_signal;  // unset: kill_signal
    int final_kill_signal = 9;
    bool send_sighup = false;
    std::optional<int> reload_signal;  // ReloadSignal=; unset: SIGHUP of Type=notify-reload
    Duration watchdog = kInfinite;     // 0: off as well
    int watchdog_signal = 6;
    std::optional<NotifyAccess> notify_access;  // unset: main where the unit notifies
    std::optional<int> notify_fd;
    ServiceDirectories state_directory, cache_directory, logs_directory, runtime_directory;
    // Neither: no limit; one alone: journald's default for the other; 0: no limit.
    std::optional<Duration> log_rate_limit_interval;
    std::optional<int64_t> log_rate_limit_burst;
    Text syslog_identifier;
    List<Credential> credentials;
    KillMode kill_mode = KillMode::kControlGroup;
    int kill_signal = 15;  // SIGTERM
    bool send_sigkill = true;
    MemoryLimit memory_min, memory_low, memory_high, memory_max, memory_swap_max, memory_zswap_max;
    std::optional<uint32_t> cpu_quota;  // hundredths of a percent of one CPU
    Duration cpu_quota_period = std::chrono::milliseconds(100);
    std::optional<uint32_t> cpu_weight;  // 1..10000; 0 = idle
    Boxed<std::string> allowed_cpus, allowed_memory_nodes;
    std::optional<uint32_t> io_weight;  // 1..10000
    List<IoLimit> io_read_bandwidth, io_write_bandwidth, io_read_iops, io_write_iops;
    std::optional<uint64_t> tasks_max;  // kUnlimited = infinity; unset: system.conf's default
    bool tasks_max_is_share = false;    // hundredths of a percent of what the device takes
    bool delegate = false;
    DevicePolicy device_policy = DevicePolicy::kClosed;
    List<DeviceRule> device_allow;
    OomPolicy oom_policy = OomPolicy::kKill;
    std::map<int, ResourceLimit> limits;  // RLIMIT_* -> values
    int nice = 0;
    SchedulingPolicy scheduling_policy = SchedulingPolicy::kOther;
    int scheduling_priority = 0;  // kFifo, kRoundRobin: 1..99
    std::optional<int> io_class;  // IOPRIO_CLASS_*
    std::optional<int> oom_score_adjust;
    unsigned umask = 0022;
    OutputTarget standard_output = OutputTarget::kLog;
    OutputTarget standard_error = OutputTarget::kLog;
    friend bool operator==(const ServiceSection&, const ServiceSection&) = default;
};

struct InstallSection {
    bool enabled = true;  // starts at boot
    friend bool operator==(const InstallSection&, const InstallSection&) = default;
};

struct Unit {
    std::string name;  // "web" of web.container
    std::string path;  // the main file
    UnitSection unit;
    ContainerSection container;
    ServiceSection service;
    InstallSection install;
    TimerSection timer;
    SocketSection socket;
    std::vector<std::string> drop_ins;  // paths of those that were read, as merged
    std::vector<GivenKey> given;        // sorted by key

    Location LocationOf(Place place) const;

    // The whole command: Entrypoint= and Exec=.
    std::vector<std::string> Command() const;
};

// A value of NAME.network with the place that it comes from.
template <typename T>
struct Placed {
    T value = {};
    Place at;
    friend bool operator==(const Placed&, const Placed&) = default;
};

// NAME.network
struct NetworkDefinition {
    std::string name, path;
    std::string description;
    std::vector<Placed<IpPrefix>> subnets;    // at most one of each family
    std::vector<Placed<IpAddress>> gateways;  // the same
    std::vector<Placed<IpRange>> ranges;      // the same
    bool ipv6 = false;
    bool internal = false;
    NetworkDriver driver = NetworkDriver::kBridge;
    uint32_t mtu = 0;    // Options=mtu=; 0: 1500, or the parent's
    std::string parent;  // Options=parent=: the link of the device that it stands upon
    std::vector<IpAddress> dns;
    std::vector<std::string> drop_ins;
    std::vector<GivenKey> given;  // sorted by key

    Location LocationOf(Place place) const;
};

// NAME.volume: what its folder is like when it is made.
struct VolumeDefinition {
    std::string name, path;
    std::string description;
    uint32_t user = kUnitsOwn, group = kUnitsOwn;  // as the container numbers them
    unsigned mode = 0755;
    std::vector<std::string> drop_ins;
    std::vector<GivenKey> given;  // sorted by key
};

// Route= of the device.
struct DeviceRoute {
    IpPrefix destination;
    std::optional<IpAddress> gateway;  // none: it is on the link itself
    friend bool operator==(const DeviceRoute&, const DeviceRoute&) = default;
};

// A link of the device, or several: Link= and the keys behind it.
struct LinkDefinition {
    std::string match;  // a name or a pattern; empty: Link= has an error
    Place at;
    std::vector<Placed<IpPrefix>> addresses;
    std::vector<Placed<IpAddress>> gateways;
    std::vector<Placed<DeviceRoute>> routes;
    std::vector<IpAddress> dns;
    std::vector<std::string> dns_search;
    uint32_t mtu = 0;               // 0: as it is
    std::optional<bool> accept_ra;  // nothing: as the kernel has it
    bool required = true;           // RequiredForOnline=
};

inline constexpr unsigned long kDefaultMountFlags = 2 | 4;  // MS_NOSUID, MS_NODEV

// As mount(8) has them: those for every file system as flags of mount(2), the others as text.
struct MountOptions {
    unsigned long flags = kDefaultMountFlags;
    std::string data;
    friend bool operator==(const MountOptions&, const MountOptions&) = default;
};

// A file system of the device: Where= and the keys behind it.
struct DeviceMount {
    enum class Check : uint8_t { kNo, kPreen, kRepair };  // fsck.repair= of systemd-fsck(8)

    std::string where;  // empty: Where= has an error
    Place at;
    std::string what;  // a path in /dev or TAG=VALUE; of tmpfs anything
    std::string type;  // empty: as its superblock says
    MountOptions options;
    Duration timeout = std::chrono::seconds(10);
    Check check = Check::kPreen;
    bool make = false, grow = false;
};

// Nodes in /dev: Node= and the keys behind it.
struct DeviceNode {
    std::string match;  // below /dev, a name or a pattern; empty: Node= has an error
    Place at;
    std::string user, group;  // names of the device's own passwd and group, or numbers
    std::optional<unsigned> mode;
    std::string link;  // below /dev
};

// As console= of the kernel's command line.
struct Terminal {
    std::string path;    // empty: the kernel's own console
    uint32_t speed = 0;  // of a serial line, in bits a second; 0: as it is
    friend bool operator==(const Terminal&, const Terminal&) = default;
};

// /etc/husk/system.conf
struct SystemConfig {
    std::string hostname;
    std::string timezone;  // as Timezone= of a unit, but for "local"; empty: as the image has it
    Terminal console;
    std::vector<std::string> kernel_modules;
    std::vector<std::string> sysctl;  // NAME=VALUE
    std::string rescue_password;      // as crypt(3) makes it; empty: no rescue
    std::string state_device;         // as DeviceMount::what; empty: none
    std::string state_filesystem = "ext4";
    MemoryLimit default_memory_max;  // unset: see supervisor/spec_builder.cc
    uint64_t default_tasks_max = 512;
    UnitAction crash_action = UnitAction::kReboot, burst_action = UnitAction::kReboot;
    std::string watchdog_device = "/dev/watchdog0";
    Duration runtime_watchdog = std::chrono::seconds(30);  // kInfinite: off, as in the others
    Duration runtime_watchdog_pre = kInfinite;
    std::string runtime_watchdog_pre_governor;  // empty: the kernel's
    Duration reboot_watchdog = kInfinite;       // as the device is set
    Duration watchdog_probe = std::chrono::minutes(1);
    uint32_t watchdog_memory_pressure = 9000;  // hundredths of a percent; 0: off
    Duration default_timeout_start = std::chrono::seconds(10);
    Duration default_timeout_stop = std::chrono::seconds(10);
    uint64_t log_buffer_size = 256ull << 10;                           // bytes for each unit
    MemoryLimit log_buffer_max = {MemoryLimit::Kind::kPercent, 1000};  // of all units
    bool coldplug = true;
    std::vector<LinkDefinition> links;  // of [Network]
    std::vector<DeviceMount> mounts;    // of [Mounts]
    std::vector<DeviceNode> nodes;      // of [Devices]
    std::vector<GivenKey> given;        // sorted by key
};

}  // namespace husk::config
