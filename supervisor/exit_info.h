// How a main process ended, told apart by what the kernel knows, and in words.
#pragma once

#include <cstdint>

#include <string>

#include "base/rare.h"
#include "base/time.h"
#include "config/unit.h"

namespace husk::supervisor {

enum class ExitKind {
    kNone,
    kExited,       // code
    kSignal,       // signal; core
    kOom,          // the kernel killed it for memory: memory.events counted an oom_kill
    kStartFailed,  // never got to execve; text says which step and why
    kTimeout,      // did not start in time and was ended for it; text says which time
    kDamaged,      // ended because its image is damaged; text says which block
    kWatchdog,     // gave no sign of life within WatchdogSec= and was ended for it; text says so
    kUnhealthy,    // its health checks failed and it was ended for it; text says which
    kUnknown,      // ended while nobody who could reap it was there
};

struct ExitInfo {
    ExitKind kind = ExitKind::kNone;
    int code = 0;
    int signal = 0;
    bool core_dumped = false;
    uint64_t oom_kills = 0;     // in this run
    uint64_t memory_limit = 0;  // bytes, for the words; 0 = none
    // kStartFailed, kTimeout, kDamaged, kWatchdog, kUnhealthy; of kOom where not the main process
    // was it
    Text text;
    Instant at{};
    int64_t at_realtime = 0;  // ns since 1970
};

// From wait status (waitpid(2)) and how often memory.events' oom_kill rose during the run. A main
// process that was not killed by SIGKILL was not ended by the OOM killer, whatever the count.
ExitInfo ExitFromWaitStatus(int wait_status, uint64_t oom_kills, uint64_t memory_limit, Instant at,
                            int64_t at_realtime);

// "exited with code 1", "killed by SIGSEGV (core dumped)", "killed for memory (limit 64.0M)",
// "start failed: mount 'tmpfs' on '/tmp': No space left on device". Where other processes of the
// unit were killed for memory, it says so too.
std::string Describe(const ExitInfo& exit);

// "killed for memory (limit 64.0M)"
std::string OomWords(const ExitInfo& exit);

// "exited", "signal", "oom", "start-failed", …: for records and the control protocol.
const char* ExitKindName(ExitKind kind);

// systemd.service(5), SuccessExitStatus=: code 0 and, except for Type=oneshot, SIGHUP, SIGINT,
// SIGTERM and SIGPIPE are clean, plus what the set adds. An end of any other kind never is.
bool IsClean(const ExitInfo& exit, const config::ExitStatusSet& success,
             config::ServiceType type = config::ServiceType::kExec);

struct RestartRules {
    config::RestartPolicy policy = config::RestartPolicy::kNo;
    const config::ExitStatusSet& success;
    const config::ExitStatusSet& prevent;  // wins over force and policy
    const config::ExitStatusSet& force;    // wins over policy
    config::ServiceType type = config::ServiceType::kExec;
};
// systemd.service(5), table 1 of Restart=. A failed start counts as an unclean exit code, as
// systemd's own codes from 200 do; an unknown end too. Oneshot is not restarted after a clean exit.
bool WantsRestart(const ExitInfo& exit, const RestartRules& rules);

}  // namespace husk::supervisor
