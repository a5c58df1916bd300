#include "supervisor/job.h"

#include <cstddef>

namespace husk::supervisor {
namespace {

constexpr JobKind kNo = JobKind::kNone;  // the two contradict each other
constexpr JobKind kVerify = JobKind::kVerifyActive, kStart = JobKind::kStart,
                  kReload = JobKind::kReload, kEither = JobKind::kReloadOrStart,
                  kRestart = JobKind::kRestart, kStop = JobKind::kStop;

// By kind, from kVerifyActive on. Symmetric.
constexpr JobKind kMerged[][6] = {
    /*                  verify    start     reload    either    restart   stop  */
    /* verify-active */ {kVerify, kStart, kReload, kEither, kRestart, kNo},
    /* start         */ {kStart, kStart, kEither, kEither, kRestart, kNo},
    /* reload        */ {kReload, kEither, kReload, kEither, kRestart, kNo},
    /* either        */ {kEither, kEither, kEither, kEither, kRestart, kNo},
    /* restart       */ {kRestart, kRestart, kRestart, kRestart, kRestart, kNo},
    /* stop          */ {kNo, kNo, kNo, kNo, kNo, kStop},
};

}  // namespace

const char* JobName(JobKind kind) {
    switch (kind) {
        case JobKind::kNone: return "none";
        case JobKind::kVerifyActive: return "verify-active";
        case JobKind::kStart: return "start";
        case JobKind::kReload: return "reload";
        case JobKind::kReloadOrStart: return "reload-or-start";
        case JobKind::kRestart: return "restart";
        case JobKind::kStop: return "stop";
    }
    return "none";
}

std::optional<JobKind> MergeJobs(JobKind one, JobKind other) {
    if (one == JobKind::kNone) return other;
    if (other == JobKind::kNone) return one;
    const JobKind merged = kMerged[static_cast<size_t>(one) - 1][static_cast<size_t>(other) - 1];
    if (merged == kNo) return std::nullopt;
    return merged;
}

JobKind ReplaceOrMerge(JobKind queued, JobKind fresh) {
    return MergeJobs(queued, fresh).value_or(fresh);
}

JobKind Collapse(JobKind kind, State state) {
    if (kind == JobKind::kReloadOrStart) return IsUp(state) ? JobKind::kReload : JobKind::kStart;
    if (kind == JobKind::kStart && IsUp(state)) return JobKind::kVerifyActive;
    return kind;
}

}  // namespace husk::supervisor
