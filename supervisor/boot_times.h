// When the boot came how far, for `husk blame` and `husk critical-chain`: kept in the run folder,
// so that a supervisor that is started anew still knows. All of CLOCK_MONOTONIC, whose zero is the
// start of the kernel.
#pragma once

#include <string>
#include <string_view>

#include "base/time.h"
#include "supervisor/lifecycle.h"

namespace husk::supervisor {

// Zero is unknown, or not yet.
struct BootTimes {
    Instant init{};        // PID 1 began
    Instant supervisor{};  // the first supervisor began to load units
    Instant settled{};     // every unit of the boot was up or given up
    friend bool operator==(const BootTimes&, const BootTimes&) = default;
};

std::string WriteBootTimes(const BootTimes& times);
// What is damaged is unknown.
BootTimes ParseBootTimes(std::string_view text);

// A unit's first start since boot; in its record.
struct StartTimes {
    Instant wanted{};    // somebody or something asked for it
    Instant launched{};  // all that it was ordered after was up; its first process began
    Instant up{};        // ready, or for a oneshot done
    friend bool operator==(const StartTimes&, const StartTimes&) = default;
};

// Pure: after each change of the unit's state. What is noted once stays.
void NoteStart(StartTimes& times, const Life& life, Instant now);

}  // namespace husk::supervisor
