// The child of a launch: everything between clone3(2) and execve(2).
//
// Contract: allocates nothing, takes no lock, logs nothing, calls only system calls (the build
// checks the symbols of this file's object). It runs in a copy of the supervisor's memory, so it
// may read the plan. The first failure is reported on the status pipe and ends it.
#pragma once

#include <cstdint>

#include "container/plan.h"
#include "container/reaper.h"

namespace husk::container {

struct ChildInput {
    int go = -1;      // one byte: go on; end of file: the supervisor is gone
    int status = -1;  // close-on-exec: end of file means that execve succeeded
    int standard_in = -1, standard_out = -1, standard_error = -1;
    bool terminal = false;  // standard input becomes the controlling terminal of its session
    const int* attachments = nullptr;  // by slot of the root plan
    const Program* program = nullptr;
    const rootfs::UserIds* user = nullptr;
    const char* const* envp = nullptr;
    // Where in the environment the child's own pid is to stand: room for kPidRoom bytes each.
    char* const* own_pids = nullptr;
    unsigned own_pid_count = 0;
    // A process whose namespaces are entered instead of making some, and which of them.
    int join_pidfd = -1, join_flags = 0;
    // These become 3, 4, … and `notify_number`, and all have numbers above those. Where there are
    // any, so has `status`.
    const int* passed = nullptr;
    unsigned passed_count = 0;
    int notify = -1, notify_number = -1;
    // The program becomes the child of this one, which stays (reaper.h); nothing: it is this one.
    const ReaperMemory* reaper = nullptr;
};

inline constexpr size_t kPidRoom = 12;

inline constexpr uint32_t kReportHeadSize = 1024;

// What the child sends when a stage fails: one write, smaller than PIPE_BUF, so never torn.
struct ChildReport {
    Stage stage{};
    uint32_t step = 0;  // kTree: index of the step; kExecute: index of the program
    int32_t error = 0;  // errno
    // kExecute: how much of the program's file follows; kTree: of the file system's own words
    uint32_t head_size = 0;
    char head[kReportHeadSize] = {};
};
static_assert(sizeof(ChildReport) <= 4096);

// Exit code of a child that failed before execve: the stage can be told from it even when nobody is
// there to read the report.
inline constexpr int kChildFailedBase = 200;

// The system calls that the child makes under the container's filter. Without no_new_privs the
// filter comes while there still is CAP_SYS_ADMIN (seccomp(2)), so before all of these; with it,
// before execve alone.
inline constexpr const char* kCallsUnderFilter[] = {
    "execve",  "capset", "close",          "close_range", "dup2",      "dup3",      "fchdir",
    "openat2", "prctl",  "rt_sigprocmask", "setgroups",   "setresgid", "setresuid", "umask"};

[[noreturn]] void RunChild(const Plan& plan, const ChildInput& input);

}  // namespace husk::container
