// What a container sees of itself, and what it is refused: one line "NAME<TAB>JSON" for each fact,
// so that tests/boot/test_isolation.py can ask from the inside. Sleeps when done, so that the
// outside can be asked about the same process.

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <initializer_list>
#include <utility>

extern "C" char** environ;

namespace {

char buffer[65536];

void PrintString(const char* text) {
    putchar('"');
    for (const char* at = text; *at != '\0'; ++at) {
        const unsigned char byte = static_cast<unsigned char>(*at);
        if (byte == '"' || byte == '\\')
            printf("\\%c", byte);
        else if (byte < 0x20 || byte >= 0x7f)
            printf("\\u%04x", byte);
        else
            putchar(byte);
    }
    putchar('"');
}

// The content of a file in `buffer`, or nullptr and errno.
const char* Read(const char* path) {
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return nullptr;
    size_t size = 0;
    ssize_t got;
    while (size < sizeof buffer - 1 &&
           (got = read(file, buffer + size, sizeof buffer - 1 - size)) > 0)
        size += static_cast<size_t>(got);
    close(file);
    buffer[size] = '\0';
    return buffer;
}

void Fact(const char* name, const char* text) {
    printf("%s\t", name);
    if (text == nullptr)
        printf("null");
    else
        PrintString(text);
    putchar('\n');
}

void Number(const char* name, long long value) { printf("%s\t%lld\n", name, value); }

void File(const char* path) { Fact(path, Read(path)); }

// A JSON list of the names in a directory; a link's target behind it with '='. null: cannot be
// opened.
void Names(const char* name, const char* path, bool links) {
    printf("%s\t", name);
    DIR* directory = opendir(path);
    if (directory == nullptr) {
        printf("null\n");
        return;
    }
    const char* separator = "[";
    while (dirent* entry = readdir(directory)) {
        if (entry->d_name[0] == '.') continue;
        char text[600], target[256] = "";
        if (links) {
            if (strtol(entry->d_name, nullptr, 10) == dirfd(directory) && strcmp(name, "fds") == 0)
                continue;
            const ssize_t length =
                readlinkat(dirfd(directory), entry->d_name, target, sizeof target - 1);
            target[length < 0 ? 0 : length] = '\0';
        }
        snprintf(text, sizeof text, "%s%s%s", entry->d_name, links ? "=" : "", target);
        fputs(separator, stdout);
        PrintString(text);
        separator = ",";
    }
    closedir(directory);
    printf("%s]\n", separator[0] == '[' ? "[" : "");
}

const char* ErrnoName(int number) {
    switch (number) {
        case 0: return "ok";
        case EPERM: return "EPERM";
        case EACCES: return "EACCES";
        case ENOSYS: return "ENOSYS";
        case EROFS: return "EROFS";
        case ENOENT: return "ENOENT";
        case ESRCH: return "ESRCH";
        case EINVAL: return "EINVAL";
        case EBUSY: return "EBUSY";
        case ENOSPC: return "ENOSPC";
        case EAFNOSUPPORT: return "EAFNOSUPPORT";
        case EFAULT: return "EFAULT";
        case EBADF: return "EBADF";
        case ENXIO: return "ENXIO";
        case EAGAIN: return "EAGAIN";
    }
    static char text[32];
    snprintf(text, sizeof text, "errno %d", number);
    return text;
}

// An attempt: what the call answered, by the errno's name.
void Try(const char* name, long result) {
    printf("try %s\t\"%s\"\n", name, ErrnoName(result < 0 ? errno : 0));
}

long Write(const char* path, const char* text, int flags) {
    const int file = open(path, O_WRONLY | O_CLOEXEC | flags, 0644);
    if (file < 0) return -1;
    const ssize_t written = write(file, text, strlen(text));
    const int error = errno;
    close(file);
    errno = error;
    return written;
}

// What happens to a child that does it: its exit code, or "SIGNAL n".
void TryInChild(const char* name, void (*act)()) {
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        act();
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status))
        printf("try %s\t\"signal %d\"\n", name, WTERMSIG(status));
    else
        printf("try %s\t\"exit %d\"\n", name, WEXITSTATUS(status));
}

