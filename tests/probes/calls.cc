// Makes the system calls that it is told to, NAME[,ARGUMENT...], and prints what each says:
// "NAME,ARGUMENT ERRNO" and at last "end". A call that kills ends the lines.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

struct Call {
    const char* name;
    long number;
};
constexpr Call kCalls[] = {
    {"getppid", SYS_getppid},
    {"getcwd", SYS_getcwd},
    {"fchownat", SYS_fchownat},
    {"fchmodat", SYS_fchmodat},
    {"socket", SYS_socket},
    {"getpriority", SYS_getpriority},
    {"unshare", SYS_unshare},
    {"clone3", 435},
    {"setns", SYS_setns},
    {"keyctl", SYS_keyctl},
    {"ioctl", SYS_ioctl},
    {"personality", SYS_personality},
    {"ptrace", SYS_ptrace},
    {"mincore", SYS_mincore},
    {"sync", SYS_sync},
    {"newer", 1000},
#if defined(__x86_64__)
    {"x32-getppid", SYS_getppid | 0x40000000},
#endif
};

void Make(const char* text) {
    char copy[256];
    snprintf(copy, sizeof copy, "%s", text);
    char* name = strtok(copy, ",");
    long arguments[6] = {};
    for (long& argument : arguments)
        if (const char* word = strtok(nullptr, ",")) argument = strtol(word, nullptr, 0);
    for (const Call& call : kCalls) {
        if (strcmp(call.name, name) != 0) continue;
        const long result = syscall(call.number, arguments[0], arguments[1], arguments[2],
                                    arguments[3], arguments[4], arguments[5]);
        dprintf(1, "%s %d\n", text, result < 0 ? errno : 0);
        return;
    }
    dprintf(1, "%s unknown\n", text);
}

}  // namespace

int main(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) Make(argv[i]);
    dprintf(1, "end\n");
    // Process 1 of a PID namespace hears of a stop only if it listens.
    signal(SIGTERM, [](int) { _exit(0); });
    for (;;) pause();
}
