// cgroup v2 leaves of containers (Documentation/admin-guide/cgroup-v2.rst).
#pragma once

#include <cstdint>
#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/pressure.h"
#include "container/spec.h"

namespace husk::container {

struct CgroupAttribute {
    std::string file, value;
    std::string key;  // the unit file's word for it, for messages
    // A second file that says the same to another part of the kernel: each is written where it is
    // there, and one must be.
    std::string other_file = {}, other_value = {};
    friend bool operator==(const CgroupAttribute&, const CgroupAttribute&) = default;
};
// Pure: what to write, in order.
std::vector<CgroupAttribute> CgroupAttributes(const CgroupLimits& limits);
// Pure: the kernel's defaults, for what a leaf in use may still have from earlier limits. `io_max`
// is the leaf's io.max as it is.
std::vector<CgroupAttribute> CgroupDefaults(const CgroupLimits& limits, std::string_view io_max);
// Pure: the option that a kernel without such a file lacks, for messages.
const char* KernelOptionOf(std::string_view file);

struct CgroupUsage {
    std::optional<uint64_t> memory_current, memory_peak, memory_high, memory_max, tasks_current,
        tasks_max, cpu_usec;
};

// What it waited for and moved; what the kernel does not count is not there.
struct CgroupLoad {
    Pressure cpu, memory, io;
    std::optional<IoCounts> disks;
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
    // Which devices may be opened in it, from now on: BPF_PROG_TYPE_CGROUP_DEVICE.
    Status LimitDevices(int program) const;
    Result<OwnedFd> Open() const;              // for CLONE_INTO_CGROUP
    Result<OwnedFd> OpenEvents() const;        // cgroup.events: EPOLLPRI when "populated" changes
    Result<OwnedFd> OpenMemoryEvents() const;  // memory.events: EPOLLPRI when a count rises
    Status Kill() const;                       // cgroup.kill: SIGKILL to every process
    Status SignalAll(int signal) const;        // one by one: what forks meanwhile may be missed
    // Of the leaf and of what the container made below it.
    std::vector<pid_t> Processes() const;
    bool Exists() const;
    bool IsPopulated() const;   // false where the leaf is gone
    uint64_t OomKills() const;  // memory.events, oom_kill; 0 where unknown
    std::optional<uint64_t> MemoryCurrent() const;
    CgroupUsage Usage() const;
    CgroupLoad Load() const;
    // rmdir, of what the container made below it first. EBUSY for a while after the last process
    // went: try again.
    Status Remove() const;

  private:
    Status WriteLimits(const CgroupLimits& limits) const;
    Status Write(const CgroupAttribute& attribute) const;
    Status Delegate(uint32_t owner) const;

    std::string path_;
};

// Every process of the cgroup and below it stands still for as long as this lives, and goes on
// then, also where somebody else had frozen it: what was decided by what they are at holds until
// then. SIGKILL gets through, and a process that a call does not let go is not waited for. Cgroup
// v2, "cgroup.freeze".
class Standstill {
  public:
    explicit Standstill(const Cgroup& cgroup);
    ~Standstill();
    Standstill(const Standstill&) = delete;
    Standstill& operator=(const Standstill&) = delete;

  private:
    std::string path_;
};

// The number after `key` in a "key value" file such as memory.events or cgroup.events.
std::optional<uint64_t> FindCount(std::string_view file, std::string_view key);

}  // namespace husk::container
