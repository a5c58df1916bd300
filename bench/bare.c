/* The limit program, see bare.h: as an init it starts BENCH_COUNT containers in a loop, or, with BENCH_KIND=plain, as many
 * plain processes, and stays. With BARE_AS_FUNCTION only the function, for bench/host. */
#define _GNU_SOURCE
#include "bare.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define TRY(call)                                                            \
    do {                                                                     \
        if ((call) < 0) {                                                    \
            dprintf(2, "bare.c:%d: %s: %m\n", __LINE__, #call);              \
            _exit(100);                                                      \
        }                                                                    \
    } while (0)
#define QUIET (MS_NOSUID | MS_NODEV)

struct attributes {
    unsigned long long set, clear, propagation, user_namespace;
};
struct arguments {
    unsigned long long flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
        set_tid_size, cgroup;
};
enum { READ_ONLY = 1, NO_SUID = 2, NO_DEV = 4, NO_EXEC = 8 };

static void put(const char *folder, const char *name, const char *text) {
    char path[200];
    int fd;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    TRY(fd = open(path, O_WRONLY | O_CLOEXEC));
    TRY(write(fd, text, strlen(text)));
    close(fd);
}

static int detached(const char *source, unsigned set) {
    struct attributes wanted = {set, 0, MS_PRIVATE, 0};
    int fd;
    TRY(fd = (int)syscall(SYS_open_tree, AT_FDCWD, source, 1 | O_CLOEXEC));
    TRY(syscall(SYS_mount_setattr, fd, "", 0x1000, &wanted, sizeof wanted));
    return fd;
}

static void file(const char *path, const char *text) {
    int fd;
    TRY(fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
    TRY(write(fd, text, strlen(text)));
    close(fd);
}

static void read_only(const char *path) {
    struct attributes wanted = {READ_ONLY, 0, 0, 0};
    TRY(syscall(SYS_mount_setattr, AT_FDCWD, path, 0, &wanted, sizeof wanted));
}

static void root(const char *staging, int devices, int program, int network_files) {
    static const char *const folders[] = {"/proc", "/dev", "/sys", "/tmp", "/run", "/etc", "/var", "/var/tmp"};
    static const char *const protected[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
    static const char *const masked[] = {
        "/proc/acpi",       "/proc/asound",      "/proc/interrupts",  "/proc/kcore",
        "/proc/keys",       "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
        "/proc/sched_debug", "/proc/scsi",       "/sys/firmware",     "/sys/devices/virtual/powercap"};
    TRY(mount("tmpfs", staging, "tmpfs", QUIET, "mode=755,size=16m"));
    TRY(chdir(staging));
    TRY(syscall(SYS_pivot_root, ".", "."));
    for (size_t i = 0; i < sizeof folders / sizeof *folders; ++i) TRY(mkdir(folders[i], 0755));
    file("/stamp", "");
    file("/etc/hostname", "bare\n");
    file("/etc/hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n127.0.1.1\tbare\n");
    file("/etc/resolv.conf", "");
    file("/etc/passwd", "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n");
    file("/etc/group", "root:x:0:\nnogroup:x:65534:\n");
    TRY(syscall(SYS_move_mount, devices, "", AT_FDCWD, "/dev", 4));
    TRY(mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5"));
    TRY(mount("tmpfs", "/dev/shm", "tmpfs", QUIET | MS_NOEXEC, "mode=1777,size=64m"));
    TRY(mount("mqueue", "/dev/mqueue", "mqueue", QUIET | MS_NOEXEC, NULL));
    if (network_files >= 0) TRY(syscall(SYS_move_mount, network_files, "", AT_FDCWD, "/sys", 4));
    else TRY(mount("sysfs", "/sys", "sysfs", QUIET | MS_NOEXEC | MS_RDONLY, NULL));
    TRY(mount("cgroup2", "/sys/fs/cgroup", "cgroup2", QUIET | MS_NOEXEC | MS_RDONLY, NULL));
    TRY(mount("tmpfs", "/tmp", "tmpfs", QUIET, "mode=1777"));
    TRY(mount("tmpfs", "/var/tmp", "tmpfs", QUIET, "mode=1777"));
    TRY(mount("tmpfs", "/run", "tmpfs", QUIET, "mode=755"));
    TRY(syscall(SYS_move_mount, program, "", AT_FDCWD, "/stamp", 4));
    TRY(mount("proc", "/proc", "proc", QUIET | MS_NOEXEC, NULL));
    for (size_t i = 0; i < sizeof protected / sizeof *protected; ++i)
        if (mount(protected[i], protected[i], NULL, MS_BIND | MS_REC, NULL) == 0) read_only(protected[i]);
    for (size_t i = 0; i < sizeof masked / sizeof *masked; ++i)
        if (mount("/dev/null", masked[i], NULL, MS_BIND, NULL) != 0 && errno == ENOTDIR)
            TRY(mount("tmpfs", masked[i], "tmpfs", MS_RDONLY | QUIET | MS_NOEXEC, "size=0k,mode=000"));
    read_only("/");
    TRY(umount2(".", MNT_DETACH));
}

static void loopback_up(void) {
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    int fd;
    TRY(fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    TRY(ioctl(fd, SIOCSIFFLAGS, &request));
    close(fd);
}

static void become_root(void) {
    TRY(syscall(SYS_setgroups, 0, NULL));
    TRY(syscall(SYS_setresgid, 0, 0, 0));
    TRY(syscall(SYS_setresuid, 0, 0, 0));
}

static void child(const struct bare *bare, const char *name, int go, int devices, int program,
                  int network_files) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};
    struct sock_fprog filter = {bare->filter_length, bare->filter};
    unsigned long long no_signals = 0;
    char *argv[] = {"/stamp", (char *)bare->argument, NULL}, *envp[] = {NULL};
    char byte;
    int null;
    TRY(read(go, &byte, 1) == 1 ? 0 : -1);
    become_root();
    TRY(setsid());
    TRY(unshare(CLONE_NEWCGROUP));
    TRY(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    TRY(null = open("/dev/null", O_RDWR));
    umask(0);
    root(bare->staging, devices, program, network_files);
    TRY(sethostname(name, strlen(name)));
    if (!bare->network) loopback_up();
    syscall(SYS_keyctl, 1, NULL);
    for (int capability = 0; prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0; ++capability) continue;
    TRY(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    become_root();
    TRY(syscall(SYS_capset, &header, none));
    umask(022);
    TRY(dup2(null, 0));
    TRY(dup2(bare->out, 1));
    TRY(dup2(bare->out, 2));
    TRY(syscall(SYS_close_range, 3, ~0u, 4));
    TRY(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &no_signals, NULL, 8));
    TRY(chdir("/"));
    TRY(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter));
    TRY(execve("/stamp", argv, envp));
}

pid_t bare_start(const struct bare *bare, const char *name, unsigned base) {
    struct rlimit files = {1024, bare->files}; /* the child may not raise the hard limit */
    char leaf[160], process[32], map[40];
    int go[2], group, pidfd = -1;
    snprintf(leaf, sizeof leaf, "%s/%s", bare->cgroups, name);
    if (mkdir(leaf, 0755) != 0) TRY(errno == EEXIST ? 0 : -1);
    if (bare->limits) {
        put(leaf, "memory.max", "33554432");
        put(leaf, "memory.oom.group", "1");
        put(leaf, "pids.max", "64");
    }
    TRY(group = open(leaf, O_PATH | O_DIRECTORY | O_CLOEXEC));
    int devices = detached(bare->device_tree, READ_ONLY | NO_EXEC | NO_SUID);
    int program = detached(bare->program, READ_ONLY | NO_SUID | NO_DEV);
    int network_files =
        bare->network ? detached(bare->network_files, READ_ONLY | NO_EXEC | NO_SUID | NO_DEV) : -1;
    TRY(pipe2(go, O_CLOEXEC));
    struct arguments arguments = {
        .flags = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWIPC |
                 (bare->network ? 0 : CLONE_NEWNET) | 0x1000 /* PIDFD */ |
                 0x300000000 /* INTO_CGROUP, CLEAR_SIGHAND */,
        .pidfd = (unsigned long long)(size_t)&pidfd,
        .exit_signal = SIGCHLD,
        .cgroup = (unsigned long long)group};
    pid_t pid;
    if (bare->network) TRY(setns(bare->network, CLONE_NEWNET));
    TRY(pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments));
    if (pid == 0) {
        close(go[1]); /* or the end of the file would never come */
        child(bare, name, go[0], devices, program, network_files);
    }
    if (bare->network) TRY(setns(bare->home, CLONE_NEWNET));
    snprintf(process, sizeof process, "/proc/%d", (int)pid);
    int size = snprintf(map, sizeof map, "0 %u 65536\n", base);
    (void)size;
    put(process, "oom_score_adj", "0");
    TRY(prlimit(pid, RLIMIT_NOFILE, &files, NULL));
    put(process, "uid_map", map);
    put(process, "gid_map", map);
    TRY(write(go[1], "g", 1));
    close(go[0]);
    close(go[1]);
    close(group);
    close(devices);
    close(program);
    if (network_files >= 0) close(network_files);
    close(pidfd); /* a supervisor keeps it */
    return pid;
}

#ifndef BARE_AS_FUNCTION

static void leave_initramfs(void) {
    int fd;
    TRY(fd = (int)syscall(SYS_open_tree, AT_FDCWD, "/", 1 | O_CLOEXEC));
    TRY(syscall(SYS_move_mount, fd, "", AT_FDCWD, "/", 4));
    TRY(fchdir(fd));
    TRY(chroot("."));
    TRY(chdir("/"));
    close(fd);
}

static void node(const char *path, unsigned major, unsigned minor) {
    TRY(mknod(path, S_IFCHR | 0666, makedev(major, minor)));
}

static void set_up(void) {
    static const char *const controllers[] = {"+cpu", "+memory", "+pids", "+io", "+cpuset"};
    leave_initramfs();
    TRY(mount("proc", "/proc", "proc", QUIET | MS_NOEXEC, NULL));
    TRY(mount("sysfs", "/sys", "sysfs", QUIET | MS_NOEXEC, NULL));
    TRY(mount("tmpfs", "/run", "tmpfs", QUIET, "mode=755"));
    TRY(mount("cgroup2", "/sys/fs/cgroup", "cgroup2", QUIET | MS_NOEXEC, "nsdelegate,memory_recursiveprot"));
    TRY(mkdir("/sys/fs/cgroup/init", 0755));
    TRY(mkdir("/sys/fs/cgroup/units", 0755));
    put("/sys/fs/cgroup/init", "cgroup.procs", "1");
    for (size_t i = 0; i < sizeof controllers / sizeof *controllers; ++i) {
        put("/sys/fs/cgroup", "cgroup.subtree_control", controllers[i]);
        put("/sys/fs/cgroup/units", "cgroup.subtree_control", controllers[i]);
    }
    umask(0);
    TRY(mkdir("/run/root", 0755));
    TRY(mkdir("/run/dev", 0755));
    TRY(mount("tmpfs", "/run/dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=64k"));
    node("/run/dev/null", 1, 3);
    node("/run/dev/zero", 1, 5);
    node("/run/dev/full", 1, 7);
    node("/run/dev/random", 1, 8);
    node("/run/dev/urandom", 1, 9);
    node("/run/dev/tty", 5, 0);
    TRY(mkdir("/run/dev/pts", 0755));
    TRY(mkdir("/run/dev/shm", 0755));
    TRY(mkdir("/run/dev/mqueue", 0755));
    umask(022);
}

static int containers(unsigned count, int out) {
    static struct sock_filter filter[4096];
    struct bare bare = {.cgroups = "/sys/fs/cgroup/units", .staging = "/run/root", .device_tree = "/run/dev",
                        .program = "/bench/stamp", .limits = 1, .files = 524288, .filter = filter, .out = out};
    int fd;
    ssize_t got;
    set_up();
    TRY(fd = open("/bench/filter", O_RDONLY | O_CLOEXEC));
    TRY(got = read(fd, filter, sizeof filter));
    bare.filter_length = (unsigned short)((size_t)got / sizeof *filter);
    for (unsigned i = 0; i < count; ++i) {
        char name[12];
        snprintf(name, sizeof name, "%u", i);
        bare_start(&bare, name, 524288 + i * 65536);
    }
    return 0;
}

static int plain_processes(unsigned count, int out) {
    char *argv[] = {"stamp", NULL}, *envp[] = {NULL};
    TRY(dup2(out, 1));
    for (unsigned i = 0; i < count; ++i) {
        pid_t pid;
        TRY(pid = fork());
        if (pid == 0) TRY(execve("/bench/stamp", argv, envp));
    }
    return 0;
}

int main(void) {
    const char *count = getenv("BENCH_COUNT"), *kind = getenv("BENCH_KIND");
    int out[2]; /* what is written fits into it: nobody reads */
    TRY(pipe2(out, O_CLOEXEC));
    if (kind && strcmp(kind, "plain") == 0) plain_processes((unsigned)atoi(count), out[1]);
    else containers((unsigned)atoi(count), out[1]);
    for (;;) pause();
}

#endif
