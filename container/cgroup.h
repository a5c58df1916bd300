// cgroup v2 leaves of containers (Documentation/admin-guide/cgroup-v2.rst).
#pragma once

#include <cstdint>

#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "container/spec.h"

namespace husk::container {

struct CgroupAttribute {
    std::string file, value;
    std::string key;  // the unit file's word for it, for messages
    friend bool operator==(const CgroupAttribute&, const CgroupAttribute&) = default;
};
// Pure: what to write, in order.
std::vector<CgroupAttribute> CgroupAttributes(const CgroupLimits& limits);
// Pure: the kernel's defaults, for what a leaf in use may still have from earlier limits.
std::vector<CgroupAttribute> CgroupDefaults(const CgroupLimits& limits);

struct CgroupUsage {
    std::optional<uint64_t> memory_current, memory_peak, memory_max, tasks_current, tasks_max,
        cpu_usec;
};

// One leaf. The object does not own it: leaves outlive the supervisor.
class Cgroup {
  public:
    explicit Cgroup(std::string path) : path_(std::move(path)) {}

    const std::string& path() const { return path_; }
    // Makes the leaf, or takes one that is there, and writes the limits. A limit that the kernel
    // does not take is an error: nothing is silently weaker.
    Status Create(const CgroupLimits& limits);
    // Other limits for a leaf in use; what is not limited any more has the kernel's default.
    Status Change(const CgroupLimits& limits) const;
    Result<OwnedFd> Open() const;        // for CLONE_INTO_CGROUP
    Result<OwnedFd> OpenEvents() const;  // cgroup.events: EPOLLPRI when "populated" changes
    Status Kill() const;                 // cgroup.kill: SIGKILL to every process
    Status SignalAll(int signal) const;  // one by one: what forks meanwhile may be missed
    bool Exists() const;
    bool IsPopulated() const;   // false where the leaf is gone
    uint64_t OomKills() const;  // memory.events, oom_kill; 0 where unknown
    CgroupUsage Usage() const;
    // rmdir. EBUSY for a while after the last process went: try again.
    Status Remove() const;

  private:
    Status WriteLimits(const CgroupLimits& limits) const;

    std::string path_;
};

// The number after `key` in a "key value" file such as memory.events or cgroup.events.
std::optional<uint64_t> FindCount(std::string_view file, std::string_view key);

}  // namespace husk::container
