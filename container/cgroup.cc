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
constexpr timespec kStandstillPause = {.tv_sec = 0, .tv_nsec = 20'000};
constexpr int kStandstillLooks = 100;
// Of what a container makes below its leaf: whoever removes it has to walk through all of it.
constexpr int kMostDepth = 16;
constexpr const char* kMostDescendants = "1024";

std::string Limit(uint64_t value) { return value == kNoLimit ? "max" : std::to_string(value); }

std::optional<uint64_t> ReadNumber(int leaf, const char* name) {
    auto text = ReadFileAt(leaf, name, kAttributeLimit);
    if (!text) return std::nullopt;
    std::string_view line(*text);
    return ParseUnsigned(line.substr(0, line.find('\n')));
}

// As systemd maps it: bfq has weights of 1 to 1000, and both mean 100 where nothing is said.
uint64_t BfqWeight(uint64_t weight) {
    return weight <= 100 ? weight : 100 + (weight - 100) * (1000 - 100) / (10'000 - 100);
}

std::string DeviceNumber(const IoMax& io) {
    return Cat(std::to_string(io.major), ":", std::to_string(io.minor));
}

// The names of directories in one of cgroupfs, which has no links.
std::vector<std::string> Children(const std::string& path) {
    std::vector<std::string> children;
    struct stat info {};
    // Nearly all leaves have none: two links, "." and the one in the parent.
    if (::stat(path.c_str(), &info) != 0 || info.st_nlink <= 2) return children;
    auto names = ListDirectory(path);
    if (!names) return children;  // gone meanwhile
    for (const auto& name : *names) {
        const std::string child = Cat(path, "/", name);
        if (::lstat(child.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) children.push_back(child);
    }
    return children;
}

void CollectProcesses(const std::string& path, int depth, std::vector<pid_t>& processes) {
    // A threaded cgroup has no list of processes; they stand in the one that it is of.
    if (auto pids = ReadFile(path + "/cgroup.procs", 1 << 20))
        for (auto line : Split(*pids, '\n'))
            // 0 is a process of another pid namespace.
            if (auto pid = ParseUnsigned(line); pid && *pid > 0)
                processes.push_back(static_cast<pid_t>(*pid));
    if (depth == 0) return;
    for (const auto& child : Children(path)) CollectProcesses(child, depth - 1, processes);
}

void RemoveChildren(const std::string& path, int depth) {
    for (const auto& child : Children(path)) {
        if (depth > 0) RemoveChildren(child, depth - 1);
        (void)::rmdir(child.c_str());  // the leaf's own rmdir tells of what is left
    }
}

}  // namespace

const char* KernelOptionOf(std::string_view file) {
    constexpr const char* kOptions[][2] = {
        {"memory.zswap", "CONFIG_ZSWAP"},
        {"memory.swap", "CONFIG_SWAP"},
        {"memory.", "CONFIG_MEMCG"},
        {"pids.", "CONFIG_CGROUP_PIDS"},
        {"cpu.max", "CONFIG_CFS_BANDWIDTH"},
        {"cpu.", "CONFIG_FAIR_GROUP_SCHED"},
        {"cpuset.", "CONFIG_CPUSETS"},
        {"io.max", "CONFIG_BLK_DEV_THROTTLING"},
        {"io.", "CONFIG_BLK_CGROUP_IOCOST or CONFIG_BFQ_GROUP_IOSCHED"}};
    for (const auto& [prefix, option] : kOptions)
        if (file.starts_with(prefix)) return option;
    return "CONFIG_CGROUPS";
}

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
    add("memory.zswap.max", limits.memory_zswap_max, "MemoryZSwapMax");
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
    if (limits.memory_nodes)
        attributes.push_back({"cpuset.mems", *limits.memory_nodes, "AllowedMemoryNodes"});
    if (limits.io_weight)
        attributes.push_back({"io.weight", Cat("default ", std::to_string(*limits.io_weight)),
                              "IOWeight", "io.bfq.weight",
                              std::to_string(BfqWeight(*limits.io_weight))});
    for (const IoMax& io : limits.io)
        attributes.push_back(
            {"io.max",
             Cat(DeviceNumber(io), " rbps=", Limit(io.read_bytes), " wbps=", Limit(io.write_bytes),
                 " riops=", Limit(io.reads), " wiops=", Limit(io.writes)),
             "IO…Max"});
    return attributes;
}

std::vector<CgroupAttribute> CgroupDefaults(const CgroupLimits& limits, std::string_view io_max) {
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
    add(limits.memory_zswap_max.has_value(), "memory.zswap.max", "max", "MemoryZSwapMax");
    add(limits.memory_max && limits.oom_group, "memory.oom.group", "0", "OOMPolicy");
    add(limits.tasks_max.has_value(), "pids.max", "max", "TasksMax");
    add(limits.cpu_quota_us.has_value(), "cpu.max", "max 100000", "CPUQuota");
    // A leaf that is idle takes no weight.
    add(idle, "cpu.idle", "0", "CPUWeight");
    add(limits.cpu_weight.has_value(), "cpu.weight", "100", "CPUWeight");
    add(limits.cpus.has_value(), "cpuset.cpus", "\n", "AllowedCPUs");
    add(limits.memory_nodes.has_value(), "cpuset.mems", "\n", "AllowedMemoryNodes");
    if (!limits.io_weight)
        defaults.push_back({"io.weight", "default 100", "IOWeight", "io.bfq.weight", "100"});
    for (auto line : Split(io_max, '\n')) {
        const auto number = line.substr(0, line.find(' '));
        bool limited = number.empty();
        for (const IoMax& io : limits.io) limited |= DeviceNumber(io) == number;
        if (!limited)
            defaults.push_back(
                {"io.max", Cat(number, " rbps=max wbps=max riops=max wiops=max"), "IO…Max"});
    }
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
        return FailErrno("make cgroup ", Quote(path_));
    HUSK_TRY(WriteLimits(limits));
    if (limits.delegate_to) HUSK_TRY_WRAP(Delegate(*limits.delegate_to), "Delegate=");
    return {};
}

// What the kernel says is safe in a container's hands (cgroup-v2.rst, "Delegation"): the leaf's own
// limits are not.
Status Cgroup::Delegate(uint32_t owner) const {
    HUSK_TRY(WriteAttribute(path_ + "/cgroup.max.depth", std::to_string(kMostDepth)));
    HUSK_TRY(WriteAttribute(path_ + "/cgroup.max.descendants", kMostDescendants));
    auto files = ReadFile("/sys/kernel/cgroup/delegate", kAttributeLimit);
    if (!files) return Fail(std::move(files).error());
    std::vector<std::string_view> names = Split(*files, '\n');
    names.push_back("");  // the directory
    for (auto name : names) {
        const std::string path = name.empty() ? path_ : Cat(path_, "/", name);
        if (::chown(path.c_str(), owner, owner) != 0 && errno != ENOENT)  // of a controller
            return FailErrno("set the owner of ", Quote(path));
    }
    return {};
}

Status Cgroup::Change(const CgroupLimits& limits) const {
    const std::string io_max = ReadFile(path_ + "/io.max", kAttributeLimit).value_or("");
    for (const auto& attribute : CgroupDefaults(limits, io_max)) {
        Status written = Write(attribute);
        // Without the controller there is no limit.
        if (!written && written.error().code() != ENOENT && written.error().code() != EACCES)
            return Fail(std::move(written).error().Wrap(attribute.key + "="));
    }
    return WriteLimits(limits);
}

Status Cgroup::WriteLimits(const CgroupLimits& limits) const {
    for (const auto& attribute : CgroupAttributes(limits)) {
        Status written = Write(attribute);
        if (written) continue;
        const int code = written.error().code();
        if (code == ENOENT || code == EACCES)
            return Fail(attribute.key, "=: this kernel has no ", Quote(attribute.file),
                        ": it needs ", KernelOptionOf(attribute.file),
                        ", and no cgroup_disable= on its command line that takes it away");
        return Fail(std::move(written).error().Wrap(attribute.key + "="));
    }
    return {};
}

Status Cgroup::Write(const CgroupAttribute& attribute) const {
    Status written = WriteAttribute(Cat(path_, "/", attribute.file), attribute.value);
    if (attribute.other_file.empty()) return written;
    Status other = WriteAttribute(Cat(path_, "/", attribute.other_file), attribute.other_value);
    const bool missing = !written && written.error().code() == ENOENT;
    const bool other_missing = !other && other.error().code() == ENOENT;
    if (missing) return other_missing ? written : other;
    return other_missing || !written ? written : other;
}

Status Cgroup::LimitDevices(int program) const {
    auto leaf = OpenFile(path_, O_RDONLY | O_DIRECTORY);
    if (!leaf) return Fail(std::move(leaf).error());
    return AttachDeviceProgram(leaf->get(), program);
}

Result<OwnedFd> Cgroup::Open() const { return OpenFile(path_, O_PATH | O_DIRECTORY); }

Result<OwnedFd> Cgroup::OpenEvents() const { return OpenFile(path_ + "/cgroup.events", O_RDONLY); }

Result<OwnedFd> Cgroup::OpenMemoryEvents() const {
    return OpenFile(path_ + "/memory.events", O_RDONLY);
}

std::vector<pid_t> Cgroup::Processes() const {
    std::vector<pid_t> processes;
    CollectProcesses(path_, kMostDepth, processes);
    return processes;
}

Status Cgroup::Kill() const { return WriteAttribute(path_ + "/cgroup.kill", "1"); }

Standstill::Standstill(const Cgroup& cgroup) : path_(cgroup.path() + "/cgroup.freeze") {
    if (!WriteAttribute(path_, "1")) return;
    const std::string events = cgroup.path() + "/cgroup.events";
    for (int looks = 0; looks < kStandstillLooks; ++looks) {
        auto text = ReadFile(events, kAttributeLimit);
        if (!text || FindCount(*text, "frozen") != 0u) return;
        (void)::nanosleep(&kStandstillPause, nullptr);
    }
}

Standstill::~Standstill() { (void)WriteAttribute(path_, "0"); }

Status Cgroup::SignalAll(int signal) const {
    if (!Exists()) return FailErrno("signal cgroup ", Quote(path_));
    // A process that ended meanwhile needs no signal.
    for (const pid_t pid : Processes()) (void)::kill(pid, signal);
    return {};
}

bool Cgroup::Exists() const { return ::access(path_.c_str(), F_OK) == 0; }

bool Cgroup::IsPopulated() const {
    auto events = ReadFile(path_ + "/cgroup.events", kAttributeLimit);
    // What cannot be asked for want of descriptors is not empty for that.
    if (!events) return events.error().code() != ENOENT && events.error().code() != ENODEV;
    return FindCount(*events, "populated").value_or(0) != 0;
}

uint64_t Cgroup::OomKills() const {
    auto events = ReadFile(path_ + "/memory.events", kAttributeLimit);
    return events ? FindCount(*events, "oom_kill").value_or(0) : 0;
}

// What does not run has no leaf mostly, and one look says so in the place of many.
std::optional<uint64_t> Cgroup::MemoryCurrent() const {
    const auto leaf = Open();
    return leaf ? ReadNumber(leaf->get(), "memory.current") : std::nullopt;
}

CgroupUsage Cgroup::Usage() const {
    CgroupUsage usage;
    const auto leaf = Open();
    if (!leaf) return usage;
    usage.memory_current = ReadNumber(leaf->get(), "memory.current");
    usage.memory_peak = ReadNumber(leaf->get(), "memory.peak");
    usage.memory_high = ReadNumber(leaf->get(), "memory.high");
    usage.memory_max = ReadNumber(leaf->get(), "memory.max");
    usage.tasks_current = ReadNumber(leaf->get(), "pids.current");
    usage.tasks_max = ReadNumber(leaf->get(), "pids.max");
    if (auto stat = ReadFileAt(leaf->get(), "cpu.stat", kAttributeLimit))
        usage.cpu_usec = FindCount(*stat, "usage_usec");
    return usage;
}

CgroupLoad Cgroup::Load() const {
    const auto leaf = Open();
    if (!leaf) return {};
    auto read = [&](const char* name) { return ReadFileAt(leaf->get(), name, kAttributeLimit); };
    auto pressure = [&](const char* name) { return ParsePressure(read(name).value_or("")); };
    CgroupLoad load{pressure("cpu.pressure"), pressure("memory.pressure"), pressure("io.pressure"),
                    std::nullopt};
    // An empty file is a leaf that has used no disk; a file that is not there is no controller.
    if (auto io = read("io.stat")) load.disks = ParseIoStat(*io);
    return load;
}

Status Cgroup::Remove() const {
    if (::rmdir(path_.c_str()) == 0 || errno == ENOENT) return {};
    if (errno == EBUSY) {
        RemoveChildren(path_, kMostDepth);
        if (::rmdir(path_.c_str()) == 0) return {};
    }
    if (errno != ENOENT) return FailErrno("remove cgroup ", Quote(path_));
    return {};
}

}  // namespace husk::container
