// What a unit's record keeps for others: the job that waits for its turn (jobs.h), and whose end
// started it.
#include "base/text.h"
#include "supervisor/unit_runner.h"

namespace husk::supervisor {

void UnitRunner::KeepJob(JobKind kind, const std::string& why) {
    record_.job = kind;
    record_.job_why = why;
    Save();
}

void UnitRunner::ForgetJob() {
    record_.job = JobKind::kNone;
    record_.job_why.clear();
}

void UnitRunner::SetTrigger(const std::string& mark, bool save) {
    record_.trigger = mark;
    if (save) Save();
}

Status UnitRunner::SignalAll(int signal) {
    if (!HasProcesses(record_.life.state))
        return Fail("unit ", Quote(unit_.name), " has no process to signal");
    HUSK_TRY_WRAP(cgroup_.SignalAll(signal), "signal unit ", Quote(unit_.name));
    return {};
}

}  // namespace husk::supervisor
