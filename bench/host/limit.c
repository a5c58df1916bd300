/* The limit program as a command, and as what starts a program again when it has died. What runs
 * writes to standard output. limit once STAMP CGROUP FOLDER FILTER       one container, reaped;
 * FOLDER is what `start --device-tree` prepares limit again STAMP CGROUP FOLDER FILTER      a
 * container that stays, another one as soon as it has died limit again-kept STAMP CGROUP FOLDER
 * FILTER    the same in a network namespace that is kept limit plain STAMP a process that stays,
 * another one as soon as it has died */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bare.h"

static int fail(const char* what) {
    perror(what);
    return 1;
}

static int plain(char* program) {
    char *argv[] = {program, NULL}, *envp[] = {NULL};
    int status;
    for (;;) {
        const pid_t pid = vfork();
        if (pid == 0) {
            execve(program, argv, envp);
            _exit(100);
        }
        if (pid < 0 || waitpid(pid, &status, 0) != pid) return fail("plain");
        if (!WIFSIGNALED(status)) return fail(program);
    }
}

static int read_filter(const char* path, struct bare* bare) {
    static struct sock_filter filter[4096];
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t size = read(fd, filter, sizeof filter);
    close(fd);
    bare->filter = filter;
    bare->filter_length = (unsigned short)((size_t)size / sizeof *filter);
    return size > 0 ? 0 : -1;
}

static int keep_network(struct bare* bare) {
    bare->home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (bare->home < 0 || unshare(CLONE_NEWNET) != 0) return -1;
    bare->network = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    (void)mkdir(bare->network_files, 0755); /* or mount(2) says so */
    if (mount("sysfs", bare->network_files, "sysfs", 0, NULL) != 0) return -1;
    return bare->network < 0 ? -1 : setns(bare->home, CLONE_NEWNET);
}

int main(int argc, char** argv) {
    static char devices[200], staging[200], sysfs[200], leaf[200];
    struct rlimit files;
    int status;
    if (argc == 3 && strcmp(argv[1], "plain") == 0) return plain(argv[2]);
    if (argc != 6) return 2;
    const int once = strcmp(argv[1], "once") == 0;
    snprintf(devices, sizeof devices, "%s/dev", argv[4]);
    snprintf(staging, sizeof staging, "%s/root", argv[4]);
    snprintf(sysfs, sizeof sysfs, "%s/sys", argv[4]);
    snprintf(leaf, sizeof leaf, "%s/%s", argv[3], argv[1]);
    getrlimit(RLIMIT_NOFILE, &files);
    struct bare bare = {.cgroups = argv[3],
                        .staging = staging,
                        .device_tree = devices,
                        .program = argv[2],
                        .argument = once ? "once" : NULL,
                        .out = 1,
                        .network_files = sysfs,
                        .files = files.rlim_max};
    if (read_filter(argv[5], &bare) != 0) return fail(argv[5]);
    if (strcmp(argv[1], "again-kept") == 0 && keep_network(&bare) != 0) return fail("network");
    do {
        const pid_t pid = bare_start(&bare, argv[1], 524288);
        if (waitpid(pid, &status, 0) != pid) return fail("wait");
    } while (!once && WIFSIGNALED(status)); /* who ends by itself could not be started */
    while (rmdir(leaf) != 0 && errno == EBUSY)
        usleep(500); /* the kernel lets go of it a moment later */
    return status;
}
