// What speaks against feeding the hardware watchdog, in words: critical units, state storage and
// memory. Pure: what was found out is an argument.
#pragma once

#include <cstdint>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "supervisor/health.h"
#include "supervisor/lifecycle.h"

namespace husk::supervisor {

struct Veto {
    std::string about;  // a unit, "state storage", "memory"
    std::string text;
    friend bool operator==(const Veto&, const Veto&) = default;
};

// A unit with Critical=yes.
struct CriticalUnit {
    std::string name;
    std::string down;  // how it stands; empty where nothing is wrong with it
    Duration allowance{};
};
// Failed, about to be started again, coming up after a failure, or unhealthy. One that was stopped,
// or that comes up for the first time, is not down.
std::string WhyDown(const Life& life, HealthState health);

// For how long each was down. What it was up makes good for as much, so that a unit that comes up
// for moments only uses its allowance up as well.
class CriticalUnits {
  public:
    // Those that are down beyond their allowance.
    std::vector<Veto> Judge(const std::vector<CriticalUnit>& units, Instant now);

  private:
    std::map<std::string, Duration, std::less<>> down_for_;
    Instant judged_{};
};

// The last word of state storage, see storage_probe.h.
struct StorageState {
    std::optional<Duration> unanswered;  // for how long a write waits
    int error = 0;                       // errno of the last one that was answered
};
// Errors that storage itself gives. A full disk or a folder that is missing is mended by no reset.
std::optional<Veto> JudgeStorage(const StorageState& state, Duration limit);

struct MemoryState {
    uint32_t stalled = 0;  // hundredths of a percent of the last minute: PSI's "full avg60"
    uint64_t available = 0, total = 0;
};
// Stalled alone is no reason: units that reach their own limits stall as well. The device's memory
// has to be used up, too.
std::optional<Veto> JudgeMemory(const MemoryState& state, uint32_t bound);
// Of /proc/pressure/memory and /proc/meminfo; zeros where they do not say.
MemoryState ParseMemoryState(std::string_view pressure, std::string_view meminfo);

}  // namespace husk::supervisor
