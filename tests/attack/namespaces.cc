// A new user namespace, in which every capability is there, and what that opens in the kernel; the
// namespaces of others.
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "attack.h"

using namespace attack;

namespace {

long CloneRaw(unsigned long flags) {
    const long child = syscall(SYS_clone, flags | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
    if (child == 0) _exit(0);
    if (child > 0) waitpid(static_cast<pid_t>(child), nullptr, 0);
    return child;
}

long Clone3(unsigned long flags) {
    unsigned long long arguments[11] = {};
    arguments[0] = flags;
    arguments[4] = SIGCHLD;
    const long child = syscall(SYS_clone3, arguments, sizeof arguments);
    if (child == 0) _exit(0);
    if (child > 0) waitpid(static_cast<pid_t>(child), nullptr, 0);
    return child;
}

long MountIn(const char* type) {
    mkdir("/tmp/attack-mount", 0700);
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID) != 0) return -1;
    const pid_t child = fork();  // the first in the new PID namespace
    if (child == 0) _exit(mount(type, "/tmp/attack-mount", type, 0, nullptr) < 0 ? errno : 0);
    int status = 0;
    waitpid(child, &status, 0);
    errno = WEXITSTATUS(status);
    return WEXITSTATUS(status) == 0 ? 0 : -1;
}

}  // namespace

int main() {
    AttemptInChild("unshare of users", [] { return static_cast<long>(unshare(CLONE_NEWUSER)); });
    AttemptInChild("unshare of mounts", [] { return static_cast<long>(unshare(CLONE_NEWNS)); });
    AttemptInChild("unshare of networks", [] { return static_cast<long>(unshare(CLONE_NEWNET)); });
    Attempt("clone with users", CloneRaw(CLONE_NEWUSER));
    Attempt("clone with users and mounts", CloneRaw(CLONE_NEWUSER | CLONE_NEWNS));
    Attempt("clone3 with users", Clone3(CLONE_NEWUSER));
    AttemptInChild("proc anew, without masks", [] { return MountIn("proc"); });
    AttemptInChild("tmpfs in a new user namespace", [] { return MountIn("tmpfs"); });
    // Of its own: it must not even be asked.
    const int own = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);
    Attempt("setns", setns(own, 0));
    Done();
}
