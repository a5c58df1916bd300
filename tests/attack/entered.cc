// Processes that husk sends into the container: until they execute what they are to, their memory
// and rights are the supervisor's.
//   entered [SECONDS]   looks for them and tries what a tracer would
//   entered kill        ends each as soon as it is there
//   entered hold        traces each, once it may, and never waits for it: its end is nobody else's
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <time.h>

#include "attack.h"

using namespace attack;

namespace {

time_t Now() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

// Whether its memory is the supervisor's still: the words of its command line are in it. The name
// of a process is no sign, since execve changes that after its memory.
bool IsHusk(int pid) {
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
    const long got = Read(path, text, sizeof text);
    return got > 0 && memmem(text, static_cast<size_t>(got), "supervise", 9) != nullptr;
}

long Open(int pid, const char* name, int flags) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    const int file = open(path, flags | O_CLOEXEC);
    if (file >= 0) close(file);
    return file;
}

struct Try {
    const char* what;
    long (*act)(int pid);
    int error = ESRCH;  // the last that says something; 0: it succeeded
};

Try tries[] = {
    {"memory", [](int pid) { return Open(pid, "mem", O_RDWR); }},
    {"root", [](int pid) { return Open(pid, "root/etc/husk/system.conf", O_RDONLY); }},
    {"directory", [](int pid) { return Open(pid, "cwd/.", O_RDONLY | O_DIRECTORY); }},
    {"program", [](int pid) { return Open(pid, "exe", O_RDONLY); }},
    {"descriptor", [](int pid) { return Open(pid, "fd/0", O_RDONLY | O_NONBLOCK); }},
    {"name of a descriptor",
     [](int pid) -> long {
         char path[64], text[64];
         snprintf(path, sizeof path, "/proc/%d/fd/1", pid);
         return readlink(path, text, sizeof text);
     }},
    {"environment",
     [](int pid) -> long {
         char path[64];
         snprintf(path, sizeof path, "/proc/%d/environ", pid);
         return ReadSome(path);
     }},
    {"namespace", [](int pid) { return Open(pid, "ns/mnt", O_RDONLY); }},
    {"join its namespaces",
     [](int pid) -> long {
         const long handle = syscall(SYS_pidfd_open, pid, 0);
         const long joined = handle < 0 ? -1 : syscall(SYS_setns, handle, 0x00020000 | 0x40000000);
         const int error = errno;
         if (handle >= 0) close(static_cast<int>(handle));
         errno = error;
         return joined;
     }},
    {"take a descriptor",
     [](int pid) -> long {
         const long handle = syscall(SYS_pidfd_open, pid, 0);
         const long taken = handle < 0 ? -1 : syscall(SYS_pidfd_getfd, handle, 1, 0);
         const int error = errno;
         if (handle >= 0) close(static_cast<int>(handle));
         if (taken >= 0) close(static_cast<int>(taken));
         errno = error;
         return taken;
     }},
    // Last: where it succeeds, on the container's own program, that waits for its tracer.
    {"trace",
     [](int pid) -> long {
         const long traced = ptrace(PTRACE_SEIZE, pid, nullptr, nullptr);
         const int error = errno;
         if (traced == 0 && !IsHusk(pid)) {
             kill(pid, SIGKILL);
             waitpid(pid, nullptr, __WALL);
         }
         errno = error;
         return traced;
     }},
};

void Inspect(int pid) {
    // Where it may: stopped, it stays what it is.
    const bool stopped = kill(pid, SIGSTOP) == 0;
    for (Try& one : tries) {
        const bool done = one.act(pid) >= 0;
        const int error = errno;
        // By now it may be the container's own program.
        if (!IsHusk(pid)) break;
        if (one.error == 0) continue;
        if (done)
            one.error = 0;
        else if (error != ESRCH && error != ENOENT && error != ENODATA)
            one.error = error;
    }
    if (stopped) kill(pid, SIGCONT);
}

}  // namespace

int main(int argc, char** argv) {
    signal(SIGTERM, [](int) { _exit(0); });
    const bool kills = argc > 1 && strcmp(argv[1], "kill") == 0;
    const bool holds = argc > 1 && strcmp(argv[1], "hold") == 0;
    const int seconds = argc > 1 ? atoi(argv[1]) : 15;
    Say("begun", "ok");
    // Numbers are given one after the other.
    int last = getpid(), seen = 0;
    for (const time_t until = Now() + seconds; kills || holds || Now() < until;) {
        for (int pid = last + 1; pid < last + 32; ++pid) {
            if (kills) {
                if (kill(pid, SIGKILL) == 0) last = pid;
                continue;
            }
            if (holds) {
                if (ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) == 0) last = pid;
                continue;
            }
            if (getpgid(pid) < 0) continue;
            last = pid;
            if (!IsHusk(pid)) continue;
            ++seen;
            Inspect(pid);
        }
    }
    Say("seen", seen);
    for (const Try& one : tries) Say(one.what, one.error == 0 ? "ok" : ErrorName(one.error));
    Stay();
}
