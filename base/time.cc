#include "base/time.h"

#include <time.h>

namespace husk {
namespace {

int64_t Read(clockid_t clock) {
    timespec now{};
    (void)::clock_gettime(clock, &now);  // cannot fail for the clocks below
    return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

Instant MonotonicNow() { return {Duration(Read(CLOCK_MONOTONIC))}; }
Duration TimeSinceBoot() { return Duration(Read(CLOCK_BOOTTIME)); }
int64_t RealtimeNow() { return Read(CLOCK_REALTIME); }

}  // namespace husk
