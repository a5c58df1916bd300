// `husk status`: the table of all units and the page of one.
#include <algorithm>

#include "base/text.h"
#include "cli/format.h"
#include "supervisor/husk_binary.h"

namespace husk::cli {
namespace {

constexpr size_t kIndent = 13;          // of what stands below a label
constexpr size_t kLongestOutput = 200;  // of a health check, in one line

struct Row {
    std::string name, state, span, pid, restarts, memory, reason;
};

// The reason of a refused unit is its first problem, and all problems are shown.
bool SaysItself(const UnitView& unit) { return unit.state == "refused" && !unit.problems.empty(); }

// "web.container:4: unknown key …" of the first error: a line has no room for the folder.
std::string ShortProblem(const std::vector<ProblemView>& problems) {
    auto at = std::find_if(problems.begin(), problems.end(),
                           [](const ProblemView& problem) { return problem.severity == "error"; });
    const ProblemView& problem = at == problems.end() ? problems.front() : *at;
    std::string text = problem.file.substr(problem.file.rfind('/') + 1);  // npos + 1 is 0
    if (problem.line > 0) text += Cat(":", std::to_string(problem.line));
    return Cat(text, ": ", problem.text);
}

Row RowOf(const UnitView& unit, const Now& now, const Style& style) {
    Row row;
    row.name = Visible(style, unit.name);
    row.state = Visible(style, unit.state);
    const Duration span = now.monotonic.since_boot - Duration(unit.since_monotonic);
    row.span = unit.since_monotonic == 0 ? "-" : FormatDuration(std::max(span, Duration::zero()));
    row.pid = unit.main_pid > 0 ? std::to_string(unit.main_pid) : "-";
    row.restarts = std::to_string(unit.restarts);
    row.memory = unit.memory_current ? FormatBytes(*unit.memory_current) : "-";
    row.reason = Visible(style, unit.reason);
    if (SaysItself(unit)) row.reason = Visible(style, ShortProblem(unit.problems));
    return row;
}

std::string Footer(const std::vector<UnitView>& units, const Style& style) {
    size_t failed = 0, refused = 0;
    const UnitView* first = nullptr;
    for (const auto& unit : units) {
        if (unit.state != "failed" && unit.state != "refused") continue;
        (unit.state == "failed" ? failed : refused) += 1;
        if (first == nullptr) first = &unit;
    }
    if (first == nullptr) return "";
    std::string text = "\n";
    if (failed != 0) text += Cat(std::to_string(failed), " failed");
    if (failed != 0 && refused != 0) text += ", ";
    if (refused != 0) text += Cat(std::to_string(refused), " refused");
    return Cat(text, ": 'husk why ", Visible(style, first->name), "' tells more\n");
}

// "12 (3 of 512)" and its like: parts that are unknown are left out.
std::string Memory(const UnitView& unit) {
    std::string text = FormatBytes(*unit.memory_current);
    std::vector<std::string> more;
    if (unit.memory_peak) more.push_back(Cat("peak: ", FormatBytes(*unit.memory_peak)));
    if (unit.memory_max && *unit.memory_max != UINT64_MAX)
        more.push_back(Cat("max: ", FormatBytes(*unit.memory_max)));
    return more.empty() ? text : Cat(text, " (", Join(more, ", "), ")");
}

std::string Tasks(const UnitView& unit) {
    std::string text = std::to_string(*unit.tasks_current);
    if (unit.tasks_max && *unit.tasks_max != UINT64_MAX)
        text += Cat(" (limit: ", std::to_string(*unit.tasks_max), ")");
    return text;
}

std::string Active(const UnitView& unit, const Now& now, const Style& style) {
    std::string text = Paint(style, ColourOfState(unit.state), Visible(style, unit.state));
    if (!unit.sub_state.empty() && unit.sub_state != unit.state)
        text += Cat(" (", Visible(style, unit.sub_state), ")");
    if (unit.since_monotonic == 0) return text;
    const int64_t since = WallClock(unit.since, unit.since_monotonic, now);
    return Cat(text, " since ", FormatTimestamp(since), "; ", FormatAgo(unit.since_monotonic, now));
}

std::string Health(const HealthView& health, const Style& style) {
    std::string text = Paint(style,
                             health.state == "healthy"     ? Colour::kGreen
                             : health.state == "unhealthy" ? Colour::kRed
                                                           : Colour::kYellow,
                             Visible(style, health.state));
    if (health.failing_streak > 0)
        text += Cat(" (", std::to_string(health.failing_streak), " failed in a row)");
    const auto output = Trim(std::string_view(health.last_output).substr(0, kLongestOutput));
    if (!output.empty()) text += Cat(": ", Visible(style, output.substr(0, output.find('\n'))));
    return text;
}

// How much of the last ten seconds some task of it waited.
std::string Pressures(const Figures& figures) {
    std::vector<std::string> parts;
    auto add = [&](const char* name, const Pressure& pressure) {
        if (pressure.some) parts.push_back(Cat(name, " ", FormatPercent(pressure.some->avg10)));
    };
    add("cpu", figures.cpu_pressure);
    add("memory", figures.memory_pressure);
    add("io", figures.io_pressure);
    return parts.empty() ? "" : Cat(Join(parts, ", "), " of the last 10s");
}

std::string NextTry(double milliseconds) {
    const auto span = Duration(static_cast<int64_t>(std::clamp(milliseconds, 0.0, 1e12) * 1e6));
    return Cat("in ", FormatDuration(span));
}

}  // namespace

std::string FormatPercent(uint64_t hundredths) {
    const std::string part = std::to_string(hundredths % 100 / 10);
    return Cat(std::to_string(hundredths / 100), ".", part, "%");
}

std::string FormatBinary(const BinaryView& image) {
    const Style plain;
    return Visible(plain, supervisor::Describe(
                              supervisor::HuskBinary{.version = image.husk, .build = image.build}));
}

std::string FormatSummary(const Answer& answer, const Style& style) {
    size_t failed = 0, refused = 0;
    for (const auto& unit : answer.units) {
        failed += unit.state == "failed";
        refused += unit.state == "refused";
    }
    const size_t count = answer.units.size();
    std::string text = Cat(std::to_string(count), count == 1 ? " unit" : " units");
    if (failed != 0)
        text += Cat(", ", Paint(style, Colour::kRed, Cat(std::to_string(failed), " failed")));
    if (refused != 0)
        text += Cat(", ", Paint(style, Colour::kRed, Cat(std::to_string(refused), " refused")));
    if (!answer.state.empty()) text += Cat("; ", Visible(style, answer.state));
    if (answer.boot_settled != 0)
        text += Cat("; boot took ", FormatDuration(Duration(answer.boot_settled)));
    text += "\n";
    if (!answer.last_end.empty())
        text += Cat("the last boot ended: ", Visible(style, answer.last_end), "\n");
    for (const MountView& mount : answer.mounts)
        if (!mount.mounted)
            text += Paint(style, Colour::kRed,
                          Cat(Visible(style, mount.where), " is not mounted: ",
                              Visible(style, mount.error))) +
                    "\n";
    if (answer.upgrade && answer.upgrade->outcome != "done")
        text += Paint(style, answer.upgrade->outcome == "failed" ? Colour::kRed : Colour::kNone,
                      Visible(style, answer.upgrade->text)) +
                "\n";
    if (answer.watchdog)
        for (const auto& veto : answer.watchdog->vetoes)
            text += Paint(style, Colour::kRed,
                          Cat("the hardware watchdog is not fed: ", Visible(style, veto))) +
                    "\n";
    return text;
}

std::string FormatTable(const std::vector<UnitView>& units, const Now& now, const Style& style) {
    if (units.empty()) return "no units: put NAME.container files into /etc/husk/units\n";
    constexpr size_t kLongestName = 20;  // on a terminal; more would push the reason off the line
    const Row head{"NAME", "STATE", "FOR", "PID", "RESTARTS", "MEMORY", "REASON"};
    std::vector<Row> rows{head};
    for (const auto& unit : units) rows.push_back(RowOf(unit, now, style));
    size_t name = 0, state = 0, span = 0, pid = 0, memory = 0;
    for (auto& row : rows) {
        if (style.width != 0) row.name = Shorten(row.name, kLongestName);
        name = std::max(name, Columns(row.name));
        state = std::max(state, Columns(row.state));
        span = std::max(span, Columns(row.span));
        pid = std::max(pid, Columns(row.pid));
        memory = std::max(memory, Columns(row.memory));
    }
    const size_t restarts = Columns(head.restarts);
    const size_t dot = style.terminal ? 2 : 0;
    const size_t before = dot + name + state + span + pid + restarts + memory + 6;
    std::string text;
    for (size_t i = 0; i < rows.size(); ++i) {
        const Row& row = rows[i];
        const Colour colour = i == 0 ? Colour::kNone : ColourOfState(row.state);
        if (dot != 0) text += i == 0 ? "  " : Cat(Paint(style, colour, "●"), " ");
        std::string reason = row.reason;
        if (style.width > before + 1)
            reason = Shorten(reason, style.width - before);
        else if (style.width != 0)
            reason.clear();
        std::string line =
            Cat(PadRight(row.name, name), " ", Paint(style, colour, PadRight(row.state, state)),
                " ", PadLeft(row.span, span), " ", PadLeft(row.pid, pid), " ",
                PadLeft(row.restarts, restarts), " ", PadLeft(row.memory, memory), " ", reason);
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + "\n";
    }
    return text + Footer(units, style);
}

std::string FormatUnit(const UnitView& unit, const Now& now, const Style& style,
                       const UnitUsage& usage) {
    std::string text;
    if (style.terminal) text += Cat(Paint(style, ColourOfState(unit.state), "●"), " ");
    text += Visible(style, unit.name);
    if (!unit.description.empty()) text += Cat(" - ", Visible(style, unit.description));
    text += "\n";
    auto line = [&](std::string_view label, std::string_view value) {
        text += Cat(PadLeft(label, 11), ": ", value, "\n");
    };
    if (!unit.path.empty()) line("Loaded", Visible(style, unit.path));
    line("Active", Active(unit, now, style));
    if (!unit.reason.empty() && !SaysItself(unit)) line("Reason", Visible(style, unit.reason));
    for (const auto& problem : unit.problems) line("Problem", DescribeProblem(style, problem));
    for (const auto& note : unit.notes) line("Note", Visible(style, note));
    if (unit.timer) line("Trigger", FormatNextElapse(unit, now, style));
    if (unit.timer) line("Triggered", FormatLastElapse(*unit.timer, now));
    for (const auto& listen : unit.listen) line("Listen", FormatListen(listen, style));
    if (unit.next_try_ms) line("Next try", NextTry(*unit.next_try_ms));
    if (!unit.status_text.empty())
        line("Status", Cat("\"", Visible(style, unit.status_text), "\""));
    if (unit.health) line("Health", Health(*unit.health, style));
    if (unit.main_pid > 0)
        line("Main PID",
             Cat(std::to_string(unit.main_pid),
                 usage.main_command.empty() ? std::string()
                                            : Cat(" (", Visible(style, usage.main_command), ")")));
    line("Restarts", std::to_string(unit.restarts));
    if (unit.last_exit)
        line("Last exit",
             Cat(Visible(style, DescribeExit(*unit.last_exit)),
                 unit.last_exit->at == 0 ? "" : Cat(" at ", FormatClock(unit.last_exit->at, now))));
    if (unit.tasks_current) line("Tasks", Tasks(unit));
    if (unit.memory_current) line("Memory", Memory(unit));
    if (unit.cpu_usec)
        line("CPU", FormatDuration(
                        std::chrono::microseconds(std::min<uint64_t>(*unit.cpu_usec, 1ull << 50))));
    const Figures& figures = usage.figures;
    if (figures.io && (figures.io->read_bytes != 0 || figures.io->written_bytes != 0))
        line("IO", Cat(FormatBytes(figures.io->read_bytes), " read, ",
                       FormatBytes(figures.io->written_bytes), " written"));
    if (!unit.networks.empty()) {
        uint64_t in = 0, out = 0;
        for (const auto& network : unit.networks)
            in += network.received_bytes, out += network.sent_bytes;
        const std::string& owner = unit.networks.front().shared_with;
        line("IP", Cat(FormatBytes(in), " in, ", FormatBytes(out), " out",
                       owner.empty() ? "" : Cat(" (shared with ", Visible(style, owner), ")")));
    }
    if (const std::string pressure = Pressures(figures); !pressure.empty())
        line("Pressure", pressure);
    if (!unit.cgroup.empty()) line("CGroup", Visible(style, unit.cgroup));
    const size_t width = style.width > kIndent ? style.width - kIndent : 0;
    for (const auto& process : FormatProcessTree(usage.processes, width))
        text += Cat(std::string(kIndent, ' '), process, "\n");
    if (usage.more_processes) text += Cat(std::string(kIndent, ' '), "… and more\n");
    return text;
}

}  // namespace husk::cli
