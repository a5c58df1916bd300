/* The init that a measured guest boots: gives the mark that all begins, and becomes the init that is measured, which
 * BENCH_INIT= on the kernel's command line names (the kernel puts such words into the environment). BENCH_ARGUMENT= is
 * the first argument of that one, and its environment has PATH= and, for bare.c, BENCH_COUNT= and BENCH_KIND=. What
 * this adds to the figure is one execve(2).
 *
 * BENCH_AGENT= is a program that is to run beside PID 1 when all is over. It sleeps for so long.
 *
 * Before that it waits: the kernel's threads still test its ciphers when it starts PID 1, and that is more work than
 * ten containers. */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "mark.h"

extern char **environ;

static void become_agent(char *agent) {
    char *argv[] = {agent, NULL}, *envp[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
    setsid();
    sleep(20);
    /* To the root of the namespace as it is by then. */
    if (setns((int)syscall(SYS_pidfd_open, 1, 0), CLONE_NEWNS) != 0) perror("setns");
    execve(agent, argv, envp);
    perror(agent);
    _exit(1);
}

int main(void) {
    char *program = getenv("BENCH_INIT");
    char *argv[] = {program, getenv("BENCH_ARGUMENT"), NULL};
    char *envp[4] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"};
    size_t given = 1;
    struct timespec now;
    if (program == NULL) return 1;
    for (char **one = environ; *one; ++one)
        if (given < 3 && (strncmp(*one, "BENCH_COUNT=", 12) == 0 || strncmp(*one, "BENCH_KIND=", 11) == 0))
            envp[given++] = *one;
    char *agent = getenv("BENCH_AGENT");
    if (agent != NULL) {
        mknod("/dev/ttyS1", S_IFCHR | 0600, makedev(4, 65)); /* where the agent listens, and nobody mounts devtmpfs */
        if (fork() == 0) become_agent(agent);
    }
    MARK(MARK_COUNT);
    sleep(2);
    clock_gettime(CLOCK_MONOTONIC, &now);
    MARK(MARK_BEGIN);
    mark_time((int64_t)now.tv_sec * 1000000000 + now.tv_nsec);
    execve(program, argv, envp);
    perror(program);
    return 1;
}
