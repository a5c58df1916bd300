// Processes that are not the container's: signals, their memory, their files. Each is tried on all
// of them; the first that succeeds is enough.
#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "attack.h"

using namespace attack;

namespace {

int pids[4096];
int pid_count = 0;

// All numbers, so that none need be seen in /proc to be tried.
void FindPids() {
    for (int pid = 1; pid < 4096; ++pid)
        if (pid != getpid() && getpgid(pid) >= 0) pids[pid_count++] = pid;
}

void OnEach(const char* what, long (*act)(int pid)) {
    int error = ESRCH;
    for (int i = pid_count - 1; i >= 0; --i) {
        if (act(pids[i]) >= 0) {
            Say(what, "ok");
            return;
        }
        // Of kernel threads some calls say something else.
        if (errno != EINVAL && errno != ESRCH && errno != EIO && errno != ENODATA) error = errno;
    }
    Say(what, ErrorName(error));
}

long Open(int pid, const char* name, int flags) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    return open(path, flags | O_CLOEXEC);
}

long ReadMemory(int pid) {
    char own[8];
    // Where no address is known, the call tells whether it may look at all: EFAULT is "yes".
    const iovec local{own, sizeof own}, remote{reinterpret_cast<void*>(4096), sizeof own};
    const long got = process_vm_readv(pid, &local, 1, &remote, 1, 0);
    return got < 0 && errno == EFAULT ? 0 : got;
}

}  // namespace

int main() {
    FindPids();
    Say("others", pid_count > 0 ? "seen" : "none");
    OnEach("signal", [](int pid) -> long { return kill(pid, 0); });
    OnEach("signal of a stop", [](int pid) -> long { return kill(pid, SIGCONT); });
    OnEach("trace", [](int pid) -> long { return ptrace(PTRACE_SEIZE, pid, nullptr, nullptr); });
    OnEach("memory", ReadMemory);
    OnEach("memory as a file", [](int pid) { return Open(pid, "mem", O_RDWR); });
    OnEach("environment", [](int pid) -> long {
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/environ", pid);
        return ReadSome(path);
    });
    OnEach("root", [](int pid) { return Open(pid, "root/etc/husk/system.conf", O_RDONLY); });
    OnEach("directory", [](int pid) { return Open(pid, "cwd/etc/husk/system.conf", O_RDONLY); });
    OnEach("descriptors", [](int pid) { return Open(pid, "fd/0", O_RDONLY); });
    OnEach("take a descriptor", [](int pid) {
        const long handle = syscall(SYS_pidfd_open, pid, 0);
        return handle < 0 ? handle : syscall(SYS_pidfd_getfd, handle, 0, 0);
    });
    OnEach("namespace", [](int pid) { return Open(pid, "ns/mnt", O_RDONLY); });
    OnEach("limits", [](int pid) -> long {
        uint64_t limit[2];
        return syscall(SYS_prlimit64, pid, 7, nullptr, limit);
    });
    OnEach("weight", [](int pid) -> long { return Open(pid, "oom_score_adj", O_WRONLY); });
    Done();
}
