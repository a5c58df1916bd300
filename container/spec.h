// What one container is to be: plain data, made by the supervisor from a unit (or by another front
// end from an OCI bundle), turned into a Plan beforehand and started by Launch().
#pragma once

#include <cstdint>
#include <linux/filter.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "rootfs/tree.h"
#include "rootfs/users.h"

namespace husk::container {

// A container's ids 0..count-1 are the device's base..base+count-1 (user_namespaces(7)).
struct IdRange {
    uint32_t base = 0;
    uint32_t count = 65536;
};

inline constexpr uint64_t kNoLimit = UINT64_MAX;

// cgroup v2 limits, as written to the attribute files: bytes, microseconds, counts. Unset = left to
// the kernel's default; kNoLimit = "max".
struct CgroupLimits {
    std::optional<uint64_t> memory_min, memory_low, memory_high, memory_max, memory_swap_max;
    std::optional<uint64_t> tasks_max;
    std::optional<uint64_t> cpu_quota_us;  // with cpu_period_us
    uint64_t cpu_period_us = 100'000;
    std::optional<uint32_t> cpu_weight;  // 0 = idle (cpu.idle)
    std::optional<std::string> cpus;
    bool oom_group = true;  // the whole container goes, not one process of it
};

struct ResourceLimit {
    int resource = 0;  // RLIMIT_*
    uint64_t soft = 0, hard = 0;
};

enum class NetworkKind {
    kPrivate,  // a new namespace with loopback up
    kHost,
    kJoin,  // that of the process `join_pid`
};

using FilterProgram = std::vector<sock_filter>;

struct ContainerSpec {
    std::string name;  // for messages
    std::string host_name;
    rootfs::RootSpec root;
    std::vector<std::string> argv;
    std::vector<std::string> environment;  // NAME=VALUE, whole
    std::string working_dir = "/";
    rootfs::UserIds user;                   // in the container's ids
    std::optional<IdRange> user_namespace;  // nothing = the device's
    bool private_pids = true, private_ipc = true;
    NetworkKind network = NetworkKind::kPrivate;
    uint64_t capabilities = 0;  // bit n = capability n
    bool no_new_privileges = true;
    std::shared_ptr<const FilterProgram> filter;  // nothing = none
    CgroupLimits limits;
    std::vector<ResourceLimit> resource_limits;
    int nice = 0;
    int oom_score_adjust = 0;
    unsigned umask = 0022;
};

}  // namespace husk::container
