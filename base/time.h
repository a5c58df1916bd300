// Time as husk uses it: everything that waits or measures uses CLOCK_MONOTONIC, since devices
// without a clock battery boot in 1970; wall-clock time is for showing to people only.
#pragma once

#include <cstdint>

#include <chrono>

namespace husk {

using Duration = std::chrono::nanoseconds;
// Nanoseconds of CLOCK_MONOTONIC.
struct Instant {
    Duration since_boot{0};

    friend auto operator<=>(const Instant&, const Instant&) = default;
    friend Instant operator+(Instant at, Duration by) { return {at.since_boot + by}; }
    friend Instant operator-(Instant at, Duration by) { return {at.since_boot - by}; }
    friend Duration operator-(Instant a, Instant b) { return a.since_boot - b.since_boot; }
};

// What systemd writes as `infinity`.
inline constexpr Duration kInfinite = Duration::max();

Instant MonotonicNow();
// CLOCK_BOOTTIME, which goes on while the device sleeps.
Duration TimeSinceBoot();
// Nanoseconds since 1970 of CLOCK_REALTIME.
int64_t RealtimeNow();

}  // namespace husk
