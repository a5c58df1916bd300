// What the running kernel and the board have. Only files are looked at, and system calls made that
// leave nothing behind. No device is opened: opening a watchdog arms it.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "base/fd.h"
#include "base/file.h"
#include "base/sys.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/doctor.h"

namespace husk::cli {
namespace {

constexpr size_t kFileLimit = 256 * 1024;
constexpr const char* kUnitsCgroup = "/sys/fs/cgroup/units";

Probe If(bool there) { return there ? Probe::kThere : Probe::kAbsent; }
bool Exists(const char* path) { return ::access(path, F_OK) == 0; }

bool HasWord(const char* path, std::string_view word) {
    const std::string text = ReadFile(path, kFileLimit).value_or("");
    for (auto line : Split(text, '\n'))
        for (auto part : Split(line, '\t'))
            for (auto found : SplitWords(part))
                if (found == word) return true;
    return false;
}

Probe ByFileSystem(const char* name) { return If(HasWord("/proc/filesystems", name)); }
Probe ByPath(const char* path) { return If(Exists(path)); }
Probe ByController(const char* name) {
    if (!Exists("/sys/fs/cgroup/cgroup.controllers")) return Probe::kUnknown;
    return If(HasWord("/sys/fs/cgroup/cgroup.controllers", name));
}
// A file of a cgroup that is not the root, where its controller is enabled.
Probe ByUnitsFile(const char* name) {
    if (!Exists(kUnitsCgroup)) return Probe::kUnknown;
    return ByPath(Cat(kUnitsCgroup, "/", name).c_str());
}

bool Opens(int fd) {
    OwnedFd owned(fd);
    return bool(owned);
}

// With arguments that no command takes: a kernel without it says ENOSYS.
Probe ByBpf(const char*) {
    const long result = ::syscall(SYS_bpf, -1, nullptr, 0);
    return If(result >= 0 || errno != ENOSYS);
}

Probe ByCgroupBpf(const char*) {
    if (::geteuid() != 0) return Probe::kUnknown;
    OwnedFd cgroup(::open("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!cgroup || !Exists("/sys/fs/cgroup/cgroup.controllers")) return Probe::kUnknown;
    // union bpf_attr of BPF_PROG_QUERY: how many programs of BPF_CGROUP_DEVICE there are.
    constexpr int kQuery = 16;
    struct {
        uint32_t target, attach_type, query_flags, attach_flags;
        uint64_t programs;
        uint32_t count;
        uint32_t reserved[16];
    } query{static_cast<uint32_t>(cgroup.get()), 6, 0, 0, 0, 0, {}};
    if (::syscall(SYS_bpf, kQuery, &query, sizeof query) == 0) return Probe::kThere;
    return errno == EPERM ? Probe::kUnknown : If(errno == ENOSPC);
}

int LandlockVersion() {
    constexpr long kCreateRuleset = 444;
    constexpr uint32_t kVersion = 1;
    const long abi = ::syscall(kCreateRuleset, nullptr, 0, kVersion);
    return abi < 0 ? 0 : static_cast<int>(abi);
}

Probe ByPsi(const char*) {
    return If(Opens(::open("/proc/pressure/memory", O_RDONLY | O_CLOEXEC)) &&
              ReadFile("/proc/pressure/memory", kFileLimit).has_value());
}

Probe Always(const char*) { return Probe::kThere; }  // this program runs by it
Probe ByEpoll(const char*) { return If(Opens(::epoll_create1(EPOLL_CLOEXEC))); }
Probe BySignalFd(const char*) {
    sigset_t none;
    ::sigemptyset(&none);
    return If(Opens(::signalfd(-1, &none, SFD_CLOEXEC)));
}
Probe ByMemfd(const char*) { return If(Opens(::memfd_create("husk-doctor", MFD_CLOEXEC))); }
Probe ByInotify(const char*) { return If(Opens(::inotify_init1(IN_CLOEXEC))); }

struct OptionProbe {
    std::string_view option;
    Probe (*probe)(const char* argument);
    const char* argument = nullptr;
};

constexpr OptionProbe kProbes[] = {
    {"BINFMT_ELF", Always},
    {"MULTIUSER", ByPath, "/proc/sys/kernel/ngroups_max"},
    {"PROC_FS", ByFileSystem, "proc"},
    {"SYSFS", ByFileSystem, "sysfs"},
    {"DEVTMPFS", ByFileSystem, "devtmpfs"},
    {"TMPFS", ByFileSystem, "tmpfs"},
    {"UNIX98_PTYS", ByFileSystem, "devpts"},
    {"UNIX", ByPath, "/proc/net/unix"},
    {"EPOLL", ByEpoll},
    {"SIGNALFD", BySignalFd},
    {"MEMFD_CREATE", ByMemfd},
    {"CGROUPS", ByFileSystem, "cgroup2"},
    {"NAMESPACES", ByPath, "/proc/self/ns/mnt"},
    {"SECCOMP_FILTER", ByPath, "/proc/sys/kernel/seccomp/actions_avail"},
    {"CGROUP_BPF", ByCgroupBpf},
    {"BPF_SYSCALL", ByBpf},
    {"PSI", ByPsi},
    {"INOTIFY_USER", ByInotify},
    {"USER_NS", ByPath, "/proc/self/ns/user"},
    {"UTS_NS", ByPath, "/proc/self/ns/uts"},
    {"PID_NS", ByPath, "/proc/self/ns/pid"},
    {"IPC_NS", ByPath, "/proc/self/ns/ipc"},
    {"POSIX_MQUEUE", ByFileSystem, "mqueue"},
    {"NET_NS", ByPath, "/proc/self/ns/net"},
    {"INET", ByPath, "/proc/net/tcp"},
    {"MACVLAN", ProbeNetwork, "macvlan"},
    {"IPVLAN", ProbeNetwork, "ipvlan"},
    {"BRIDGE", ProbeNetwork, "bridge"},
    {"VETH", ProbeNetwork, "veth"},
    {"NF_TABLES", ProbeNetwork, "nf_tables"},
    {"NF_TABLES_INET", ProbeNetwork, "nf_tables"},
    {"NF_TABLES_BRIDGE", ProbeNetwork, "nf_tables"},
    {"NF_CONNTRACK", ProbeNetwork, "nf_conntrack"},
    {"NFT_CT", ProbeNetwork, "nft_ct"},
    {"NFT_NAT", ProbeNetwork, "nft_nat"},
    {"NFT_MASQ", ProbeNetwork, "nft_masq"},
    {"NFT_FIB_INET", ProbeNetwork, "nft_fib_inet"},
    {"NFT_REJECT_INET", ProbeNetwork, "nft_reject_inet"},
    {"NF_FLOW_TABLE_INET", ProbeNetwork, "nf_flow_table_inet"},
    {"NFT_FLOW_OFFLOAD", ProbeNetwork, "nft_flow_offload"},
    {"PROC_SYSCTL", ByPath, "/proc/sys/kernel"},
    {"TIME_NS", ByPath, "/proc/self/ns/time"},
    {"BLK_DEV_LOOP", ByPath, "/sys/class/misc/loop-control"},
    {"EROFS_FS", ByFileSystem, "erofs"},
    {"SQUASHFS", ByFileSystem, "squashfs"},
    {"BLK_DEV_DM", ByPath, "/sys/class/misc/device-mapper"},
    {"DM_VERITY", ByPath, "/sys/module/dm_verity"},
    {"OVERLAY_FS", ByFileSystem, "overlay"},
    {"CGROUP_PIDS", ByController, "pids"},
    {"MEMCG", ByController, "memory"},
    {"SWAP", ByPath, "/proc/swaps"},
    {"CFS_BANDWIDTH", ByUnitsFile, "cpu.max"},
    {"FAIR_GROUP_SCHED", ByUnitsFile, "cpu.weight"},
    {"CPUSETS", ByController, "cpuset"},
    {"ZSWAP", ByUnitsFile, "memory.zswap.max"},
    {"BLK_CGROUP", ByController, "io"},
    {"BLK_DEV_THROTTLING", ByUnitsFile, "io.max"},
    {"BLK_CGROUP_IOCOST", ByPath, "/sys/fs/cgroup/io.cost.qos"},
    {"BFQ_GROUP_IOSCHED", ByUnitsFile, "io.bfq.weight"},
};

Finding There(const char* name, bool there, std::string text, std::string advice) {
    Finding finding{.name = name, .text = std::move(text), .advice = {}, .units = {}};
    if (there) return finding;
    finding.verdict = Verdict::kAdvice;
    finding.advice = std::move(advice);
    return finding;
}

// The number of "KEY:   123 kB" of /proc/meminfo, in bytes.
uint64_t MemoryInfo(std::string_view text, std::string_view key) {
    for (auto line : Split(text, '\n')) {
        if (!line.starts_with(key)) continue;
        const auto words = SplitWords(line);
        return words.size() > 1 ? ParseUnsigned(words[1]).value_or(0) * 1024 : 0;
    }
    return 0;
}

bool HasEntropy() {
    char byte;
    return ::getrandom(&byte, 1, GRND_NONBLOCK) == 1;
}

std::string WatchdogName() {
    const std::string text = ReadAttribute("/sys/class/watchdog/watchdog0/identity");
    return Cat("a watchdog", text.empty() ? "" : Cat(": ", text));
}

Finding LookAtStorage(const std::string& path) {
    struct statvfs room {};
    if (::statvfs(path.c_str(), &room) != 0) return JudgeStorage(path, 0, 0, false);
    const bool writable = (room.f_flag & ST_RDONLY) == 0 && ::access(path.c_str(), W_OK) == 0;
    Finding finding = JudgeStorage(path, uint64_t{room.f_bavail} * room.f_frsize,
                                   uint64_t{room.f_blocks} * room.f_frsize, writable);
    if (!writable && ::geteuid() != 0) {
        finding.verdict = Verdict::kUnknown;
        finding.advice = "only root can tell: ask as root";
    }
    return finding;
}

}  // namespace

Probe ProbeOption(std::string_view option, unsigned since_minor) {
    if (option == "SECURITY_LANDLOCK") {
        constexpr unsigned kPortsSince = 7;  // kernel 6.7
        constexpr int kPorts = 4;            // the ABI that came with it
        return If(LandlockVersion() >= (since_minor >= kPortsSince ? kPorts : 1));
    }
    const auto row = std::ranges::find(kProbes, option, &OptionProbe::option);
    return row == std::end(kProbes) ? Probe::kUnknown : row->probe(row->argument);
}

std::vector<Finding> LookAtBoard(const std::string& state_directory) {
    std::vector<Finding> findings;
    OwnedFd self(sys::pidfd_open(::getpid()));
    findings.push_back(There("pidfd", bool(self), "processes are held by descriptors",
                             "take a kernel 6.1 or later"));
    findings.push_back(JudgeClock(RealtimeNow(), Exists("/sys/class/rtc/rtc0")));
    findings.push_back(There("watchdog", Exists("/dev/watchdog"), WatchdogName(),
                             "none: a device that hangs stays so. Build its driver, or "
                             "CONFIG_SOFT_WATCHDOG"));
    findings.push_back(There("pstore", Exists("/dev/pmsg0") || Exists("/sys/module/ramoops"),
                             "memory that outlives a crash, for the last lines",
                             "none: a crash leaves no trace. CONFIG_PSTORE_RAM and a reserved "
                             "range of memory (ramoops)"));
    findings.push_back(There("entropy", HasEntropy(), "random numbers are to be had",
                             "the kernel has none yet, and programs that want them wait: "
                             "CONFIG_HW_RANDOM and the driver of the board"));
    const std::string memory = ReadFile("/proc/meminfo", kFileLimit).value_or("");
    findings.push_back(
        JudgeMemory(MemoryInfo(memory, "MemAvailable:"), MemoryInfo(memory, "MemTotal:")));
    const uint64_t swap = MemoryInfo(memory, "SwapTotal:");
    findings.push_back(There("swap", swap != 0, Cat(FormatBytes(swap), " of swap"),
                             "none: what is used rarely stays in memory. zram serves where "
                             "nothing is to be written to flash"));
    findings.push_back(LookAtStorage(state_directory));
    return findings;
}

}  // namespace husk::cli