#ifdef __x86_64__
void CallAsI386() {
    long result = 20;  // getpid
    __asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
}
void CallAsX32() { syscall(0x40000000 + 39); }  // getpid
#endif

void SeeIdentity() {
    Number("pid", getpid());
    Number("ppid", getppid());
    Number("sid", getsid(0));
    Number("pgid", getpgid(0));
    Number("uid", getuid());
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    Fact("hostname", host);
    char directory[256];
    Fact("cwd", getcwd(directory, sizeof directory));
    Number("dumpable", prctl(PR_GET_DUMPABLE));
    Number("securebits", prctl(PR_GET_SECUREBITS));
    Number("pdeathsig", [] {
        int number = 0;
        prctl(PR_GET_PDEATHSIG, &number);
        return number;
    }());
    Number("umask", [] {
        const mode_t mask = umask(022);
        umask(mask);
        return mask;
    }());
    Number("has controlling terminal", open("/dev/tty", O_RDWR | O_CLOEXEC) >= 0);
    printf("environment\t[");
    for (char** at = environ; *at != nullptr; ++at) {
        if (at != environ) putchar(',');
        PrintString(*at);
    }
    printf("]\n");
    for (int resource : {RLIMIT_NOFILE, RLIMIT_CORE, RLIMIT_NPROC, RLIMIT_MEMLOCK}) {
        rlimit limit;
        getrlimit(resource, &limit);
        char name[32];
        snprintf(name, sizeof name, "rlimit %d", resource);
        printf("%s\t[%llu,%llu]\n", name, static_cast<unsigned long long>(limit.rlim_cur),
               static_cast<unsigned long long>(limit.rlim_max));
    }
}

void SeeScheduling() {
    Number("personality", personality(0xffffffff));
    // musl has no more than an error for these.
    Number("scheduling policy", syscall(SYS_sched_getscheduler, 0));
    sched_param parameter{};
    syscall(SYS_sched_getparam, 0, &parameter);
    Number("scheduling priority", parameter.sched_priority);
    Number("nice", getpriority(PRIO_PROCESS, 0));
    Number("io priority", syscall(SYS_ioprio_get, 1, 0));
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    sched_getaffinity(0, sizeof cpus, &cpus);
    Number("cpus", CPU_COUNT(&cpus));
    for (auto [name, clock] : {std::pair{"clock monotonic", CLOCK_MONOTONIC},
                               {"clock boottime", CLOCK_BOOTTIME},
                               {"clock realtime", CLOCK_REALTIME}}) {
        timespec now{};
        clock_gettime(clock, &now);
        Number(name, now.tv_sec);
    }
    printf("groups\t[");
    gid_t groups[64];
    const int count = getgroups(64, groups);
    for (int i = 0; i < count; ++i) printf("%s%u", i == 0 ? "" : ",", groups[i]);
    printf("]\n");
}

void SeeFiles() {
    for (const char* path : {"/proc/self/status",
                             "/proc/self/uid_map",
                             "/proc/self/gid_map",
                             "/proc/self/setgroups",
                             "/proc/self/timens_offsets",
                             "/proc/key-users",
                             "/proc/sys/kernel/domainname",
                             "/proc/self/mountinfo",
                             "/proc/self/cgroup",
                             "/proc/self/oom_score_adj",
                             "/proc/1/cmdline",
                             "/proc/net/dev",
                             "/proc/mounts",
                             "/etc/hostname",
                             "/etc/hosts",
                             "/etc/resolv.conf",
                             "/etc/passwd",
                             "/etc/group",
                             "/sys/fs/cgroup/memory.max",
                             "/sys/fs/cgroup/pids.max",
                             "/sys/fs/cgroup/cpu.max",
                             "/sys/fs/cgroup/cpu.weight",
                             "/sys/fs/cgroup/memory.high",
                             "/sys/fs/cgroup/memory.oom.group",
                             "/sys/fs/cgroup/cgroup.procs",
                             "/proc/kcore",
                             "/proc/keys",
                             "/proc/timer_list",
                             "/proc/interrupts",
                             "/proc/sysrq-trigger",
                             "/dev/kmsg",
                             "/proc/sys/kernel/hostname"})
        File(path);
    Names("fds", "/proc/self/fd", true);
    Names("namespaces", "/proc/self/ns", true);
    Names("processes", "/proc", false);
    for (const char* path : {"/", "/dev", "/sys/firmware", "/proc/acpi", "/proc/scsi", "/run",
                             "/tmp", "/sys/class/net", "/sys/devices/virtual/powercap"})
        Names(path, path, false);
}

