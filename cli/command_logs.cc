// logs, and the last lines that status shows.
#include <unistd.h>

#include <deque>
#include <utility>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/log_files.h"

namespace husk::cli {
namespace {

constexpr size_t kFollowedLines = 10;

struct LogQuery {
    LogOutput output = LogOutput::kShort;
    bool follow = false;
    std::optional<size_t> last;    // lines; nothing = all
    std::optional<int64_t> since;  // nanoseconds since 1970
};

Result<LogQuery> ReadQuery(const Invocation& call) {
    LogQuery query;
    query.follow = call.arguments.Has("follow");
    if (call.json) query.output = LogOutput::kJson;
    if (auto name = call.arguments.Get("output")) {
        auto output = ParseLogOutput(*name);
        if (!output) return Fail(Cat("no format ", Quote(*name), ": short, cat or json"));
        query.output = *output;
    }
    if (auto since = call.arguments.Get("since")) {
        auto time = ParseSince(*since, ReadClocks());
        if (!time) return Fail(std::move(time).error());
        query.since = *time;
    }
    if (query.follow && !query.since) query.last = kFollowedLines;
    if (auto lines = call.arguments.Get("lines")) {
        auto count = ParseUnsigned(*lines);
        if (!count && *lines != "all")
            return Fail(Cat("--lines= wants a number or 'all', not ", Quote(*lines)));
        query.last.reset();
        if (count) query.last = static_cast<size_t>(*count);
    }
    return query;
}

// Formats what is asked for: at first into a window of the last lines, then straight out.
class LogPrinter {
  public:
    LogPrinter(const LogQuery& query, const Style& style) : query_(query), style_(style) {}

    Status Take(std::vector<LogEntry>&& entries) {
        const Now now = ReadClocks();
        std::string text;
        for (const auto& entry : entries) {
            if (!Wanted(entry, now)) continue;
            std::string line = FormatLogEntry(entry, query_.output, now, style_);
            if (line.empty()) continue;
            if (!query_.last || straight_) {
                text += line;
                continue;
            }
            window_.push_back(std::move(line));
            if (window_.size() > *query_.last) window_.pop_front();
        }
        return Write(text);
    }

    // The window is complete.
    Status Open() {
        straight_ = true;
        return Write(Window());
    }

    std::string Window() {
        std::string text;
        for (const auto& line : std::exchange(window_, {})) text += line;
        return text;
    }

  private:
    bool Wanted(const LogEntry& entry, const Now& now) const {
        if (!query_.since) return true;
        return entry.realtime != 0 &&
               WallClock(entry.realtime, entry.monotonic, now) >= *query_.since;
    }
    Status Write(std::string_view text) {
        if (text.empty() || Print(text)) return {};
        return Fail(Error::FromErrno(EPIPE, "standard output"));
    }

    const LogQuery& query_;
    const Style& style_;
    std::deque<std::string> window_;
    bool straight_ = false;
};

// False where the reader of standard output is gone.
Status PrintLog(LogReader& reader, LogPrinter& printer, bool follow) {
    const LogSink sink = [&](std::vector<LogEntry>&& entries) {
        return printer.Take(std::move(entries));
    };
    HUSK_TRY(reader.ReadNew(sink));
    if (!follow) HUSK_TRY(reader.Finish(sink));
    HUSK_TRY(printer.Open());
    while (follow) {
        auto more = reader.WaitForMore(STDOUT_FILENO);
        if (!more) return Fail(std::move(more).error());
        if (!*more) return {};
        HUSK_TRY(reader.ReadNew(sink));
    }
    return {};
}

}  // namespace

int LogsCommand(const Invocation& call) {
    auto query = ReadQuery(call);
    if (!query) {
        PrintError(Cat("logs: ", query.error().text()));
        return kExitUsage;
    }
    auto reply = Call(call.call, {.verb = "logs", .units = call.arguments.operands});
    if (!reply) return ExitCodeOf(reply.error());
    if (int code = ExitCodeOf(reply->answer); code != kExitOk) return code;
    auto reader = LogReader::Create(std::move(reply->files));
    if (!reader) return PrintError(reader.error().text()), kExitFailed;
    LogPrinter printer(*query, call.style);
    auto printed = PrintLog(*reader, printer, query->follow);
    if (printed) return kExitOk;
    if (printed.error().code() != EPIPE) PrintError(printed.error().text());
    return kExitFailed;
}

std::string LastLogLines(const Invocation& call, const std::string& unit, size_t count) {
    // The page is of use without its log too, so what goes wrong here is left out.
    auto reply = Call(call.call, {.verb = "logs", .units = {unit}});
    if (!reply || !reply->answer.ok) return "";
    auto reader = LogReader::Create(std::move(reply->files));
    if (!reader) return "";
    LogQuery query;
    query.last = count;
    LogPrinter printer(query, call.style);
    const LogSink sink = [&](std::vector<LogEntry>&& entries) {
        return printer.Take(std::move(entries));
    };
    if (!reader->ReadNew(sink) || !reader->Finish(sink)) return "";
    return printer.Window();
}

}  // namespace husk::cli
