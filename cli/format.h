// What the client verbs print, as pure functions of the answer, the time and the style.
#pragma once

#include <cstdint>

#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "cli/answer.h"
#include "cli/figures.h"
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

// Rows of cells, as wide as their columns need.
std::string Table(const std::vector<std::vector<std::string>>& rows);

// "12.3%" of 1234.
std::string FormatPercent(uint64_t hundredths);

Colour ColourOfState(std::string_view state);
// "killed by SIGSEGV", in the supervisor's words where it sent some.
std::string DescribeExit(const ExitView& exit);
// "web.container:7: error: unknown key 'Memroy' (did you mean 'Memory'?)"
std::string DescribeProblem(const Style& style, const ProblemView& problem);

// `husk status`: one line a unit, no longer than the style's width.
std::string FormatTable(const std::vector<UnitView>& units, const Now& now, const Style& style);
// What stands below the table: how many units there are, and how long the boot took.
std::string FormatSummary(const Answer& answer, const Style& style);
// What a client found out about a unit by itself.
struct UnitUsage {
    Figures figures;
    std::string main_command;
    std::vector<ProcessView> processes;
    bool more_processes = false;
};
// `husk status UNIT`, without the log lines.
std::string FormatUnit(const UnitView& unit, const Now& now, const Style& style,
                       const UnitUsage& usage = {});
// `husk why UNIT`.
std::string FormatWhy(const UnitView& unit, const Now& now, const Style& style);
// "web: running, pid 12": after start, stop, restart, kill.
std::string FormatOutcome(const UnitView& unit, const Style& style);

// `husk network`: a line for each, and of one network a line for each member.
std::string FormatNetworks(const std::vector<NetworkView>& networks, const Style& style);
std::string FormatNetwork(const NetworkView& network, const Style& style);
// The device's own links: a line for each and for each further address; and one of them.
std::string FormatLinks(const std::vector<LinkView>& links, const Style& style);
std::string FormatLink(const LinkView& link, const Style& style);

// `husk timers`: one line a unit with a timer, the next one first.
std::string FormatTimers(const std::vector<UnitView>& units, const Now& now, const Style& style);
// "Sun 2026-11-22 05:10:06 UTC, in 5min (OnCalendar=…)" of a timer's next elapse.
std::string FormatNextElapse(const UnitView& unit, const Now& now, const Style& style);
// "Sun 2026-11-22 05:10:06 UTC; 5min ago", or "never".
std::string FormatLastElapse(const TimerView& timer, const Now& now);
// "8080 (Stream), 3 connections wait"
std::string FormatListen(const ListenView& listen, const Style& style);

// `husk show --namespaces`: a line for each kind.
std::string FormatNamespaces(const UnitView& unit, const Style& style);

// `husk plan`: what happens to which unit, and why.
std::string FormatChanges(const std::vector<ChangeView>& changes, const Style& style);
// What is to be confirmed, or was not; empty where neither is.
std::string FormatConfirmation(const Answer& answer, const Now& now, const Style& style);

// "husk 0.1.0 (build 1a2b3c4d5e6f)"
std::string FormatBinary(const BinaryView& image);

// `husk image list`: a line for each version.
std::string FormatImages(const std::vector<ImageView>& images,
                         const std::vector<ImageNewsView>& news, const Now& now,
                         const Style& style);
// What is on trial and what was rolled back, a line each.
std::string FormatImageNews(const std::vector<ImageNewsView>& news, const Now& now,
                            const Style& style);
// `husk image switch`.
std::string FormatSwitch(const Answer& answer, const Style& style);

// `husk update`: what holds, and how long.
std::string FormatUpdate(const std::string& unit, const Answer& answer, const Style& style);

}  // namespace husk::cli
