// logs, and the last lines that status shows.
#include <fnmatch.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <utility>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/earlier_boot.h"
#include "cli/log_merge.h"

namespace husk::cli {
namespace {

constexpr size_t kFollowedLines = 10;
constexpr std::string_view kKernel = "kernel";
// Where all units are followed: how often new ones are looked for.
constexpr Duration kLookForUnits = std::chrono::seconds(2);

struct LogQuery {
    LogOutput output = LogOutput::kShort;
    bool follow = false;
    std::optional<size_t> last;           // lines; nothing = all
    std::optional<int64_t> since, until;  // nanoseconds since 1970
    std::string pattern;                  // of fnmatch(3); empty: every line
    bool names = false;                   // before each line
    int64_t boot = 0;                     // -1: the one before
};

Status ReadTimes(const Invocation& call, LogQuery& query) {
    for (auto [name, into] : {std::pair{"since", &query.since}, {"until", &query.until}})
        if (auto text = call.arguments.Get(name)) {
            auto time = ParseSince(*text, ReadClocks());
            if (!time) return Fail(std::move(time).error());
            *into = *time;
        }
    return {};
}

Result<LogQuery> ReadQuery(const Invocation& call) {
    LogQuery query;
    query.follow = call.arguments.Has("follow");
    if (call.json) query.output = LogOutput::kJson;
    if (auto name = call.arguments.Get("output")) {
        auto output = ParseLogOutput(*name);
        if (!output)
            return Fail("no format ", Quote(*name),
                        ": short, short-monotonic, short-iso, short-precise, cat or json");
        query.output = *output;
    }
    HUSK_TRY(ReadTimes(call, query));
    if (auto boot = call.arguments.Get("boot")) {
        auto number = ParseSigned(*boot);
        if (!number || *number > 0 || *number < -1)
            return Fail("--boot= wants 0 (this boot) or -1 (the one before), not ", Quote(*boot));
        query.boot = *number;
    }
    if (query.boot != 0 && query.follow) return Fail("a boot that is over cannot be followed");
    if (auto pattern = call.arguments.Get("grep")) query.pattern = Cat("*", *pattern, "*");
    if (query.follow && !query.since) query.last = kFollowedLines;
    if (auto lines = call.arguments.Get("lines")) {
        auto count = ParseUnsigned(*lines);
        if (!count && *lines != "all")
            return Fail("--lines= wants a number or 'all', not ", Quote(*lines));
        query.last.reset();
        if (count) query.last = static_cast<size_t>(*count);
    }
    return query;
}

// Formats what is asked for: at first into a window of the last lines, then straight out.
class LogPrinter {
  public:
    LogPrinter(const LogQuery& query, const Style& style) : query_(query), style_(style) {}

    Status Take(const LogSource& source, const LogEntry& entry) {
        const Now now = ReadClocks();
        if (!Wanted(entry, now)) return {};
        const LogName name{source.unit, query_.names || query_.output == LogOutput::kJson
                                            ? source.shown
                                            : std::string_view()};
        std::string line = FormatLogEntry(entry, query_.output, now, style_, name);
        if (line.empty()) return {};
        if (!query_.last || straight_) {
            text_ += line;
            return text_.size() < kEnough ? Status() : Flush();
        }
        window_.push_back(std::move(line));
        if (window_.size() > *query_.last) window_.pop_front();
        return {};
    }

    // What is written so far; the window is complete.
    Status Open() {
        straight_ = true;
        text_ += Window();
        return Flush();
    }
    Status Flush() {
        const std::string text = std::exchange(text_, {});
        if (text.empty() || Print(text)) return {};
        return Fail(Error::FromErrno(EPIPE, "standard output"));
    }

    std::string Window() {
        std::string text;
        for (const auto& line : std::exchange(window_, {})) text += line;
        return text;
    }

  private:
    static constexpr size_t kEnough = 64 * 1024;

    bool Wanted(const LogEntry& entry, const Now& now) const {
        if (!query_.pattern.empty()) {
            if (entry.kind != LogEntryKind::kText && entry.kind != LogEntryKind::kStored)
                return false;
            const bool any_case =
                std::ranges::none_of(query_.pattern, [](char c) { return c >= 'A' && c <= 'Z'; });
            if (::fnmatch(query_.pattern.c_str(), entry.text.c_str(),
                          any_case ? FNM_CASEFOLD : 0) != 0)
                return false;
        }
        if (!query_.since && !query_.until) return true;
        if (entry.realtime == 0) return false;
        const int64_t at = WallClock(entry.realtime, entry.monotonic, now);
        return (!query_.since || at >= *query_.since) && (!query_.until || at <= *query_.until);
    }

