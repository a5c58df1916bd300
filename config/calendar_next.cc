#include "config/calendar_next.h"

#include <algorithm>
#include <chrono>

namespace husk::config {
namespace {

constexpr int64_t kSecond = 1'000'000;  // in microseconds
constexpr int64_t kMinute = 60 * kSecond, kHour = 60 * kMinute, kDay = 24 * kHour;
constexpr int64_t kLastYear = 2199;
// More than any zone is away from UTC, in seconds.
constexpr int64_t kFar = 36 * 3600;
// Each gap is a change of the zone's clocks: two a year, until kLastYear.
constexpr int kMostGaps = 1000;

int64_t FloorDivide(int64_t value, int64_t by) { return value / by - (value % by < 0 ? 1 : 0); }

// The least value of the range that is not below `least`, which may be past the field's end.
std::optional<int64_t> NextInRange(const CalendarRange& range, int64_t least) {
    if (range.first >= least) return range.first;
    const bool single = range.last == range.first;
    if (single) return std::nullopt;
    const int64_t step = std::max<int64_t>(range.step, 1);
    const int64_t value = range.first + (least - range.first + step - 1) / step * step;
    if (range.last != CalendarRange::kOpen && value > range.last) return std::nullopt;
    return value;
}

std::optional<int64_t> NextIn(const CalendarField& field, int64_t least, int64_t most) {
    std::optional<int64_t> next;
    if (field.empty()) next = least;
    for (const CalendarRange& range : field)
        if (auto value = NextInRange(range, least); value && (!next || *value < *next))
            next = value;
    return next && *next <= most ? next : std::nullopt;
}

std::optional<int64_t> NextDay(const CalendarSpec& spec, int64_t least, int64_t last_day) {
    if (!spec.from_month_end) return NextIn(spec.days, least, last_day);
    CalendarField days = spec.days;
    for (CalendarRange& range : days) {
        const int64_t first = last_day + 1 - range.first;
        if (range.last != CalendarRange::kOpen) range.last = last_day + 1 - range.last;
        range.first = first;
        if (range.last != CalendarRange::kOpen && range.last < range.first)
            std::swap(range.first, range.last);
    }
    return NextIn(days, least, last_day);
}

// Microseconds of the day.
std::optional<int64_t> NextTime(const CalendarSpec& spec, int64_t least) {
    int64_t hour = least / kHour, minute = least % kHour / kMinute, micro = least % kMinute;
    while (true) {
        const auto next_hour = NextIn(spec.hours, hour, 23);
        if (!next_hour) return std::nullopt;
        if (*next_hour != hour) minute = micro = 0;
        hour = *next_hour;
        const auto next_minute = NextIn(spec.minutes, minute, 59);
        if (!next_minute) {
            ++hour;
            minute = micro = 0;
            continue;
        }
        if (*next_minute != minute) micro = 0;
        minute = *next_minute;
        const auto next_micro = NextIn(spec.microseconds, micro, kMinute - 1);
        if (next_micro) return hour * kHour + minute * kMinute + *next_micro;
        ++minute;
        micro = 0;
    }
}

// The first match on a clock that is never set, in microseconds since its 1970. At most every day
// until kLastYear is looked at.
std::optional<int64_t> NextMatch(const CalendarSpec& spec, int64_t least) {
    using namespace std::chrono;
    const int64_t days_before = FloorDivide(least, kDay);
    const year_month_day start(sys_days(days{days_before}));
    int64_t y = int{start.year()}, m = unsigned{start.month()}, d = unsigned{start.day()};
    int64_t time = least - days_before * kDay;
    while (true) {
        const auto next_year = NextIn(spec.years, y, kLastYear);
        if (!next_year) return std::nullopt;
        if (*next_year != y) m = d = 1, time = 0;
        y = *next_year;
        const auto next_month = NextIn(spec.months, m, 12);
        if (!next_month) {
            ++y;
            m = d = 1, time = 0;
            continue;
        }
        if (*next_month != m) d = 1, time = 0;
        m = *next_month;
        const year_month this_month(year(static_cast<int>(y)), month(static_cast<unsigned>(m)));
        const year_month_day_last end(this_month.year(), month_day_last(this_month.month()));
        const auto next_day = NextDay(spec, d, unsigned{end.day()});
        if (!next_day) {
            ++m;
            d = 1, time = 0;
            continue;
        }
        if (*next_day != d) time = 0;
        d = *next_day;
        const sys_days date(this_month / day(static_cast<unsigned>(d)));
        const unsigned weekday_bit = weekday(date).iso_encoding() - 1;  // Monday is 0
        const auto next_time =
            (spec.weekdays >> weekday_bit & 1) != 0 ? NextTime(spec, time) : std::nullopt;
        if (next_time) return date.time_since_epoch().count() * kDay + *next_time;
        ++d;
        time = 0;
    }
}

struct Resolved {
    std::optional<int64_t> instant;  // seconds of UTC
    int64_t after_gap = 0;           // else: what the clocks show next
};

// When the clocks of the zone show `local`.
Resolved Resolve(int64_t local, int64_t preferred, ZoneOffset offset) {
    const int64_t before = offset(local - kFar), after = offset(local + kFar);
    std::optional<int64_t> instant;
    for (int64_t each : {before, after}) {
        if (offset(local - each) != each) continue;
        if (!instant || each == preferred) instant = local - each;
    }
    if (instant) return {.instant = instant};
    // Jumped over: the first second with other clocks.
    int64_t low = local - std::max(before, after), high = local - std::min(before, after);
    while (high - low > 1) {
        const int64_t middle = low + (high - low) / 2;
        (offset(middle) == before ? low : high) = middle;
    }
    return {.after_gap = high + offset(high)};
}

}  // namespace

int64_t UtcOffset(int64_t) { return 0; }

std::optional<int64_t> NextCalendarTime(const CalendarSpec& spec, int64_t earliest,
                                        ZoneOffset offset) {
    earliest = std::max<int64_t>(earliest, 0);
    const int64_t preferred = offset(earliest / kSecond);
    int64_t local = earliest + preferred * kSecond;
    for (int gaps = 0; gaps < kMostGaps; ++gaps) {
        const auto match = NextMatch(spec, local);
        if (!match) return std::nullopt;
        const int64_t second = FloorDivide(*match, kSecond);
        const Resolved resolved = Resolve(second, preferred, offset);
        if (!resolved.instant) {
            local = std::max(*match + 1, resolved.after_gap * kSecond);
            continue;
        }
        const int64_t found = *resolved.instant * kSecond + (*match - second * kSecond);
        if (found >= earliest) return found;
        local = *match + 1;
    }
    return std::nullopt;
}

}  // namespace husk::config
