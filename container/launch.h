// Starting a planned container: the parent's side.
#pragma once

#include <sys/types.h>

#include <optional>
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

    const Program* program = nullptr;       // nothing: the plan's own
    const rootfs::UserIds* user = nullptr;  // nothing: the plan's; with an entry in its id map
    // A process of the container that runs: its namespaces are entered, none is made and no root
    // is built. Its program must have been executed, or its root would be the device's still.
    int join_pidfd = -1;
    // Beyond the program's own; a variable of the same name is replaced.
    std::vector<std::string> environment;
    // Names of variables whose value is the pid of the program as it sees it: "LISTEN_PID".
    std::vector<const char*> pid_variables;
    std::vector<int> passed_descriptors;  // 3, 4, … of the program (sd_listen_fds(3))
    // The program has this one at that number, from 3 on and none of the above; -1: none.
    int notify_descriptor = -1, notify_number = -1;
    bool terminal = false;  // standard input becomes the controlling terminal of its session
    bool reaper = false;    // a first process stays as the program's parent (reaper.h)
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
    // Sources of read-only mounts whose owners the kernel cannot map: they show as nobody.
    const std::vector<std::string>& unmapped() const { return unmapped_; }

  private:
    friend Result<Launching> Launch(const Plan& plan, LaunchInput input);
    Launching() = default;

    pid_t pid_ = -1;
    OwnedFd pidfd_, status_, go_;
    std::vector<std::string> unmapped_;
};

// clone3(2) with the plan's namespaces; writes id maps, also those of the attachments, oom score
// and nice level, so that the child only has to go on.
Result<Launching> Launch(const Plan& plan, LaunchInput input);

// To be called when the status descriptor becomes readable. Nothing: execve succeeded. A report:
// what failed; the exit of the child follows.
Result<std::optional<ChildReport>> ReadReport(int status);
// The same in words, for a launch of the plan's own program.
Status ReadStatus(int status, const Plan& plan);
// The words for a report. Pure. `program` is what the launch was given.
Error Explain(const ChildReport& report, const Plan& plan, const Program& program);

}  // namespace husk::container
