// Starting a process of PID 1's own.
#pragma once

#include <sys/types.h>

namespace husk::init {

// What the new process does; it must end in execve(2) or _exit(2). PID 1's memory is its own copy.
using ChildMain = void (*)(const void* argument);

// In the cgroup at `cgroup` where that can be joined, else where PID 1 is. The child starts in a
// session of its own with all signals at their defaults and none blocked. Returns its pid, or minus
// an errno.
//
// A copy by clone3(2), not vfork(2): a child on PID 1's own stack would need assembly, and the few
// pages that PID 1 has are copied in some tens of microseconds.
pid_t StartChild(const char* cgroup, ChildMain run, const void* argument);

// The environment of both: PATH, HOME, and TERM as the kernel or the console gave it.
class ChildEnvironment {
  public:
    explicit ChildEnvironment(const char* home);
    char* const* get() const { return const_cast<char* const*>(entries_); }

  private:
    const char* entries_[4];
};

}  // namespace husk::init
