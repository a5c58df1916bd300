// Starting a planned container: the parent's side.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "container/child.h"
#include "container/plan.h"

namespace husk::container {

struct LaunchInput {
    int cgroup = -1;                   // open leaf; the child is born in it. -1: the parent's
    std::vector<OwnedFd> attachments;  // by slot, from rootfs::OpenAttachment
    int standard_in = -1, standard_out = -1, standard_error = -1;
    int join_network = -1;  // NetworkKind::kJoin: descriptor of the network namespace
};

// A child that waits for Go(). Destroyed before that, the child is killed and reaped.
class Launching {
  public:
    Launching(Launching&&) = default;
    Launching& operator=(Launching&&) = delete;
    ~Launching();

    pid_t pid() const { return pid_; }
    // Lets the child go on; from here on it is a process like any other.
    Status Go();
    // After Go(): descriptors for the caller's event loop.
    OwnedFd TakePidfd() { return std::move(pidfd_); }
    OwnedFd TakeStatus() { return std::move(status_); }

  private:
    friend Result<Launching> Launch(const Plan& plan, LaunchInput input);
    Launching() = default;

    pid_t pid_ = -1;
    OwnedFd pidfd_, status_, go_;
};

// clone3(2) with the plan's namespaces; writes id maps, oom score and nice level, so that the child
// only has to go on.
Result<Launching> Launch(const Plan& plan, LaunchInput input);

// To be called when the status descriptor becomes readable. True: execve succeeded. An error: what
// failed, in words; the exit of the child follows.
Result<bool> ReadStatus(int status, const Plan& plan);
// The words for a report. Pure.
Error Explain(const ChildReport& report, const Plan& plan);

}  // namespace husk::container