void TryToGetOut() {
    Try("mount", mount("tmpfs", "/tmp", "tmpfs", 0, nullptr));
    Try("remount", mount(nullptr, "/", nullptr, MS_REMOUNT | MS_BIND, nullptr));
    Try("umount", umount2("/proc/sys", MNT_DETACH));
    Try("fsopen", syscall(SYS_fsopen, "tmpfs", 0));
    Try("open_tree", syscall(SYS_open_tree, AT_FDCWD, "/", 1));
    Try("mount_setattr", syscall(442, AT_FDCWD, "/", 0, nullptr, 0));
    Try("pivot_root", syscall(SYS_pivot_root, "/", "/tmp"));
    Try("chroot", chroot("/tmp"));
    Try("unshare user", unshare(CLONE_NEWUSER));
    Try("unshare mounts", unshare(CLONE_NEWNS));
    const int own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    Try("setns", setns(own, 0));
    // raw: the wrapper would want a stack
    const long child =
        syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
    if (child == 0) _exit(0);
    Try("clone into a user namespace", child);
    uint64_t arguments[11] = {};
    arguments[4] = SIGCHLD;
    const long clone3 = syscall(435, arguments, sizeof arguments);
    if (clone3 == 0) _exit(0);
    Try("clone3", clone3);
    // A pid that no process in here has: the device's are not to be seen.
    Try("ptrace of a process outside", ptrace(PTRACE_ATTACH, 4000, nullptr, nullptr));
    Try("signal to a process outside", kill(4000, SIGKILL));
    Try("reboot", reboot(RB_DISABLE_CAD));
    Try("init_module", syscall(SYS_init_module, buffer, 10, ""));
    Try("finit_module", syscall(SYS_finit_module, 0, "", 0));
    Try("delete_module", syscall(SYS_delete_module, "loop", 0));
    Try("kexec_load", syscall(SYS_kexec_load, 0, 0, nullptr, 0));
    Try("bpf", syscall(SYS_bpf, 0, nullptr, 0));
    Try("perf_event_open", syscall(SYS_perf_event_open, nullptr, 0, -1, -1, 0));
    Try("add_key", syscall(SYS_add_key, "user", "x", "x", 1, -3));
    Try("keyctl", syscall(SYS_keyctl, 0, -3, 0));
    Try("userfaultfd", syscall(SYS_userfaultfd, 0));
    Try("io_uring_setup", syscall(425, 1, nullptr));
    Try("open_by_handle_at", syscall(SYS_open_by_handle_at, 0, nullptr, 0));
    Try("swapon", syscall(SYS_swapon, "/dev/vda", 0));
    Try("sethostname", sethostname("x", 1));
    timespec zero{};
    Try("clock_settime", syscall(SYS_clock_settime, 0, &zero));
    Try("syslog", syscall(SYS_syslog, 3, buffer, 10));
#ifdef __x86_64__
    Try("iopl", syscall(SYS_iopl, 3));
    Try("ioperm", syscall(SYS_ioperm, 0x80, 1, 1));
#endif
    Try("mknod of a disk", mknod("/tmp/disk", S_IFBLK | 0600, makedev(254, 0)));
    Try("open /dev/vda", open("/dev/vda", O_RDONLY | O_CLOEXEC));
    Try("packet socket", socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
    Try("raw socket", socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, 1));
    char push = 'x';
    Try("TIOCSTI", syscall(SYS_ioctl, 0, 0x5412, &push));
    rlimit more{1 << 20, 1 << 20};
    Try("raise RLIMIT_NOFILE above its hard limit", setrlimit(RLIMIT_NOFILE, &more));
    Try("setpriority -5", setpriority(PRIO_PROCESS, 0, -5));
    Try("lower oom_score_adj", Write("/proc/self/oom_score_adj", "-900", 0));
    Try("write /file", Write("/file", "x", O_CREAT));
    Try("write /etc/hosts", Write("/etc/hosts", "x", O_TRUNC));
    Try("write /tmp/file", Write("/tmp/file", "x", O_CREAT));
    Try("write /run/file", Write("/run/file", "x", O_CREAT));
    Try("write /dev/shm/file", Write("/dev/shm/file", "x", O_CREAT));
    Try("write /dev/file", Write("/dev/file", "x", O_CREAT));
    Try("write /dev/null", Write("/dev/null", "x", 0));
    Try("write /proc/sys/kernel/hostname", Write("/proc/sys/kernel/hostname", "x", 0));
    Try("write /proc/sys/kernel/core_pattern", Write("/proc/sys/kernel/core_pattern", "x", 0));
    Try("write /proc/sysrq-trigger", Write("/proc/sysrq-trigger", "c", 0));
    Try("write /sys/fs/cgroup/memory.max", Write("/sys/fs/cgroup/memory.max", "max", 0));
    Try("write /sys/fs/cgroup/pids.max", Write("/sys/fs/cgroup/pids.max", "max", 0));
    Try("make a cgroup", mkdir("/sys/fs/cgroup/x", 0755));
#ifdef __x86_64__
    TryInChild("i386 call", CallAsI386);
    TryInChild("x32 call", CallAsX32);
#endif
}

