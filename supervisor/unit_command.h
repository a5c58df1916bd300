// A process of a unit beside its main one: a command of Exec…=, a health check, a program of `husk
// exec`. It lives in a cgroup of its own below the unit's leaf: no controller is enabled there, so
// that the unit's limits hold for both together, and it can be killed with all that it started.
#pragma once

#include <cstdint>
#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/event_loop.h"
#include "container/cgroup.h"
#include "container/launch.h"
#include "supervisor/exit_info.h"
#include "supervisor/init_link.h"

namespace husk::supervisor {

// A child of ours that has ended; its status as waitpid(2) gives it.
struct GoneChild {
    pid_t pid = 0;
    int wait_status = 0;
};
// Looked at, but left to be waited for: were we to die before the record is written, PID 1 would
// inherit the zombie and a new supervisor would still learn how it ended. Nothing: it has not
// ended.
std::optional<GoneChild> LookAtChild(int pidfd);
// Waits, in the loop, for a child that was killed and whose end is of no interest. The first process
// of its PID namespace cannot end before that (pid_namespaces(7)).
void ReapLater(EventLoop& loop, OwnedFd pidfd);

struct CommandEnd {
    ExitInfo exit;  // kStartFailed with its text where the program was never executed
    // Of kStartFailed, where it was execve that refused: its errno. 0: something else failed.
    int execute_error = 0;
};

class UnitCommand {
  public:
    using Done = std::function<void(const CommandEnd&)>;
    struct Order {
        container::Program program;
        // Filled in but for `program` and `cgroup`. Who lent descriptors may close them after.
        container::LaunchInput input;
        // The cgroup's name: "command" is LEAF/command, or LEAF/command-1 where that one is taken.
        const char* group = "command";
        bool kill_rest = true;  // once it has ended, what it has left behind
        // Called once, from the loop. The object may be destroyed in it.
        Done done;
        // Called when the pid is known, before the process goes on: what is to be on record.
        std::function<Status()> save;
    };

    // `plan` explains what fails, and may be another or none by then.
    UnitCommand(EventLoop& loop, std::string leaf, const std::unique_ptr<container::Plan>& plan)
        : loop_(loop), leaf_(std::move(leaf)), plan_(plan) {}
    ~UnitCommand();
    UnitCommand(const UnitCommand&) = delete;
    UnitCommand& operator=(const UnitCommand&) = delete;

    // An error: nothing runs, and `done` is not called. One at a time.
    Status Start(Order order);
    // One that an earlier supervisor started. False: it is gone, and how it ended PID 1 knows, or
    // nobody does.
    bool Adopt(pid_t pid, uint64_t start_time, std::string group, Done done);
    // Of an adopted one: true where the exit was its own.
    bool TakeOrphanExit(const OrphanExit& exit);

    bool IsRunning() const { return pid_ != 0; }
    pid_t pid() const { return pid_; }
    uint64_t start_time() const { return start_time_; }
    const std::string& group() const { return group_; }  // the cgroup's path
    bool own_child() const { return own_child_; }        // otherwise PID 1's
    void Signal(int signal);                             // to the process alone
    void Kill();                                         // with all that it started; `done` follows

  private:
    void OnStatus();
    void OnGone();
    void Finish(int wait_status, Instant at);
    void Abandon();
    void Forget();

    EventLoop& loop_;
    std::string leaf_;
    const std::unique_ptr<container::Plan>& plan_;
    container::Program program_;
    std::string group_;
    OwnedFd pidfd_, status_;
    pid_t pid_ = 0;
    uint64_t start_time_ = 0, oom_kills_before_ = 0;
    bool own_child_ = false, kill_rest_ = true;
    std::optional<CommandEnd> failure_;
    Done done_;
    EventLoop::TimerId patience_ = 0;
};

// Of `husk exec`.
inline constexpr const char* kSessionGroup = "exec";

// A cgroup below `leaf` that nobody is in and that was never killed (see ARCHITECTURE.md,
// "cgroups"): `name`, or that with a number. The kernel lets go of a killed one only after some
// milliseconds, so that the next in turn is taken rather than waited for.
Result<std::string> MakeGroupBelow(const std::string& leaf, std::string_view name);
// Ends what is in such cgroups of `leaf` whose name begins with `name`.
void KillGroupsBelow(const std::string& leaf, std::string_view name);

}  // namespace husk::supervisor
