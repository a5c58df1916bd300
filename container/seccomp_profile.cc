#include "container/seccomp_profile.h"

#include <linux/capability.h>

namespace husk::container {
namespace {

// clang-format off
constexpr const char* kAllowed[] = {
    // files and directories
    "access", "chdir", "chmod", "chown", "chown32", "close", "close_range", "copy_file_range",
    "creat", "dup", "dup2", "dup3", "faccessat", "faccessat2", "fadvise64", "fadvise64_64",
    "fallocate", "fchdir", "fchmod", "fchmodat", "fchmodat2", "fchown", "fchown32", "fchownat",
    "fcntl", "fcntl64", "fdatasync", "fgetxattr", "flistxattr", "flock", "fremovexattr",
    "fsetxattr", "fstat", "fstat64", "fstatat64", "fstatfs", "fstatfs64", "fsync", "ftruncate",
    "ftruncate64", "futimesat", "getcwd", "getdents", "getdents64", "getxattr", "getxattrat",
    "inotify_add_watch", "inotify_init", "inotify_init1", "inotify_rm_watch", "ioctl", "lchown",
    "lchown32", "lgetxattr", "link", "linkat", "listxattr", "listxattrat", "llistxattr", "_llseek",
    "lremovexattr", "lseek", "lsetxattr", "lstat", "lstat64", "mkdir", "mkdirat", "mknod",
    "mknodat", "name_to_handle_at", "newfstatat", "oldfstat", "oldlstat", "oldstat", "open",
    "openat", "openat2", "pread64", "preadv", "preadv2", "pwrite64", "pwritev", "pwritev2", "read",
    "readahead", "readdir", "readlink", "readlinkat", "readv", "removexattr", "removexattrat",
    "rename", "renameat", "renameat2", "rmdir", "sendfile", "sendfile64", "setxattr", "setxattrat",
    "splice", "stat", "stat64", "statfs", "statfs64", "statmount", "listmount", "statx", "symlink",
    "symlinkat", "sync", "sync_file_range", "sync_file_range2", "arm_sync_file_range", "syncfs",
    "tee", "truncate", "truncate64", "umask", "unlink", "unlinkat", "utime", "utimensat",
    "utimensat_time64", "utimes", "vmsplice", "write", "writev", "cachestat", "file_getattr",
    // memory
    "brk", "madvise", "map_shadow_stack", "membarrier", "memfd_create", "memfd_secret", "mincore",
    "mlock", "mlock2", "mlockall", "mmap", "mmap2", "mprotect", "mremap", "mseal", "msync",
    "munlock", "munlockall", "munmap", "pkey_alloc", "pkey_free", "pkey_mprotect",
    "process_madvise", "process_mrelease", "remap_file_pages", "get_mempolicy",
    // processes, threads, signals
    "alarm", "arch_prctl", "capget", "capset", "clone", "execve", "execveat", "exit", "exit_group",
    "fork", "futex", "futex_requeue", "futex_time64", "futex_wait", "futex_waitv", "futex_wake",
    "get_robust_list", "get_thread_area", "getcpu", "getpgid", "getpgrp", "getpid", "getppid",
    "getpriority", "getrlimit", "getrusage", "getsid", "gettid", "ioprio_get", "ioprio_set", "kill",
    "pause", "pidfd_open", "pidfd_send_signal", "pidfd_getfd", "prctl", "prlimit64", "ptrace",
    "process_vm_readv", "process_vm_writev", "restart_syscall", "riscv_flush_icache",
    "riscv_hwprobe", "rseq", "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo",
    "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "rt_sigtimedwait_time64",
    "rt_tgsigqueueinfo", "sched_get_priority_max", "sched_get_priority_min", "sched_getaffinity",
    "sched_getattr", "sched_getparam", "sched_getscheduler", "sched_rr_get_interval",
    "sched_rr_get_interval_time64", "sched_setaffinity", "sched_setattr", "sched_setparam",
    "sched_setscheduler", "sched_yield", "set_robust_list", "set_thread_area", "set_tid_address",
    "set_tls", "cacheflush", "breakpoint", "setpgid", "setpriority", "setrlimit", "setsid",
    "sigaction", "sigaltstack", "signal", "signalfd", "signalfd4", "sigpending", "sigprocmask",
    "sigreturn", "sigsuspend", "tgkill", "time", "times", "tkill", "ugetrlimit", "uname", "vfork",
    "wait4", "waitid", "waitpid", "sysinfo", "getrandom", "landlock_add_rule",
    "landlock_create_ruleset", "landlock_restrict_self", "seccomp",
    // users
    "getegid", "getegid32", "geteuid", "geteuid32", "getgid", "getgid32", "getgroups",
    "getgroups32", "getresgid", "getresgid32", "getresuid", "getresuid32", "getuid", "getuid32",
    "setfsgid", "setfsgid32", "setfsuid", "setfsuid32", "setgid", "setgid32", "setgroups",
    "setgroups32", "setregid", "setregid32", "setresgid", "setresgid32", "setresuid",
    "setresuid32", "setreuid", "setreuid32", "setuid", "setuid32",
    // clocks and timers
    "clock_getres", "clock_getres_time64", "clock_gettime", "clock_gettime64", "clock_nanosleep",
    "clock_nanosleep_time64", "getitimer", "gettimeofday", "nanosleep", "setitimer",
    "timer_create", "timer_delete", "timer_getoverrun", "timer_gettime", "timer_gettime64",
    "timer_settime", "timer_settime64", "timerfd_create", "timerfd_gettime", "timerfd_gettime64",
    "timerfd_settime", "timerfd_settime64",
    // waiting
    "epoll_create", "epoll_create1", "epoll_ctl", "epoll_ctl_old", "epoll_pwait", "epoll_pwait2",
    "epoll_wait", "epoll_wait_old", "eventfd", "eventfd2", "_newselect", "poll", "ppoll",
    "ppoll_time64", "pselect6", "pselect6_time64", "select", "pipe", "pipe2", "io_cancel",
    "io_destroy", "io_getevents", "io_pgetevents", "io_pgetevents_time64", "io_setup", "io_submit",
    // sockets and System V and POSIX IPC, all inside the container's namespaces
    "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "listen",
    "recv", "recvfrom", "recvmmsg", "recvmmsg_time64", "recvmsg", "send", "sendmmsg", "sendmsg",
    "sendto", "setsockopt", "shutdown", "socket", "socketcall", "socketpair", "ipc", "mq_getsetattr",
    "mq_notify", "mq_open", "mq_timedreceive", "mq_timedreceive_time64", "mq_timedsend",
    "mq_timedsend_time64", "mq_unlink", "msgctl", "msgget", "msgrcv", "msgsnd", "semctl", "semget",
    "semop", "semtimedop", "semtimedop_time64", "shmat", "shmctl", "shmdt", "shmget",
};

constexpr const char* kSysAdmin[] = {
    "bpf", "fanotify_init", "fanotify_mark", "fsconfig", "fsmount", "fsopen", "fspick", "mount",
    "mount_setattr", "move_mount", "open_tree", "perf_event_open", "pivot_root", "quotactl",
    "quotactl_fd", "setdomainname", "sethostname", "setns", "umount", "umount2", "unshare"};
constexpr const char* kSysChroot[] = {"chroot"};
constexpr const char* kSysBoot[] = {"reboot"};
constexpr const char* kSysModule[] = {"delete_module", "finit_module", "init_module"};
constexpr const char* kSysTime[] = {"adjtimex", "clock_adjtime", "clock_adjtime64", "clock_settime",
                                    "clock_settime64", "settimeofday", "stime"};
constexpr const char* kSysTtyConfig[] = {"vhangup"};
constexpr const char* kSysRawIo[] = {"ioperm", "iopl"};
constexpr const char* kSysPacct[] = {"acct"};
constexpr const char* kSysNice[] = {"get_mempolicy", "mbind", "migrate_pages", "move_pages",
                                    "set_mempolicy", "set_mempolicy_home_node"};
constexpr const char* kDacReadSearch[] = {"open_by_handle_at"};
constexpr const char* kSyslog[] = {"syslog"};
constexpr const char* kBpf[] = {"bpf"};
constexpr const char* kPerfmon[] = {"perf_event_open"};
// clang-format on

constexpr CapabilityCalls kByCapability[] = {
    {CAP_SYS_ADMIN, kSysAdmin}, {CAP_SYS_CHROOT, kSysChroot},
    {CAP_SYS_BOOT, kSysBoot},   {CAP_SYS_MODULE, kSysModule},
    {CAP_SYS_TIME, kSysTime},   {CAP_SYS_TTY_CONFIG, kSysTtyConfig},
    {CAP_SYS_RAWIO, kSysRawIo}, {CAP_SYS_PACCT, kSysPacct},
    {CAP_SYS_NICE, kSysNice},   {CAP_DAC_READ_SEARCH, kDacReadSearch},
    {CAP_SYSLOG, kSyslog},      {CAP_BPF, kBpf},
    {CAP_PERFMON, kPerfmon},
};

}  // namespace

std::span<const char* const> DefaultAllowedCalls() { return kAllowed; }
std::span<const CapabilityCalls> CapabilityAllowedCalls() { return kByCapability; }

}  // namespace husk::container