// What the unit asks for, in variables of lists that are separated by ':'.
void TryAsAsked(const char* variable, void (*attempt)(const char* word)) {
    const char* list = getenv(variable);
    if (list == nullptr) return;
    static char words[1024];
    snprintf(words, sizeof words, "%s", list);
    for (char* word = strtok(words, ":"); word != nullptr; word = strtok(nullptr, ":"))
        attempt(word);
}

void TryNamed(const char* what, const char* word, long result) {
    char name[600];
    const int error = errno;
    snprintf(name, sizeof name, "%s %s", what, word);
    errno = error;
    Try(name, result);
}

void TryRead(const char* path) {
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    TryNamed("read", path, file);
    if (file >= 0) close(file);
}
void TryWrite(const char* path) { TryNamed("write", path, Write(path, "x", O_CREAT)); }
void TrySysctl(const char* path) { File(path); }
void TryRename(const char* path) {
    char other[600];
    snprintf(other, sizeof other, "%s/from", path);
    if (Write(other, "x", O_CREAT) < 0) return TryNamed("make a file to rename in", path, -1);
    char target[600];
    mkdir((snprintf(target, sizeof target, "%s/folder", path), target), 0755);
    snprintf(target, sizeof target, "%s/folder/to", path);
    TryNamed("rename into another folder of", path, rename(other, target));
}
void TryBind(const char* port) {
    const int end = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(atoi(port)));
    TryNamed("bind", port, bind(end, reinterpret_cast<sockaddr*>(&address), sizeof address));
    close(end);
}
void TrySignal(const char* pid) { TryNamed("signal", pid, kill(atoi(pid), 0)); }
// The word is the socket's name.
void TryAbstract(const char* name) {
    const int end = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const size_t length = strlen(name);
    memcpy(address.sun_path + 1, name, length);
    TryNamed("connect to abstract socket", name,
             connect(end, reinterpret_cast<sockaddr*>(&address),
                     static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + length)));
    close(end);
}

}  // namespace

int main() {
    // First what a wrapper of the C library could change by being called.
    SeeIdentity();
    SeeScheduling();
    SeeFiles();
    TryAsAsked("PROBE_READ", TryRead);
    TryAsAsked("PROBE_WRITE", TryWrite);
    TryAsAsked("PROBE_RENAME", TryRename);
    TryAsAsked("PROBE_BIND", TryBind);
    TryAsAsked("PROBE_SIGNAL", TrySignal);
    TryAsAsked("PROBE_ABSTRACT", TryAbstract);
    TryAsAsked("PROBE_SHOW", TrySysctl);
    // Where nothing holds it, some of these do end the device.
    if (getenv("PROBE_TAME") == nullptr) TryToGetOut();
    Number("end", 1);
    fflush(stdout);
    // Not earlier: the facts are about signals as they come. PID 1 ignores what it has no handler
    // for.
    signal(SIGTERM, [](int) { _exit(0); });
    for (;;) pause();
}
