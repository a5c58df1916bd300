// An image that was switched to has to prove itself: whether its units have, pure, and what is kept
// on disk of it, so that an image which takes the supervisor or the whole device down with it goes
// back, too.
//
// `o` the version before, `n` the one on trial. Each step is on disk before the next:
//
//   behind the step     current   state                a supervisor that begins here
//   note the trial      o         trial                goes back (nothing ran of n)
//   switch              n         trial                goes on with the trial; on another boot back
//   restart the units   n         trial                the same
//   it stays            n         previous o           -
//
//   note the failure    n         trial, failure       goes back
//   switch back         o         trial, failure       restarts the units, as far as they run n
//   restart the units   o         rolled_back n        -
#pragma once

#include <cstdint>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "config/unit.h"
#include "supervisor/health.h"
#include "supervisor/lifecycle.h"
#include "supervisor/unit_folder.h"

namespace husk::supervisor {

// How long a unit without a health check has to run.
inline constexpr Duration kDefaultSettle = std::chrono::seconds(10);
inline constexpr Duration kLongestTrial = std::chrono::hours(24);

struct ImageTrial {
    std::string version, before;
    Pending until;                     // when it has to be over, and on which boot
    Duration settle = kDefaultSettle;  // of units without a health check
    Instant switched{};
    std::vector<std::string> units;  // that are restarted for it, sorted
    std::string failure;             // why it goes back; empty: it goes on
    friend bool operator==(const ImageTrial&, const ImageTrial&) = default;
};

struct ImageRollBack {
    std::string version, before, why;
    int64_t at = 0;  // nanoseconds since 1970
    friend bool operator==(const ImageRollBack&, const ImageRollBack&) = default;
};

// The file `state` of an image. Versions are as in rootfs::ImageVersions, kBuiltIn too.
struct ImageState {
    std::string previous;  // what `switch --back` takes; empty: nothing
    std::optional<ImageTrial> trial;
    std::optional<ImageRollBack> rolled_back;  // until another switch
    friend bool operator==(const ImageState&, const ImageState&) = default;
};
std::string Serialize(const ImageState& state);
Result<ImageState> ParseImageState(std::string_view text);

// A unit of a trial, as it is now.
struct TriedUnit {
    bool there = true;        // it is no unit any more, or refused
    bool job_waits = false;   // its restart has not had its turn
    bool has_checks = false;  // health checks
    HealthState health = HealthState::kNone;
    std::string health_text;  // of the last check
    const Life* life = nullptr;
};

enum class Proof : uint8_t { kWaits, kGood, kBad };
struct Verdict {
    Proof proof = Proof::kWaits;
    std::string why;  // kBad
    Instant at{};     // kWaits: when it may be another by time alone; 0: it may not
};
Verdict Judge(const TriedUnit& unit, const ImageTrial& trial, Instant now);

// How long the unit may take by its own keys to stop, start and be healthy, or to run for `settle`.
// What has no end by itself counts as five minutes.
Duration TimeToProve(const Policy& policy, const config::HealthSection& health, Duration settle);

// Those of `versions` that nothing would miss: neither current nor previous, on trial, or in use.
std::vector<std::string> Removable(const std::vector<std::string>& versions,
                                   const std::string& current, const ImageState& state,
                                   const std::vector<std::string>& in_use);

}  // namespace husk::supervisor
