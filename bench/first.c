/* The init that bench/run boots: takes the time and becomes the init that is measured, with FIRST=nanoseconds in its
 * environment. BENCH_INIT= on the kernel's command line names that one (the kernel puts such words there). What this
 * adds to the figure is one execve(2). */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int main(void) {
    static char first[40];
    char *program = getenv("BENCH_INIT");
    char *argv[] = {"init", NULL}, *envp[] = {first, NULL};
    struct timespec now;
    if (program == NULL) return 1;
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(first, sizeof first, "FIRST=%lld", (long long)now.tv_sec * 1000000000 + now.tv_nsec);
    execve(program, argv, envp);
    perror(program);
    return 1;
}
