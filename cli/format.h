// What the client verbs print, as pure functions of the answer, the time and the style.
#pragma once

#include <cstdint>

#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "cli/answer.h"
#include "cli/terminal.h"

namespace husk::cli {

// The two clocks, read together.
struct Now {
    Instant monotonic;
    int64_t realtime = 0;  // nanoseconds since 1970
};
Now ReadClocks();

// The wall clock of an event as a person wants it: as it was recorded, or, where the clock was not
// set yet then (a device without a clock battery boots in 1970) and is now, as it must have been.
int64_t WallClock(int64_t realtime, int64_t monotonic, const Now& now);
// "Sun 2026-11-22 05:10:06 UTC".
std::string FormatTimestamp(int64_t realtime);
// "05:10:06", and with the date in front where it was on another day than `now`.
std::string FormatClock(int64_t realtime, const Now& now);
// "2min 5s ago", and "just now" under a second.
std::string FormatAgo(int64_t monotonic, const Now& now);

Colour ColourOfState(std::string_view state);
// "killed by SIGSEGV", in the supervisor's words where it sent some.
std::string DescribeExit(const ExitView& exit);
// "web.container:7: error: unknown key 'Memroy' (did you mean 'Memory'?)"
std::string DescribeProblem(const Style& style, const ProblemView& problem);

// `husk status`: one line a unit, no longer than the style's width.
std::string FormatTable(const std::vector<UnitView>& units, const Now& now, const Style& style);
// `husk status UNIT`, without the log lines.
std::string FormatUnit(const UnitView& unit, const Now& now, const Style& style);
// `husk why UNIT`.
std::string FormatWhy(const UnitView& unit, const Now& now, const Style& style);
// "web: running, pid 12": after start, stop, restart, kill.
std::string FormatOutcome(const UnitView& unit, const Style& style);

// `husk show --namespaces`: a line for each kind.
std::string FormatNamespaces(const UnitView& unit, const Style& style);

// `husk plan`: what happens to which unit, and why.
std::string FormatChanges(const std::vector<ChangeView>& changes, const Style& style);
// What is to be confirmed, or was not; empty where neither is.
std::string FormatConfirmation(const Answer& answer, const Now& now, const Style& style);

// `husk update`: what holds, and how long.
std::string FormatUpdate(const std::string& unit, const Answer& answer, const Style& style);

}  // namespace husk::cli
