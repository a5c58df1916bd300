// status, list, why, start, stop, restart, kill, cat.
#include <algorithm>

#include "base/file.h"
#include "base/text.h"
#include "cli/commands.h"

namespace husk::cli {
namespace {

constexpr size_t kStatusLogLines = 10;
constexpr size_t kMostProcesses = 50;
constexpr std::string_view kStateNames[] = {"inactive",  "waiting",  "starting", "running",
                                            "reloading", "stopping", "backoff",  "failed",
                                            "exited",    "refused"};

bool IsFiltered(const Invocation& call);
constexpr size_t kLargestUnitFile = 64 * 1024;  // as the loader allows

UnitUsage ReadUsage(const UnitView& unit) {
    UnitUsage usage;
    if (unit.cgroup.empty()) return usage;
    usage.figures = ReadFigures(unit.cgroup);
    usage.processes = ReadProcesses(unit.cgroup, kMostProcesses, usage.more_processes);
    if (unit.main_pid > 0)
        usage.main_command = ReadAttribute(Cat("/proc/", std::to_string(unit.main_pid), "/comm"));
    return usage;
}

std::string FormatPages(const Invocation& call, const Answer& answer) {
    std::string text;
    for (const auto& unit : answer.units) {
        if (!text.empty()) text += "\n";
        text += FormatUnit(unit, ReadClocks(), call.style, ReadUsage(unit));
        const std::string log = LastLogLines(call, unit.name, kStatusLogLines);
        if (!log.empty()) text += Cat("\n", log);
    }
    return text;
}

// Of patterns and of what is filtered it is a line each, of units that are named a page each.
bool IsTable(const Invocation& call) {
    const auto& units = call.arguments.operands;
    return units.empty() || IsFiltered(call) ||
           std::ranges::any_of(units, [](const std::string& name) {
               return name.find_first_of("*?[") != name.npos;
           });
}

std::string FormatStatus(const Invocation& call, const Answer& answer) {
    if (!IsTable(call)) return FormatPages(call, answer);
    if (!answer.ok) return "";
    const Now now = ReadClocks();
    const std::string news = Cat(FormatConfirmation(answer, now, call.style),
                                 FormatImageNews(answer.image_news, now, call.style));
    if (answer.units.empty() && IsFiltered(call)) return "no unit is in such a state\n";
    return Cat(FormatTable(answer.units, now, call.style),
               answer.units.empty() ? "" : Cat("\n", FormatSummary(answer, call.style)),
               news.empty() ? "" : "\n", news);
}

std::string FormatNames(const Invocation&, const Answer& answer) {
    const Style plain;
    std::string text;
    for (const auto& unit : answer.units) text += Visible(plain, unit.name) + "\n";
    return text;
}

std::string FormatWhyPages(const Invocation& call, const Answer& answer) {
    std::string text;
    for (const auto& unit : answer.units) {
        if (!text.empty()) text += "\n";
        text += FormatWhy(unit, ReadClocks(), call.style);
    }
    return text;
}

std::string FormatOutcomes(const Invocation& call, const Answer& answer) {
    std::string text;
    for (const auto& unit : answer.units) text += FormatOutcome(unit, call.style);
    return text;
}

bool IsFiltered(const Invocation& call) {
    return call.arguments.Has("state") || call.arguments.Has("failed");
}

// --state=failed,running and --failed; false where a word is no state.
bool TakeStates(const Invocation& call, std::vector<std::string>& states) {
    if (call.arguments.Has("failed")) states = {"failed", "refused"};
    const std::string words = call.arguments.Get("state").value_or("");
    if (words.empty()) return true;
    for (auto word : Split(words, ',')) {
        if (std::ranges::find(kStateNames, word) == std::end(kStateNames)) {
            const std::vector<std::string_view> known(std::begin(kStateNames),
                                                      std::end(kStateNames));
            auto nearest = Nearest(word, known);
            PrintError(Cat(call.verb->name, ": no state ", Quote(word),
                           nearest ? Cat(" (did you mean ", Quote(*nearest), "?)")
                                   : Cat("; there are ", Join({known.begin(), known.end()}, " "))));
            return false;
        }
        states.emplace_back(word);
    }
    return true;
}

// The main file and its drop-ins, in the order in which they are merged. The supervisor names the
// main file; drop-ins lie beside it (NAME.container.d/*.conf).
std::vector<std::string> FilesOf(const UnitView& unit) {
    std::vector<std::string> files{unit.path};
    auto names = ListDirectory(unit.path + ".d");
    if (!names) return files;  // no drop-ins
    for (const auto& name : *names)
        if (name.ends_with(".conf")) files.push_back(Cat(unit.path, ".d/", name));
    return files;
}

}  // namespace

int StatusCommand(const Invocation& call) {
    const auto& units = call.arguments.operands;
    std::vector<std::string> states;
    if (!TakeStates(call, states)) return kExitUsage;
    auto reply = Call(
        call.call,
        {.verb = "status", .units = units, .brief = !call.json && IsTable(call), .states = states});
    if (!reply) return ExitCodeOf(reply.error());
    if (!Print(call.json ? reply->line + "\n" : FormatStatus(call, reply->answer)))
        return kExitFailed;
    if (int code = ExitCodeOf(reply->answer); code != kExitOk || IsTable(call)) return code;
    const bool all_up = std::all_of(
        reply->answer.units.begin(), reply->answer.units.end(),
        [](const UnitView& unit) { return unit.state == "running" || unit.state == "exited"; });
    return all_up ? kExitOk : kExitNotRunning;
}

int ListCommand(const Invocation& call) {
    std::vector<std::string> states;
    if (!TakeStates(call, states)) return kExitUsage;
    return AskAndPrint(call, {.verb = "list", .units = call.arguments.operands, .states = states},
                       FormatNames);
}

int TimersCommand(const Invocation& call) {
    return AskAndPrint(call, {.verb = "timers"}, [](const Invocation& asked, const Answer& answer) {
        return FormatTimers(answer.units, ReadClocks(), asked.style);
    });
}

int WhyCommand(const Invocation& call) {
    return AskAndPrint(call, {.verb = "why", .units = call.arguments.operands}, FormatWhyPages);
}

int UnitJobCommand(const Invocation& given) {
    Invocation call = given;
    Request request{.verb = call.verb->name, .units = call.arguments.operands};
    // Starting what runs and stopping what is down are nothing; the others count.
    call.call.repeatable =
        request.verb == "start" || request.verb == "stop" || request.verb == "reset-failed";
    call.call.answer_patience = kInfinite;  // the unit's own timeouts end the job
    request.no_wait = call.arguments.Has("no-wait");
    if (request.verb == "kill") {
        request.whom = call.arguments.Get("whom").value_or("main");
        if (request.whom != "main" && request.whom != "all") {
            PrintError(Cat("kill: --whom=", request.whom, ": write main or all"));
            return kExitUsage;
        }
        const std::string name = call.arguments.Get("signal").value_or("SIGTERM");
        const auto signal = ParseSignal(name);
        if (!signal) {
            PrintError(Cat("kill: no signal ", Quote(name), ": write SIGHUP, HUP or 1"));
            return kExitUsage;
        }
        request.signal = SignalName(*signal);
    }
    return AskAndPrint(call, request, FormatOutcomes);
}

// A file as it is for a program, made harmless for a terminal; line by line, since newlines stay.
std::string Harmless(const Invocation& call, std::string_view text) {
    if (!call.style.terminal) return std::string(text);
    std::string shown;
    for (auto line : Split(text, '\n')) shown += Visible(call.style, line) + "\n";
    if (!shown.empty()) shown.pop_back();
    return shown;
}

int CatCommand(const Invocation& call) {
    auto reply = Call(call.call, {.verb = "status", .units = call.arguments.operands});
    if (!reply) return ExitCodeOf(reply.error());
    if (!reply->answer.ok && call.json) (void)Print(reply->line + "\n");
    if (int code = ExitCodeOf(reply->answer); code != kExitOk) return code;
    std::string text = call.json ? "{\"version\":1,\"ok\":true,\"files\":[" : "";
    bool first = true;
    for (const auto& unit : reply->answer.units)
        for (const auto& path : FilesOf(unit)) {
            // A refused unit may be one whose file is too long, and a person wants to see it too.
            auto file = ReadFile(path, 16 * kLargestUnitFile);
            if (!file) return PrintError(file.error().text()), kExitFailed;
            if (call.json) {
                text += Cat(first ? "" : ",", "{\"path\":", JsonString(path),
                            ",\"text\":", JsonString(*file), "}");
            } else {
                text += Cat(first ? "" : "\n", "# ", Harmless(call, path), "\n");
                text += Harmless(call, *file);
                if (!text.ends_with('\n')) text += '\n';
            }
            first = false;
        }
    if (call.json) text += "]}\n";
    return Print(text) ? kExitOk : kExitFailed;
}

}  // namespace husk::cli
