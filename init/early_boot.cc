#include "init/early_boot.h"

#include <cerrno>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>

#include "base/fd.h"
#include "base/text.h"
#include "init/log.h"
#include "init/mount_info.h"
#include "init/small_file.h"

namespace husk::init {
namespace {

struct FirstMount {
    const char* target;
    const char* type;
    const char* source;
    unsigned long flags;
    // Tried in turn, since a kernel refuses options that it does not know.
    const char* options[3];
};

constexpr unsigned long kPlain = MS_NOSUID | MS_NODEV | MS_NOEXEC;
// /run/husk holds the supervisor's records; a /run that a program filled must not take their room.
constexpr FirstMount kFirstMounts[] = {
    {"/proc", "proc", "proc", kPlain, {}},
    {"/sys", "sysfs", "sysfs", kPlain, {}},
    {"/dev", "devtmpfs", "devtmpfs", MS_NOSUID, {"mode=755"}},
    {"/dev/pts", "devpts", "devpts", MS_NOSUID | MS_NOEXEC, {"gid=5,mode=620,ptmxmode=666", ""}},
    {"/dev/shm", "tmpfs", "tmpfs", MS_NOSUID | MS_NODEV, {"mode=1777"}},
    {"/run", "tmpfs", "tmpfs", MS_NOSUID | MS_NODEV, {"mode=755"}},
    {"/run/husk", "tmpfs", "tmpfs", kPlain, {"size=16M,mode=755"}},
    {"/tmp", "tmpfs", "tmpfs", MS_NOSUID | MS_NODEV, {"mode=1777"}},
    {"/sys/fs/cgroup",
     "cgroup2",
     "cgroup2",
     kPlain,
     {"nsdelegate,memory_recursiveprot", "nsdelegate", ""}},
};

struct Link {
    const char* path;
    const char* target;
};
// What programs expect and devtmpfs does not make.
constexpr Link kDeviceLinks[] = {
    {"/dev/fd", "/proc/self/fd"},
    {"/dev/stdin", "/proc/self/fd/0"},
    {"/dev/stdout", "/proc/self/fd/1"},
    {"/dev/stderr", "/proc/self/fd/2"},
};

// Counts that the whole device shares: one unit could use them up, and the neighbours had none.
// What they count is charged to the memory of the cgroup that makes it, so that its limit is the
// one that holds, and these can be out of the way. (All user namespaces of containers are made by
// root, and what is counted in them is counted for root too: ucounts. Not fs.aio-max-nr, since a
// process that has many contexts takes minutes to end.)
struct SharedCount {
    const char* path;
    const char* value;
};
constexpr SharedCount kSharedCounts[] = {
    {"/proc/sys/fs/file-max", "9223372036854775807"},
    {"/proc/sys/fs/inotify/max_user_instances", "1048576"},
    {"/proc/sys/fs/inotify/max_user_watches", "4194304"},
};

// Of the memory, at most; what PID 1, the supervisor and the kernel itself go on with when units
// have taken all that they can get.
constexpr uint64_t kMostReserve = uint64_t{64} << 20;

constexpr std::string_view kControllers[] = {"cpu", "memory", "pids", "io", "cpuset"};

rlimit first_descriptor_limit;

void LogFailure(const char* verb, const char* object, int error) {
    Say(LogLevel::kWarning, "cannot ", verb, " '", object, "': ", Errno{error});
}

// Descriptors 0 to 2 are taken whatever happens, so that no file of ours ever gets their numbers
// and another program's output; what else came with us goes.
void TidyDescriptors() {
    while (::fcntl(STDERR_FILENO, F_GETFD) < 0 && ::open("/", O_PATH | O_DIRECTORY) >= 0) {
    }
    (void)::syscall(SYS_close_range, 3U, ~0U, 0U);
}

// Is it a mount of its own? What a boot loader's initramfs or a container manager has mounted
// stays.
bool IsMountPoint(const FirstMount& mount) {
    char link[16];
    // A /proc of another PID namespace shows other processes: it is only right if we are 1 there.
    if (std::string_view(mount.type) == "proc") return ReadLink("/proc/self", link, 16) == "1";
    // As mountpoint(1) does it; the same file system once more on itself is refused with EBUSY.
    struct stat target {};
    struct stat parent {};
    LogLine path;
    path << mount.target << "/.." << std::string_view("\0", 1);
    return ::stat(mount.target, &target) == 0 && ::stat(path.text().data(), &parent) == 0 &&
           target.st_dev != parent.st_dev;
}

void MountOne(const FirstMount& mount) {
    (void)::mkdir(mount.target, 0755);  // on a read-only root it is there, or the mount says so
    if (IsMountPoint(mount)) return;
    int error = 0;
    for (const char* options : mount.options) {
        if (options == nullptr && error != 0) break;
        if (::mount(mount.source, mount.target, mount.type, mount.flags, options) == 0) return;
        error = errno;
        if (error == EBUSY) return;  // mounted already
        if (error != EINVAL) break;
    }
    LogFailure("mount", mount.target, error);
}

// A mount without a parent is the kernel's first one, which holds the initramfs: pivot_root(2)
// refuses to replace it. Needs /proc for a moment; the mounts that stay come later.
bool OnKernelsFirstRoot() {
    (void)::mkdir("/proc", 0755);
    const bool mounted = ::mount("proc", "/proc", "proc", kPlain, nullptr) == 0;
    bool first = false;
    {
        char buffer[1024];
        const OwnedFd file(::open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC));
        MountReader reader(file.get(), buffer, sizeof buffer);
        while (const auto entry = reader.Next())
            if (entry->target == "/") first = entry->id == entry->parent;
    }
    if (mounted) (void)::umount2("/proc", 0);
    return first;
}

// Puts a second mount of the same root on top of the first and moves into it: nothing is copied,
// and from here on every root that husk's containers replace has a parent.
// True where it was on the first root.
bool LeaveFirstRoot() {
    if (!OnKernelsFirstRoot()) return false;
    // <linux/mount.h> and <sys/mount.h> do not go together in every libc, and libc has no wrappers.
    constexpr unsigned kOpenTreeClone = 1;      // OPEN_TREE_CLONE
    constexpr unsigned kMoveFromEmptyPath = 4;  // MOVE_MOUNT_F_EMPTY_PATH
    const OwnedFd root(static_cast<int>(
        ::syscall(SYS_open_tree, AT_FDCWD, "/", kOpenTreeClone | unsigned{O_CLOEXEC})));
    if (!root ||
        ::syscall(SYS_move_mount, root.get(), "", AT_FDCWD, "/", kMoveFromEmptyPath) != 0 ||
        ::fchdir(root.get()) != 0 || ::chroot(".") != 0 || ::chdir("/") != 0)
        Say(LogLevel::kError,
            "cannot leave the initramfs, containers will not start: ", Errno{errno});
    return true;
}

void OpenConsole() {
    int console = ::open("/dev/console", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (console < 0) return;  // what the kernel or our parent opened stays
    for (int standard = 0; standard <= STDERR_FILENO; ++standard) (void)::dup2(console, standard);
    (void)::close(console);
}

void SetLimits() {
    const int error = WriteSmallFile("/proc/self/oom_score_adj", "-1000");
    if (error != 0) LogFailure("write", "/proc/self/oom_score_adj", error);
    if (::getrlimit(RLIMIT_NOFILE, &first_descriptor_limit) != 0) return;
    constexpr rlim_t kDescriptors = 1 << 20;
    const rlim_t lower = std::max(first_descriptor_limit.rlim_max, kDescriptors);
    rlimit wanted{kDescriptors, lower};
    if (::setrlimit(RLIMIT_NOFILE, &wanted) == 0) return;
    // Over fs.nr_open, or without CAP_SYS_RESOURCE: as far as it goes.
    wanted = {first_descriptor_limit.rlim_max, first_descriptor_limit.rlim_max};
    if (::setrlimit(RLIMIT_NOFILE, &wanted) != 0) LogFailure("set", "RLIMIT_NOFILE", errno);
}

void EnableControllers(const char* controllers_path, const char* subtree_path) {
    // All at once is one change for the kernel; refused is the whole then.
    LogLine all;
    for (const std::string_view controller : kControllers) all << "+" << controller << " ";
    if (WriteSmallFile(subtree_path, all.text()) == 0) return;
    char buffer[256];
    const std::string_view available = ReadSmallFile(controllers_path, buffer, sizeof buffer);
    for (const std::string_view controller : kControllers) {
        // Whole words: "cpu" is not "cpuset".
        bool there = false;
        for (size_t at = 0; at < available.size() && !there;) {
            const size_t end = std::min(available.find(' ', at), available.size());
            there = available.substr(at, end - at) == controller;
            at = end + 1;
        }
        if (!there) continue;
        LogLine word;
        word << "+" << controller;
        const int error = WriteSmallFile(subtree_path, word.text());
        if (error != 0)
            Say(LogLevel::kWarning, "cannot enable the controller '", controller, "' in '",
                subtree_path, "': ", Errno{error});
    }
}

// A cgroup with controllers for its children holds no process itself, so everybody gets a leaf:
// cgroups(7), "no internal processes".
void MakeCgroups() {
    struct statfs file_system {};
    if (::statfs("/sys/fs/cgroup", &file_system) != 0 ||
        file_system.f_type != CGROUP2_SUPER_MAGIC) {
        Say(LogLevel::kWarning, "'/sys/fs/cgroup' is no cgroup2: no limits for units");
        return;
    }
    for (const char* leaf : {kInitCgroup, kSupervisorCgroup, kConsoleCgroup, kUnitsCgroup})
        if (::mkdir(leaf, 0755) != 0 && errno != EEXIST) LogFailure("make", leaf, errno);
    if (const int error = WriteSmallFile("/sys/fs/cgroup/init/cgroup.procs", "1"); error != 0)
        LogFailure("join", kInitCgroup, error);
    EnableControllers("/sys/fs/cgroup/cgroup.controllers", "/sys/fs/cgroup/cgroup.subtree_control");
    EnableControllers("/sys/fs/cgroup/units/cgroup.controllers",
                      "/sys/fs/cgroup/units/cgroup.subtree_control");
}

// All units together leave something, or a device that they have filled cannot even be asked why.
// Without the controllers there is no such file, and nothing to be done.
void ReserveForDevice() {
    struct sysinfo memory {};
    if (::sysinfo(&memory) == 0) {
        // Of what is free now: what the kernel and the files of an initramfs have taken, no unit
        // can ever give back, and a device that looks for it in vain stands still for seconds.
        const uint64_t reserve =
            std::min<uint64_t>(memory.totalram / 8, kMostReserve / memory.mem_unit);
        const uint64_t free = memory.freeram + memory.bufferram;
        LogLine limit;
        limit << (free - std::min(free / 2, reserve)) * memory.mem_unit;
        (void)WriteSmallFile("/sys/fs/cgroup/units/memory.max", limit.text());
    }
    char buffer[32];
    const std::string_view threads =
        ReadSmallFile("/proc/sys/kernel/threads-max", buffer, sizeof buffer);
    if (const auto most = ParseUnsigned(threads); most && *most > 0) {
        LogLine limit;
        limit << *most - *most / 4;
        (void)WriteSmallFile("/sys/fs/cgroup/units/pids.max", limit.text());
    }
}

void RaiseSharedCounts() {
    for (const SharedCount& count : kSharedCounts)
        (void)WriteSmallFile(count.path,
                             count.value);  // a kernel without it has none to run out of
}

void PrepareLog(BootFacts& facts) {
    char buffer[2048];
    // PROC_PID_INIT_INO: the first PID namespace has this number in every kernel.
    facts.whole_system = ReadLink("/proc/self/ns/pid", buffer, sizeof buffer) == "pid:[4026531836]";
    OpenLog(facts.whole_system);
    // Else the kernel drops all but ten lines in five seconds. It refuses where the command line
    // has said what it wants.
    if (facts.whole_system) (void)WriteSmallFile("/proc/sys/kernel/printk_devkmsg", "on\n");
    facts.options = ParseKernelOptions(ReadSmallFile("/proc/cmdline", buffer, sizeof buffer));
    SetDebugLog(facts.options.debug);
}

}  // namespace

BootFacts EarlyBoot() {
    BootFacts facts;
    TidyDescriptors();
    (void)::chdir("/");
    (void)::umask(022);
    facts.in_initramfs = LeaveFirstRoot();
    // The devices first, so that failures have a place to be seen.
    for (const FirstMount& mount : kFirstMounts) {
        MountOne(mount);
        if (std::string_view(mount.target) != "/dev") continue;
        OpenConsole();
        PrepareLog(facts);
    }
    for (const Link& link : kDeviceLinks) (void)::symlink(link.target, link.path);
    Say(LogLevel::kInfo, "PID 1 started");
    SetLimits();
    MakeCgroups();
    if (facts.whole_system) {
        ReserveForDevice();
        RaiseSharedCounts();
    }
    // Ctrl-Alt-Del becomes SIGINT to PID 1, in place of a reset on the spot: reboot(2).
    if (facts.whole_system && ::reboot(RB_DISABLE_CAD) != 0)
        LogFailure("take over", "Ctrl-Alt-Del", errno);
    return facts;
}

BootFacts ReadBootFacts() {
    BootFacts facts;
    PrepareLog(facts);
    return facts;
}

const rlimit& FirstDescriptorLimit() { return first_descriptor_limit; }
void SetFirstDescriptorLimit(const rlimit& limit) { first_descriptor_limit = limit; }

void RestoreDescriptorLimit() { (void)::setrlimit(RLIMIT_NOFILE, &first_descriptor_limit); }

}  // namespace husk::init
