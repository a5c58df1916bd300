// What one container is to be: plain data, made by the supervisor from a unit (or by another front
// end from an OCI bundle), turned into a Plan beforehand and started by Launch().
#pragma once

#include <cstdint>
#include <linux/filter.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/rare.h"
#include "container/device_filter.h"
#include "rootfs/tree.h"
#include "rootfs/users.h"

namespace husk::container {

// A container's ids 0..count-1 are the device's base..base+count-1 (user_namespaces(7)).
struct IdRange {
    uint32_t base = 0;
    uint32_t count = 65536;
};

// `count` ids from `inside` on are the device's from `outside` on.
struct IdExtent {
    uint32_t inside = 0, outside = 0, count = 0;
    friend bool operator==(const IdExtent&, const IdExtent&) = default;
};
// What uid_map and gid_map are to say: at most 340 extents each, without overlaps, id 0 inside.
struct IdMap {
    std::vector<IdExtent> users, groups;
};

inline constexpr uint64_t kNoLimit = UINT64_MAX;

// Of a whole disk, as io.max takes it: bytes and operations a second, kNoLimit = "max".
struct IoMax {
    uint32_t major = 0, minor = 0;
    uint64_t read_bytes = kNoLimit, write_bytes = kNoLimit;
    uint64_t reads = kNoLimit, writes = kNoLimit;
    friend bool operator==(const IoMax&, const IoMax&) = default;
};

// cgroup v2 limits, as written to the attribute files: bytes, microseconds, counts. Unset = left to
// the kernel's default; kNoLimit = "max".
struct CgroupLimits {
    std::optional<uint64_t> memory_min, memory_low, memory_high, memory_max, memory_swap_max,
        memory_zswap_max;
    std::optional<uint64_t> tasks_max;
    std::optional<uint64_t> cpu_quota_us;  // with cpu_period_us
    uint64_t cpu_period_us = 100'000;
    std::optional<uint32_t> cpu_weight;  // 0 = idle (cpu.idle)
    Boxed<std::string> cpus, memory_nodes;
    std::optional<uint32_t> io_weight;  // 1..10000
    std::vector<IoMax> io;              // one for each disk
    bool oom_group = true;              // the whole container goes, not one process of it
    // The container's root, as the device numbers it, may make cgroups below the leaf.
    std::optional<uint32_t> delegate_to;
};

struct ResourceLimit {
    int resource = 0;  // RLIMIT_*
    uint64_t soft = 0, hard = 0;
};

enum class NetworkKind {
    kPrivate,  // a new namespace with loopback up
    kHost,
    kJoin,  // one that is there: LaunchInput::join_network
};

// Landlock (landlock(7)): where a list is not empty, what it is about is refused but for that.
struct LandlockPath {
    std::string path;       // in the container
    bool optional = false;  // may be missing
};
struct LandlockSpec {
    std::vector<LandlockPath> read, write;  // what may be written may be read, too
    std::vector<uint16_t> bind_ports;       // TCP
    int abi = 0;  // of the kernel at hand (LandlockAbi() of landlock.h); 0: it has none
    bool IsGiven() const { return !read.empty() || !write.empty() || !bind_ports.empty(); }
};

using FilterProgram = std::vector<sock_filter>;

// What each process of it has.
struct ContainerSettings {
    std::string name;  // for messages
    std::string host_name;
    rootfs::UserIds user;                 // in the container's ids, and in the map
    std::optional<IdMap> user_namespace;  // nothing = the device's
    bool private_pids = true, private_ipc = true;
    // Without mounts of its own there is no root of its own either: `root` is passed over.
    bool private_mounts = true;
    bool private_host_name = true;
    // Of an own time namespace's monotonic and boot clocks, in nanoseconds; 0 = the device's
    // clocks.
    int64_t time_offset = 0;
    NetworkKind network = NetworkKind::kPrivate;
    uint64_t capabilities = 0;  // bit n = capability n
    bool no_new_privileges = true;
    std::shared_ptr<const FilterProgram> filter;  // nothing = none
    CgroupLimits limits;
    std::shared_ptr<const DeviceRules> devices;  // nothing: whatever its leaf lets through
    std::vector<ResourceLimit> resource_limits;
    int nice = 0;
    int scheduling_policy = 0;    // SCHED_*; 0 = SCHED_OTHER, what the supervisor has
    int scheduling_priority = 0;  // SCHED_FIFO, SCHED_RR
    std::optional<int> io_class;  // IOPRIO_CLASS_*
    int oom_score_adjust = 0;
    unsigned umask = 0022;
};

struct ContainerSpec : ContainerSettings {
    rootfs::RootSpec root;
    std::vector<std::string> argv;
    std::vector<std::string> environment;  // NAME=VALUE, whole
    std::string working_dir = "/";
    LandlockSpec landlock;
};

}  // namespace husk::container
