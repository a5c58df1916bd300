// UnitRunner's part in RunInit=: the main process is husk's own, and the program is its child.
#include <signal.h>

#include "base/file.h"
#include "base/text.h"
#include "container/reaper.h"
#include "supervisor/record.h"
#include "supervisor/unit_runner.h"

namespace husk::supervisor {
namespace {

constexpr size_t kProcLimit = 64 << 10;

std::string OfProcess(pid_t pid, const char* file) {
    return ReadFile(Cat("/proc/", std::to_string(pid), file), kProcLimit).value_or("");
}

}  // namespace

pid_t UnitRunner::ProgramPid() {
    if (!unit_.container.run_init) return record_.life.main_pid;
    if (record_.life.main_pid == 0) return 0;
    if (program_of_ == record_.main_start_time) return program_pid_;
    for (const pid_t pid : cgroup_.Processes()) {
        if (!IsSecondOfNamespace(OfProcess(pid, "/status"))) continue;
        program_of_ = record_.main_start_time;
        program_pid_ = pid;
        return pid;
    }
    return 0;  // not yet, or not any more
}

// `own`: it is a zombie of ours, which still has its name.
int UnitRunner::TrueStatus(int wait_status, bool own) const {
    if (!unit_.container.run_init) return wait_status;
    return container::ProgramStatus(
        wait_status, own ? OfProcess(record_.life.main_pid, "/stat") : std::string());
}

// What the first process is sent it passes on to the program, which has it already.
void UnitRunner::SignalBelowInit(int signal) {
    for (const pid_t pid : cgroup_.Processes())
        if (pid != record_.life.main_pid) (void)::kill(pid, signal);  // it may have ended
}

}  // namespace husk::supervisor
