// How a main process ended, told apart by what the kernel knows, and in words.
#pragma once

#include <cstdint>

#include <string>

#include "base/time.h"
#include "config/unit.h"

namespace husk::supervisor {

enum class ExitKind {
    kNone,
    kExited,       // code
    kSignal,       // signal; core
    kOom,          // the kernel killed it for memory: memory.events counted an oom_kill
    kStartFailed,  // never got to execve; text says which step and why
    kUnknown,      // ended while nobody who could reap it was there
};

struct ExitInfo {
    ExitKind kind = ExitKind::kNone;
    int code = 0;
    int signal = 0;
    bool core_dumped = false;
    uint64_t oom_kills = 0;        // in this run
    uint64_t memory_limit = 0;     // bytes, for the words; 0 = none
    std::string text;              // kStartFailed
    Instant at{};
    int64_t at_realtime = 0;       // ns since 1970
};

// From wait status (waitpid(2)) and how often memory.events' oom_kill rose during the run. A main
// process that was not killed by SIGKILL was not ended by the OOM killer, whatever the count.
ExitInfo ExitFromWaitStatus(int wait_status, uint64_t oom_kills, uint64_t memory_limit, Instant at,
                            int64_t at_realtime);

// "exited with code 1", "killed by SIGSEGV (core dumped)", "killed for memory (limit 64.0M)",
// "start failed: mount 'tmpfs' on '/tmp': No space left on device".
std::string Describe(const ExitInfo& exit);

// systemd's table (systemd.service, SuccessExitStatus=): code 0 and SIGHUP, SIGINT, SIGTERM, SIGPIPE
// are clean, plus what the set adds. An OOM kill and a failed start never are.
bool IsClean(const ExitInfo& exit, const config::ExitStatusSet& success);
// systemd's table of Restart= (man systemd.service, table 1), with the prevent and force sets.
bool WantsRestart(const ExitInfo& exit, config::RestartPolicy policy,
                  const config::ExitStatusSet& success, const config::ExitStatusSet& prevent,
                  const config::ExitStatusSet& force);

}  // namespace husk::supervisor
