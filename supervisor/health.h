// When the health of a unit is checked next, and what a check's result means, as pure functions:
// the time is an argument. Podman's meaning of the Health…= keys (podman-healthcheck(1)):
//
// - The first check is made as soon as the program runs, the next ones an interval after the end of
//   the one before.
// - With HealthStartupCmd= only that is run, at its own interval, until it has succeeded
//   HealthStartupSuccess= times; from then on the regular check. HealthStartupRetries= failures of
//   it restart the unit, whatever HealthOnFailure= says.
// - HealthStartPeriod= counts from the start: a check that fails in it changes nothing, one that
//   succeeds makes the unit healthy.
// - HealthRetries= failures of the regular check in a row make it unhealthy; HealthOnFailure= is
//   carried out when it becomes so. One success makes it healthy.
//
// Where it is not in Podman's words: a success of the startup check makes the unit healthy only
// when it is the last that is needed; failures before the first success leave it "starting", also
// after the start period, until they are enough to make it unhealthy.
#pragma once

#include <cstdint>

#include <optional>
#include <string>
#include <string_view>

#include "base/rare.h"
#include "base/time.h"
#include "config/unit_life.h"

namespace husk::supervisor {

inline constexpr size_t kMaxHealthText = 512;  // bytes of a check's result that are kept

enum class HealthState : uint8_t { kNone, kStarting, kHealthy, kUnhealthy };
inline constexpr int kHealthStates = static_cast<int>(HealthState::kUnhealthy) + 1;
const char* HealthStateName(HealthState state);  // "none", "starting", …

// Goes into the unit's record as it is, so that a new supervisor goes on from it.
struct Health {
    HealthState state = HealthState::kNone;  // kNone: nothing is checked
    bool startup_passed = false;
    int startup_successes = 0, startup_failures = 0;
    int failing_streak = 0;
    Instant began{};  // when the program ran
    Instant next{};   // when the next check begins; kNever: on request only
    // The last check.
    Text last_text;             // "exited with code 1: no route to host", "HTTP status 200"
    int64_t last_realtime = 0;  // its end, nanoseconds since 1970; 0: there was none
    bool last_good = false;
    friend bool operator==(const Health&, const Health&) = default;
};
inline constexpr Instant kNever{Duration::max()};

// The checks of a program that begins to run now.
Health BeginHealth(const config::HealthSection& section, Instant now);
// Of a record whose unit's keys have changed since: what is needed to go on by the new ones.
void AdjustHealth(Health& health, const config::HealthSection& section, Instant now);

// Whether it is the startup check's turn.
bool IsStartupCheck(const Health& health, const config::HealthSection& section);
Duration CheckTimeout(const Health& health, const config::HealthSection& section);
// "'/bin/check --all'", "'http://localhost:80/'": what is checked now.
std::string DescribeCheck(const Health& health, const config::HealthSection& section);

struct CheckResult {
    bool good = false;
    std::string text;  // one plain line: "exited with code 1: …", "no answer within 5s"
    int64_t realtime = 0;
};
struct HealthChange {
    HealthState before{}, after{};
    // What is to be done about it, with the reason: "unhealthy: '/bin/check' exited with code 1 (3
    // in a row)".
    config::HealthAction action = config::HealthAction::kNone;
    std::string reason;  // empty where the state is the same
};
// Takes the result of the check that IsStartupCheck() names, and plans the next one.
HealthChange TakeResult(Health& health, const config::HealthSection& section,
                        const CheckResult& result, Instant now);

}  // namespace husk::supervisor
