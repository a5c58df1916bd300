#include "init/child.h"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

namespace husk::init {
namespace {

// `cgroup` -1 = where the caller is.
pid_t Clone(int cgroup) {
    clone_args arguments{};
    arguments.exit_signal = SIGCHLD;
    if (cgroup >= 0) {
        arguments.flags = CLONE_INTO_CGROUP;
        arguments.cgroup = static_cast<uint64_t>(cgroup);
    }
    // Neither musl nor glibc wraps it.
    const long pid = ::syscall(SYS_clone3, &arguments, sizeof arguments);
    return pid < 0 ? -errno : static_cast<pid_t>(pid);
}

void ResetSignals() {
    // Handlers go at execve(2), but what is ignored stays ignored: signal(7). libc keeps some
    // numbers for itself and refuses them, which is fine.
    for (int signal = 1; signal < _NSIG; ++signal) (void)::signal(signal, SIG_DFL);
    sigset_t none;
    ::sigemptyset(&none);
    (void)::sigprocmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace

pid_t StartChild(const char* cgroup, ChildMain run, const void* argument) {
    const OwnedFd leaf(::open(cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC));
    pid_t pid = Clone(leaf.get());
    // In a namespace that may not delegate the child stays with PID 1; no more memory or no more
    // pids is another matter.
    if (leaf && pid < 0 && pid != -ENOMEM && pid != -EAGAIN) pid = Clone(-1);
    if (pid != 0) return pid;
    (void)::setsid();  // cannot fail in a process that was just made
    ResetSignals();
    run(argument);
    ::_exit(127);
}

ChildEnvironment::ChildEnvironment(const char* home) {
    size_t size = 0;
    entries_[size++] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    entries_[size++] = home;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        if (std::strncmp(*entry, "TERM=", 5) != 0) continue;
        entries_[size++] = *entry;
        break;
    }
    entries_[size] = nullptr;
}

}  // namespace husk::init