    const LogQuery& query_;
    const Style& style_;
    std::string text_;
    std::deque<std::string> window_;
    bool straight_ = false;
};

Result<std::unique_ptr<LogSource>> AskForLog(const Invocation& call, const std::string& unit) {
    auto reply = Call(call.call, {.verb = "logs", .units = {unit}});
    if (!reply) return Fail(std::move(reply).error());
    const Answer& answer = reply->answer;
    if (!answer.ok) return Fail(answer.error);
    auto reader = LogReader::Create(std::move(reply->files));
    if (!reader) return Fail(std::move(reader).error());
    const std::string shown = answer.units.empty() || answer.units[0].identifier.empty()
                                  ? unit
                                  : answer.units[0].identifier;
    return UnitSource(std::move(*reader), unit, shown);
}

// Every unit that has run; those that are there already are left out.
Status AddAll(const Invocation& call, const std::vector<std::string>& patterns, LogMerger& merger) {
    auto reply = Call(call.call, {.verb = "status", .units = patterns});
    if (!reply) return Fail(std::move(reply).error());
    if (!reply->answer.ok) return Fail(reply->answer.error);
    for (const auto& unit : reply->answer.units) {
        if (unit.state == "refused" || merger.Has(unit.name)) continue;
        auto source = AskForLog(call, unit.name);
        if (source) merger.Add(std::move(*source));
        // It has not run yet, or is gone meanwhile.
    }
    return {};
}

// Two descriptors a log.
void RaiseDescriptorLimit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    (void)::setrlimit(RLIMIT_NOFILE, &limit);  // fewer logs are opened where it fails
}

// Which logs are asked for, and opens them.
class LogCommand {
  public:
    LogCommand(const Invocation& call, LogQuery query)
        : call_(call), query_(std::move(query)), printer_(query_, call.style) {}

    int Run() {
        SortOperands();
        query_.names = call_.arguments.operands.size() != 1 || all_;
        Status opened = query_.boot == 0 ? OpenLogs() : OpenEarlier();
        if (code_ != kExitOk) return code_;
        Status printed = opened ? PrintAll() : std::move(opened);
        if (printed) return kExitOk;
        if (printed.error().code() == EPIPE) return kExitFailed;
        return ExitCodeOf(printed.error());
    }

  private:
    void SortOperands() {
        kernel_ = call_.arguments.Has("dmesg");
        for (const auto& name : call_.arguments.operands) {
            if (name == kKernel)
                kernel_ = true;
            else if (name.find_first_of("*?[") != name.npos)
                patterns_.push_back(name);
            else
                units_.push_back(name);
        }
        all_ = call_.arguments.operands.empty() && !kernel_;
        if (!patterns_.empty()) all_ = true;
    }

    Status OpenLogs() {
        RaiseDescriptorLimit();
        if (kernel_) {
            auto kernel = KernelSource();
            if (!kernel) return Fail(std::move(kernel).error());
            merger_.Add(std::move(*kernel));
        }
        for (const auto& unit : units_) {
            auto reply = Call(call_.call, {.verb = "logs", .units = {unit}});
            if (!reply) return Fail(std::move(reply).error());
            if (!reply->answer.ok && call_.json) (void)Print(reply->line + "\n");
            if (code_ = ExitCodeOf(reply->answer); code_ != kExitOk) return {};
            auto reader = LogReader::Create(std::move(reply->files));
            if (!reader) return Fail(std::move(reader).error());
            const auto& views = reply->answer.units;
            merger_.Add(UnitSource(
                std::move(*reader), unit,
                views.empty() || views[0].identifier.empty() ? unit : views[0].identifier));
        }
        return all_ ? AddAll(call_, patterns_, merger_) : Status();
    }

    // A boot that is over: what storage keeps of it.
    Status OpenEarlier() {
        auto sources = EarlierBoot(call_);
        if (!sources) return Fail(std::move(sources).error());
        for (auto& source : *sources) {
            const bool wanted =
                source->unit == kKernel
                    ? kernel_ || all_
                    : all_ || std::ranges::find(units_, source->unit) != units_.end();
            if (wanted) merger_.Add(std::move(source));
        }
        query_.names = true;
        return {};
    }

    Status PrintAll() {
        const LogMerger::Take take = [this](const LogSource& source, const LogEntry& entry) {
            return printer_.Take(source, entry);
        };
        HUSK_TRY(merger_.ReadAll(!query_.follow, take));
        HUSK_TRY(printer_.Open());
        Instant looked = MonotonicNow();
        while (query_.follow) {
            auto more = merger_.watch().Wait(STDOUT_FILENO);
            if (!more) return Fail(std::move(more).error());
            if (!*more) return {};
            if (all_ && MonotonicNow() - looked >= kLookForUnits) {
                (void)AddAll(call_, patterns_, merger_);  // tried again, as while it is restarted
                looked = MonotonicNow();
            }
            HUSK_TRY(merger_.ReadAll(false, take));
            HUSK_TRY(printer_.Flush());
        }
        return {};
    }

    const Invocation& call_;
    LogQuery query_;
    LogPrinter printer_;
    LogMerger merger_;
    std::vector<std::string> units_, patterns_;
    bool kernel_ = false, all_ = false;
    int code_ = kExitOk;
};

}  // namespace

int LogsCommand(const Invocation& call) {
    auto query = ReadQuery(call);
    if (!query) {
        PrintError(Cat("logs: ", query.error().text()));
        return kExitUsage;
    }
    return LogCommand(call, std::move(*query)).Run();
}

std::string LastLogLines(const Invocation& call, const std::string& unit, size_t count) {
    // The page is of use without its log too, so what goes wrong here is left out.
    auto source = AskForLog(call, unit);
    if (!source) return "";
    LogQuery query;
    query.last = count;
    LogPrinter printer(query, call.style);
    LogMerger merger;
    merger.Add(std::move(*source));
    const Status read = merger.ReadAll(true, [&](const LogSource& from, const LogEntry& entry) {
        return printer.Take(from, entry);
    });
    return read ? printer.Window() : "";
}

}  // namespace husk::cli
