// What a unit can be asked to do, and what two askings come to: pure.
#pragma once

#include <cstdint>

#include <optional>

#include "supervisor/lifecycle.h"

namespace husk::supervisor {

enum class JobKind : uint8_t {
    kNone,
    kVerifyActive,  // it has to be up; where it is, there is nothing to do
    kStart,
    kReload,
    kReloadOrStart,
    kRestart,
    kStop,
};
inline constexpr int kJobKinds = static_cast<int>(JobKind::kStop) + 1;
const char* JobName(JobKind kind);  // "none", "verify-active", …

// Both asked for at once: the one job that does both, as systemd has it (job.c's table). None where
// they contradict each other: a stop beside anything but a stop.
std::optional<JobKind> MergeJobs(JobKind one, JobKind other);

// A new asking beside one that has not been carried out yet: the two together, or where they
// contradict each other, the new one alone (systemctl(1), --job-mode=replace).
JobKind ReplaceOrMerge(JobKind queued, JobKind fresh);

// What is left to do of it for a unit in this state: a start of what is up verifies that, and a
// reload or start is one of the two.
JobKind Collapse(JobKind kind, State state);

// Whether the unit goes down for it.
inline bool GoesDownFor(JobKind kind) {
    return kind == JobKind::kStop || kind == JobKind::kRestart;
}

}  // namespace husk::supervisor
