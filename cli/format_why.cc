// `husk why`: the cause of a unit's state, what led to it, and what a person can do.
#include <algorithm>

#include "base/text.h"
#include "cli/format.h"

namespace husk::cli {
namespace {

std::string StateInWords(std::string_view state) {
    if (state == "inactive") return "is not running, and nothing wants it to";
    if (state == "waiting") return "waits for units that it is ordered after";
    if (state == "starting") return "is starting";
    if (state == "running") return "is running";
    if (state == "stopping") return "is stopping";
    if (state == "backoff") return "waits to be started again";
    if (state == "failed") return "has failed and is not started again";
    if (state == "exited") return "has ended as it should";
    if (state == "refused") return "is refused";
    return Cat("is ", state);
}

bool HasRun(const UnitView& unit) {
    return unit.last_exit && unit.last_exit->kind != "start-failed";
}

std::vector<std::string> Advice(const UnitView& unit, const std::string& name) {
    std::vector<std::string> advice;
    const std::string logs = Cat("see its last output: husk logs -n 50 ", name);
    const bool out_of_memory = unit.last_exit && unit.last_exit->kind == "oom";
    if (unit.state == "refused") {
        advice.push_back(Cat("mend the file (husk cat ", name, " shows it), then: husk reload"));
    } else if (unit.state == "failed") {
        if (HasRun(unit)) advice.push_back(logs);
        if (!HasRun(unit) && unit.last_exit)
            advice.push_back(
                Cat("the step above failed before its program began: husk cat ", name));
        advice.push_back(Cat("start it again: husk start ", name));
    } else if (unit.state == "backoff") {
        if (HasRun(unit)) advice.push_back(logs);
        advice.push_back(Cat("start it now: husk restart ", name));
        advice.push_back(Cat("leave it down: husk stop ", name));
    } else if (unit.state == "inactive") {
        advice.push_back(Cat("start it: husk start ", name));
    } else if (unit.state == "waiting" || unit.state == "starting") {
        advice.push_back("see what the others do: husk status");
    }
    const bool file_is_bad =
        std::any_of(unit.problems.begin(), unit.problems.end(),
                    [](const ProblemView& problem) { return problem.severity == "error"; });
    if (file_is_bad && unit.state != "refused")
        advice.push_back("it still has the settings from before: mend the file, then: husk reload");
    if (out_of_memory && unit.state != "exited")
        advice.push_back("give it more with MemoryMax= in [Service], or find out what takes it");
    return advice;
}

std::string NextTry(const UnitView& unit) {
    const double milliseconds = std::clamp(*unit.next_try_ms, 0.0, 1e12);
    const auto span = Duration(static_cast<int64_t>(milliseconds * 1e6));
    return Cat("in ", FormatDuration(span));
}

std::string HistoryLine(const HistoryView& event, const Now& now, const Style& style) {
    const int64_t at = WallClock(event.at, event.monotonic, now);
    return Cat("  ", FormatClock(at, now), " (", FormatAgo(event.monotonic, now),
               "): ", Visible(style, event.text), "\n");
}

}  // namespace

std::string FormatWhy(const UnitView& unit, const Now& now, const Style& style) {
    const std::string name = Visible(style, unit.name);
    std::string text =
        Cat(Paint(style, Colour::kBold, name), " ",
            Paint(style, ColourOfState(unit.state), StateInWords(Visible(style, unit.state))));
    if (unit.since_monotonic != 0) {
        const int64_t since = WallClock(unit.since, unit.since_monotonic, now);
        text += Cat(", since ", FormatClock(since, now), " (", FormatAgo(unit.since_monotonic, now),
                    ")");
    }
    text += "\n";
    auto line = [&](std::string_view label, std::string_view value) {
        text += Cat(PadLeft(label, 11), ": ", value, "\n");
    };
    // The reason of a refused unit is its first problem, and those are listed below.
    const bool listed = unit.state == "refused" && !unit.problems.empty();
    if (!unit.reason.empty() && !listed) line("Reason", Visible(style, unit.reason));
    if (unit.last_exit)
        line("Last exit",
             Cat(Visible(style, DescribeExit(*unit.last_exit)),
                 unit.last_exit->at == 0 ? "" : Cat(" at ", FormatClock(unit.last_exit->at, now))));
    if (unit.restarts != 0) line("Restarts", std::to_string(unit.restarts));
    if (unit.timer) line("Timer", FormatNextElapse(unit, now, style));
    for (const auto& note : unit.notes) line("Note", Visible(style, note));
    if (unit.next_try_ms) line("Next try", NextTry(unit));
    if (!unit.problems.empty()) text += "\nProblems:\n";
    for (const auto& problem : unit.problems)
        text += Cat("  ", DescribeProblem(style, problem), "\n");
    if (!unit.history.empty()) text += "\nWhat happened:\n";
    for (const auto& event : unit.history) text += HistoryLine(event, now, style);
    const auto advice = Advice(unit, name);
    if (!advice.empty()) text += "\nWhat to do:\n";
    for (const auto& step : advice) text += Cat("  ", step, "\n");
    return text;
}

}  // namespace husk::cli
