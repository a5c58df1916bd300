/* In a measured guest: does something when whoever asked for it sleeps again, between two marks of the kind "other".
 *
 *     deed kill PID          one mark, and then SIGKILL
 *     deed PROGRAM [WORD...] runs it to its end */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mark.h"

static void now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    MARK(MARK_OTHER);
    mark_time((int64_t)at.tv_sec * 1000000000 + at.tv_nsec);
}

static void say(const char *line) {
    FILE *log = fopen("/dev/kmsg", "w");
    if (log == NULL) return;
    fputs(line, log);
    fclose(log);
}

static int run(char **words) {
    int status;
    now();
    if (strcmp(words[0], "husk") == 0 && words[1] && strcmp(words[1], "poweroff") == 0) say("<0>bench: deed\n");
    pid_t pid = fork();
    if (pid == 0) {
        execvp(words[0], words);
        _exit(127);
    }
    waitpid(pid, &status, 0);
    now();
    return status != 0;
}

int main(int argc, char **argv) {
    if (argc < 2) return 1;
    if (fork() != 0) return 0;
    setsid();
    close(0), close(1), close(2); /* the agent waits for their end */
    sleep(1);
    if (strcmp(argv[1], "kill") != 0) return run(argv + 1);
    now();
    return kill(atoi(argv[2]), SIGKILL);
}
