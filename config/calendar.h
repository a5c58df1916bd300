// Points in time on the calendar, as OnCalendar= names them: systemd.time(7). Pure.
#pragma once

#include <cstdint>

#include <string>
#include <string_view>
#include <vector>

#include "config/values.h"

namespace husk::config {

// "Mon..Fri *-*-* 08:00", "daily", "*-*-01 04:30 UTC".
Value<CalendarSpec> ParseCalendar(std::string_view text);
// The one way in which systemd writes it; parses to the same again.
std::string CalendarText(const CalendarSpec& spec);

// "UTC", "CET", "Europe/Berlin": by form only, the data base is on the device.
bool IsZoneName(std::string_view name);

}  // namespace husk::config
