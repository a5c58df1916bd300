// When a calendar time comes next: systemd.time(7), as `systemd-analyze calendar` has it. Pure but
// for the zone, which is given as a function.
#pragma once

#include <cstdint>

#include <optional>

#include "config/unit_life.h"

namespace husk::config {

// How many seconds the clocks of a time zone are ahead of UTC at this second since 1970.
using ZoneOffset = int64_t (*)(int64_t seconds);
int64_t UtcOffset(int64_t seconds);  // 0

// The first time at or after `earliest` that matches, in microseconds since 1970; none up to the
// end of 2199, systemd's own bound: never.
//
// As in systemd, a time that the clocks jump over does not come that day, and one that comes twice,
// when they are set back, is had once: on the side of the change that `earliest` is on, else the
// first time.
std::optional<int64_t> NextCalendarTime(const CalendarSpec& spec, int64_t earliest,
                                        ZoneOffset offset);

}  // namespace husk::config
