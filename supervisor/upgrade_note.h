// What is known of the last upgrade in place, as a file that the supervisors hand on: the one that
// began it, the new one on trial, and whichever goes on. Pure.
#pragma once

#include <cstdint>
#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/init_protocol.h"
#include "base/time.h"

namespace husk::supervisor {

// A unit with a process that the new supervisor has to take over.
struct RunningUnit {
    std::string name;
    pid_t pid = 0;
    friend bool operator==(const RunningUnit&, const RunningUnit&) = default;
};

struct UpgradeNote {
    enum class Outcome { kUnderWay, kDone, kFailed };
    Outcome outcome = Outcome::kUnderWay;
    int64_t begun = 0;  // nanoseconds since 1970; names it
    Instant ended{};    // where it has an outcome
    int64_t ended_realtime = 0;
    std::string version, build, from_version, from_build;
    std::string why;  // it failed, as far as a supervisor knows
    std::vector<RunningUnit> units;

    friend bool operator==(const UpgradeNote&, const UpgradeNote&) = default;
};
const char* OutcomeName(UpgradeNote::Outcome outcome);  // "under-way|done|failed"

std::string WriteUpgradeNote(const UpgradeNote& note);
// Nothing where it is none.
std::optional<UpgradeNote> ParseUpgradeNote(std::string_view text);

// "upgrade from husk 0.1.0 (build 1a2b) to husk 0.2.0 (build 3c4d) failed, the old one goes on: …"
std::string Describe(const UpgradeNote& note);
// In words, what PID 1 says of it.
std::string DescribeFailure(UpgradeFailure failure, int detail);

// The first unit that is `wanted`, lives still and is not among those that were `taken` over; ""
// where all are. `lives` asks for a process.
std::string FindLost(const std::vector<RunningUnit>& wanted, const std::vector<RunningUnit>& taken,
                     bool (*lives)(pid_t));

}  // namespace husk::supervisor
