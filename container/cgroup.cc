#include "container/cgroup.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

namespace husk::container {
namespace {

constexpr size_t kAttributeLimit = 64 * 1024;

std::string Limit(uint64_t value) { return value == kNoLimit ? "max" : std::to_string(value); }

std::optional<uint64_t> ReadNumber(const std::string& path) {
    auto text = ReadFile(path, kAttributeLimit);
    if (!text) return std::nullopt;
    std::string_view line(*text);
    return ParseUnsigned(line.substr(0, line.find('\n')));
}

}  // namespace

std::vector<CgroupAttribute> CgroupAttributes(const CgroupLimits& limits) {
    std::vector<CgroupAttribute> attributes;
    auto add = [&](const char* file, const std::optional<uint64_t>& value, const char* key) {
        if (value) attributes.push_back({file, Limit(*value), key});
    };
    add("memory.min", limits.memory_min, "MemoryMin");
    add("memory.low", limits.memory_low, "MemoryLow");
    add("memory.high", limits.memory_high, "MemoryHigh");
    add("memory.max", limits.memory_max, "MemoryMax");
    add("memory.swap.max", limits.memory_swap_max, "MemorySwapMax");
    if (limits.memory_max && limits.oom_group)
        attributes.push_back({"memory.oom.group", "1", "OOMPolicy"});
    add("pids.max", limits.tasks_max, "TasksMax");
    if (limits.cpu_quota_us)
        attributes.push_back(
            {"cpu.max", Cat(Limit(*limits.cpu_quota_us), " ", std::to_string(limits.cpu_period_us)),
             "CPUQuota"});
    if (limits.cpu_weight && *limits.cpu_weight == 0)
        attributes.push_back({"cpu.idle", "1", "CPUWeight"});
    else if (limits.cpu_weight)
        attributes.push_back({"cpu.weight", std::to_string(*limits.cpu_weight), "CPUWeight"});
    if (limits.cpus) attributes.push_back({"cpuset.cpus", *limits.cpus, "AllowedCPUs"});
    return attributes;
}

std::vector<CgroupAttribute> CgroupDefaults(const CgroupLimits& limits) {
    std::vector<CgroupAttribute> defaults;
    auto add = [&](bool limited, const char* file, const char* value, const char* key) {
        if (!limited) defaults.push_back({file, value, key});
    };
    const bool idle = limits.cpu_weight && *limits.cpu_weight == 0;
    add(limits.memory_min.has_value(), "memory.min", "0", "MemoryMin");
    add(limits.memory_low.has_value(), "memory.low", "0", "MemoryLow");
    add(limits.memory_high.has_value(), "memory.high", "max", "MemoryHigh");
    add(limits.memory_max.has_value(), "memory.max", "max", "MemoryMax");
    add(limits.memory_swap_max.has_value(), "memory.swap.max", "max", "MemorySwapMax");
    add(limits.memory_max && limits.oom_group, "memory.oom.group", "0", "OOMPolicy");
    add(limits.tasks_max.has_value(), "pids.max", "max", "TasksMax");
    add(limits.cpu_quota_us.has_value(), "cpu.max", "max 100000", "CPUQuota");
    // A leaf that is idle takes no weight.
    add(idle, "cpu.idle", "0", "CPUWeight");
    add(limits.cpu_weight.has_value(), "cpu.weight", "100", "CPUWeight");
    add(limits.cpus.has_value(), "cpuset.cpus", "\n", "AllowedCPUs");
    return defaults;
}

std::optional<uint64_t> FindCount(std::string_view file, std::string_view key) {
    for (auto line : Split(file, '\n'))
        if (line.starts_with(key) && line.size() > key.size() && line[key.size()] == ' ')
            return ParseUnsigned(line.substr(key.size() + 1));
    return std::nullopt;
}

Status Cgroup::Create(const CgroupLimits& limits) {
    if (::mkdir(path_.c_str(), 0755) != 0 && errno != EEXIST)
        return FailErrno(Cat("make cgroup ", Quote(path_)));
    return WriteLimits(limits);
}

Status Cgroup::Change(const CgroupLimits& limits) const {
    for (const auto& attribute : CgroupDefaults(limits)) {
        Status written = WriteAttribute(Cat(path_, "/", attribute.file), attribute.value);
        // Without the controller there is no limit.
        if (!written && written.error().code() != ENOENT && written.error().code() != EACCES)
            return Fail(std::move(written).error().Wrap(attribute.key + "="));
    }
    return WriteLimits(limits);
}

Status Cgroup::WriteLimits(const CgroupLimits& limits) const {
    for (const auto& attribute : CgroupAttributes(limits)) {
        Status written = WriteAttribute(Cat(path_, "/", attribute.file), attribute.value);
        if (written) continue;
        // Kernels without swap accounting have no such file, and no swap to limit by it either.
        const int code = written.error().code();
        if (code == ENOENT || code == EACCES)
            return Fail(Cat(attribute.key, "=: this kernel has no ", Quote(attribute.file),
                            " here (is the controller enabled? see cgroup.controllers)"));
        return Fail(std::move(written).error().Wrap(attribute.key + "="));
    }
    return {};
}

Result<OwnedFd> Cgroup::Open() const { return OpenFile(path_, O_PATH | O_DIRECTORY); }

Result<OwnedFd> Cgroup::OpenEvents() const { return OpenFile(path_ + "/cgroup.events", O_RDONLY); }

Status Cgroup::Kill() const { return WriteAttribute(path_ + "/cgroup.kill", "1"); }

Status Cgroup::SignalAll(int signal) const {
    auto pids = ReadFile(path_ + "/cgroup.procs", 1 << 20);
    if (!pids) return Fail(std::move(pids).error());
    for (auto line : Split(*pids, '\n'))
        // A process that ended meanwhile needs no signal. 0 is a process of another pid namespace.
        if (auto pid = ParseUnsigned(line); pid && *pid > 0)
            (void)::kill(static_cast<pid_t>(*pid), signal);
    return {};
}

bool Cgroup::Exists() const { return ::access(path_.c_str(), F_OK) == 0; }

bool Cgroup::IsPopulated() const {
    auto events = ReadFile(path_ + "/cgroup.events", kAttributeLimit);
    return events && FindCount(*events, "populated").value_or(0) != 0;
}

uint64_t Cgroup::OomKills() const {
    auto events = ReadFile(path_ + "/memory.events", kAttributeLimit);
    return events ? FindCount(*events, "oom_kill").value_or(0) : 0;
}

CgroupUsage Cgroup::Usage() const {
    CgroupUsage usage;
    usage.memory_current = ReadNumber(path_ + "/memory.current");
    usage.memory_peak = ReadNumber(path_ + "/memory.peak");
    usage.memory_max = ReadNumber(path_ + "/memory.max");
    usage.tasks_current = ReadNumber(path_ + "/pids.current");
    usage.tasks_max = ReadNumber(path_ + "/pids.max");
    if (auto stat = ReadFile(path_ + "/cpu.stat", kAttributeLimit))
        usage.cpu_usec = FindCount(*stat, "usage_usec");
    return usage;
}

Status Cgroup::Remove() const {
    if (::rmdir(path_.c_str()) != 0 && errno != ENOENT)
        return FailErrno(Cat("remove cgroup ", Quote(path_)));
    return {};
}

}  // namespace husk::container
