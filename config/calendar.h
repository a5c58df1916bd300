// Points in time on the calendar, as OnCalendar= names them: systemd.time(7). Pure.
#pragma once

#include <cstdint>

#include <string>
#include <string_view>
#include <vector>

#include "config/values.h"

namespace husk::config {

// One value of a field, or `first..last`, in steps. Both ends belong to it.
struct CalendarRange {
    int64_t first = 0;
    int64_t last = 0;  // kOpen: on to the end of the field
    int64_t step = 0;  // 0: of a single value; of a range, every value
    static constexpr int64_t kOpen = -1;
    friend auto operator<=>(const CalendarRange&, const CalendarRange&) = default;
};

// What matches a field, sorted; empty: everything does.
using CalendarField = std::vector<CalendarRange>;

// A point matches where its day of the week and every field do.
struct CalendarSpec {
    static constexpr uint8_t kEveryDay = 0x7f;

    uint8_t weekdays = kEveryDay;  // bit 0 is Monday
    CalendarField years, months;   // 1970 to 2199, 1 to 12
    CalendarField days;            // 1 to 31; counted from the month's last day, which is 1, where
    bool from_month_end = false;   // this is set; steps then go towards the end of the month
    CalendarField hours, minutes;  // 0 to 23, 0 to 59
    CalendarField microseconds;    // of the minute: 0 to 59999999
    std::string zone;              // "UTC", a name such as "Europe/Berlin", empty: the device's own

    friend bool operator==(const CalendarSpec&, const CalendarSpec&) = default;
};

// "Mon..Fri *-*-* 08:00", "daily", "*-*-01 04:30 UTC".
Value<CalendarSpec> ParseCalendar(std::string_view text);
// The one way in which systemd writes it; parses to the same again.
std::string CalendarText(const CalendarSpec& spec);

// "UTC", "CET", "Europe/Berlin": by form only, the data base is on the device.
bool IsZoneName(std::string_view name);

}  // namespace husk::config
