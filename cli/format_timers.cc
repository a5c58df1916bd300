// `husk timers`, and what other pages say of a timer.
#include <algorithm>

#include "base/sort.h"
#include "base/text.h"
#include "cli/format.h"

namespace husk::cli {
namespace {

struct Row {
    std::string next, left, last, passed, unit;
};

// By the wall clock as it is now; a time of another boot is as it was kept.
int64_t LastOf(const TimerView& timer, const Now& now) {
    return timer.last_monotonic != 0 ? WallClock(timer.last, timer.last_monotonic, now)
                                     : timer.last;
}

std::string Passed(int64_t last, const Now& now) {
    return Cat(FormatDuration(std::max(Duration(now.realtime - last), Duration(0))), " ago");
}

// As systemctl list-timers does it: 0 is never.
Row RowOf(const UnitView& unit, const Now& now, const Style& style) {
    const TimerView& timer = *unit.timer;
    Row row{"-", "-", "-", "-", Visible(style, unit.name)};
    if (timer.next != 0) {
        const Duration left = Duration(timer.next_monotonic) - now.monotonic.since_boot;
        row.next = FormatTimestamp(timer.next);
        row.left = left > Duration(0) ? FormatDuration(left) : "now";
    }
    if (timer.last != 0) {
        const int64_t last = LastOf(timer, now);
        row.last = FormatTimestamp(last);
        row.passed = Passed(last, now);
    }
    if (!unit.armed) row.unit += " (stopped)";
    return row;
}

}  // namespace

std::string FormatTimers(const std::vector<UnitView>& units, const Now& now, const Style& style) {
    std::vector<const UnitView*> order;
    for (const auto& unit : units)
        if (unit.timer) order.push_back(&unit);
    if (order.empty()) return "no unit has a [Timer]\n";
    auto key = [](const UnitView* unit) {
        return unit->timer->next == 0 ? INT64_MAX : unit->timer->next_monotonic;
    };
    Sort(order, [&](const UnitView* a, const UnitView* b) { return key(a) < key(b); });
    std::vector<Row> rows{{"NEXT", "LEFT", "LAST", "PASSED", "UNIT"}};
    for (const UnitView* unit : order) rows.push_back(RowOf(*unit, now, style));
    size_t next = 0, left = 0, last = 0, passed = 0;
    for (const Row& row : rows) {
        next = std::max(next, Columns(row.next));
        left = std::max(left, Columns(row.left));
        last = std::max(last, Columns(row.last));
        passed = std::max(passed, Columns(row.passed));
    }
    std::string text;
    for (const Row& row : rows)
        text +=
            Cat(PadRight(row.next, next), " ", PadLeft(row.left, left), " ",
                PadRight(row.last, last), " ", PadLeft(row.passed, passed), " ", row.unit, "\n");
    return text;
}

std::string FormatNextElapse(const UnitView& unit, const Now& now, const Style& style) {
    const TimerView& timer = *unit.timer;
    if (!unit.armed) return "none: it is stopped ('husk start' arms the timer)";
    if (timer.next == 0)
        return unit.main_pid > 0 ? "once this run is over" : "none: no time is left that comes";
    const Duration left = Duration(timer.next_monotonic) - now.monotonic.since_boot;
    return Cat(FormatTimestamp(timer.next), ", in ", FormatDuration(std::max(left, Duration(0))),
               " (", Visible(style, timer.cause), ")");
}

std::string FormatLastElapse(const TimerView& timer, const Now& now) {
    if (timer.last == 0) return "never";
    const int64_t last = LastOf(timer, now);
    return Cat(FormatTimestamp(last), "; ", Passed(last, now));
}

std::string FormatListen(const ListenView& listen, const Style& style) {
    std::string_view kind = listen.key;
    if (kind.starts_with("Listen")) kind.remove_prefix(std::string_view("Listen").size());
    std::string text = Cat(Visible(style, listen.address), " (", Visible(style, kind), ")");
    if (!listen.open) return text + ", not open";
    const uint64_t count = listen.connections.value_or(0);
    if (count != 0)
        text += Cat(", ", std::to_string(count),
                    count == 1 ? " connection waits" : " connections wait");
    else if (listen.waiting)
        text += ", something waits";
    return text;
}

}  // namespace husk::cli
