#include "cli/format.h"

#include <cstdlib>

#include <chrono>

#include "base/text.h"

namespace husk::cli {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
// 2020-01-01: no clock that is set shows less.
constexpr int64_t kClockIsSet = 1'577'836'800 * kSecond;

}  // namespace

Now ReadClocks() { return {MonotonicNow(), RealtimeNow()}; }

int64_t WallClock(int64_t realtime, int64_t monotonic, const Now& now) {
    if (realtime >= kClockIsSet || now.realtime < kClockIsSet || monotonic == 0) return realtime;
    return now.realtime - (now.monotonic.since_boot.count() - monotonic);
}

std::string FormatTimestamp(int64_t realtime) {
    constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    const std::chrono::sys_time<std::chrono::nanoseconds> time{std::chrono::nanoseconds(realtime)};
    const std::chrono::weekday day(std::chrono::floor<std::chrono::days>(time));
    return Cat(kDays[day.c_encoding()], " ", FormatRealtime(realtime), " UTC");
}

std::string FormatClock(int64_t realtime, const Now& now) {
    constexpr int64_t kDay = 86'400 * kSecond;
    const bool today = realtime / kDay == now.realtime / kDay;
    const std::string date_and_time = FormatRealtime(realtime);
    return today ? date_and_time.substr(date_and_time.find(' ') + 1) : date_and_time;
}

std::string FormatAgo(int64_t monotonic, const Now& now) {
    const Duration span = now.monotonic.since_boot - Duration(monotonic);
    // Below zero: the answer is newer than our look at the clock.
    if (span < std::chrono::seconds(1)) return "just now";
    return Cat(FormatDuration(span), " ago");
}

Colour ColourOfState(std::string_view state) {
    if (state == "running" || state == "exited") return Colour::kGreen;
    if (state == "failed" || state == "refused") return Colour::kRed;
    if (state == "backoff" || state == "starting" || state == "stopping" || state == "waiting")
        return Colour::kYellow;
    return Colour::kNone;
}

std::string DescribeExit(const ExitView& exit) {
    if (exit.kind == "start-failed" && !exit.text.empty() && !exit.text.starts_with("start failed"))
        return Cat("start failed: ", exit.text);
    if (!exit.text.empty()) return exit.text;
    if (exit.kind == "exited") return Cat("exited with code ", std::to_string(exit.code));
    if (exit.kind == "signal") return Cat("killed by ", exit.signal);
    if (exit.kind == "oom") return "killed for memory";
    if (exit.kind == "start-failed") return "start failed";
    return "ended, and nobody saw how";
}

std::string DescribeProblem(const Style& style, const ProblemView& problem) {
    std::string text = Visible(style, problem.file);
    if (problem.line > 0) text += Cat(":", std::to_string(problem.line));
    if (!text.empty()) text += ": ";
    const bool warning = problem.severity == "warning";
    text += Paint(style, warning ? Colour::kYellow : Colour::kRed, warning ? "warning" : "error");
    text += Cat(": ", Visible(style, problem.text));
    if (!problem.hint.empty()) text += Cat(" (", Visible(style, problem.hint), ")");
    return text;
}

std::string FormatOutcome(const UnitView& unit, const Style& style) {
    std::string text = Cat(Visible(style, unit.name), ": ",
                           Paint(style, ColourOfState(unit.state), Visible(style, unit.state)));
    if (unit.main_pid > 0) text += Cat(", pid ", std::to_string(unit.main_pid));
    if (ColourOfState(unit.state) != Colour::kGreen && !unit.reason.empty())
        text += Cat(": ", Visible(style, unit.reason));
    return text + "\n";
}

std::string Table(const std::vector<std::vector<std::string>>& rows) {
    std::vector<size_t> widths(rows[0].size());
    for (const auto& row : rows)
        for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], Columns(row[i]));
    std::string text;
    for (const auto& row : rows) {
        std::string line;
        for (size_t i = 0; i < row.size(); ++i) line += PadRight(row[i], widths[i]) + "  ";
        text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    }
    return text;
}

}  // namespace husk::cli
