#include "cli/format_log.h"

#include <cstdio>
#include <sys/wait.h>
#include <time.h>

#include <utility>

#include "base/text.h"

namespace husk::cli {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

// "Nov 22 05:10:06", as journalctl writes it.
std::string Stamp(const LogEntry& entry, const Now& now) {
    constexpr size_t kWidth = 15;
    if (entry.realtime == 0) return std::string(kWidth, ' ');
    const int64_t at = WallClock(entry.realtime, entry.monotonic, now);
    const time_t seconds = static_cast<time_t>(at / kSecond);
    tm parts{};
    if (::gmtime_r(&seconds, &parts) == nullptr) return std::string(kWidth, '?');
    constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    char text[64];
    std::snprintf(text, sizeof text, "%s %02d %02d:%02d:%02d", kMonths[parts.tm_mon], parts.tm_mday,
                  parts.tm_hour, parts.tm_min, parts.tm_sec);
    return text;
}

std::string ExitInWords(int status) {
    if (WIFSIGNALED(status))
        return Cat("killed by ", SignalName(WTERMSIG(status)),
                   WCOREDUMP(status) ? " (core dumped)" : "");
    return Cat("exited with code ", std::to_string(WEXITSTATUS(status)));
}

std::string FormatShort(const LogEntry& entry, const Now& now, const Style& style) {
    auto event = [&](std::string_view words) {
        return Paint(style, Colour::kDim, Cat(Stamp(entry, now), " -- ", words, " --"));
    };
    switch (entry.kind) {
        case LogEntryKind::kText:
            return Cat(Stamp(entry, now), " ",
                       style.terminal ? Visible(style, entry.text) : entry.text);
        case LogEntryKind::kStarted: return event(Cat("started, pid ", std::to_string(entry.pid)));
        case LogEntryKind::kExited: return event(ExitInWords(entry.status));
        case LogEntryKind::kDropped:
            return Paint(style, Colour::kDim, FormatDropped(entry.dropped));
    }
    return "";
}

std::string FormatJson(const LogEntry& entry) {
    std::string text = Cat("{\"version\":1,\"offset\":", std::to_string(entry.offset));
    auto number = [&](const char* name, int64_t value) {
        text += Cat(",\"", name, "\":", std::to_string(value));
    };
    if (entry.kind != LogEntryKind::kDropped) {
        number("realtime", entry.realtime);
        number("monotonic", entry.monotonic);
    }
    switch (entry.kind) {
        case LogEntryKind::kText:
            text += Cat(",\"kind\":\"text\",\"text\":", JsonString(entry.text));
            break;
        case LogEntryKind::kStarted:
            text += ",\"kind\":\"started\"";
            number("pid", entry.pid);
            break;
        case LogEntryKind::kExited:
            text += ",\"kind\":\"exited\"";
            number("pid", entry.pid);
            if (WIFSIGNALED(entry.status))
                text += Cat(",\"signal\":", JsonString(SignalName(WTERMSIG(entry.status))));
            else
                number("code", WEXITSTATUS(entry.status));
            break;
        case LogEntryKind::kDropped:
            text += ",\"kind\":\"dropped\"";
            number("bytes", static_cast<int64_t>(entry.dropped));
            break;
    }
    return text + "}";
}

struct Unit {
    std::string_view name;
    int64_t seconds;
};
constexpr Unit kUnits[] = {{"s", 1},        {"sec", 1},   {"m", 60},    {"min", 60},
                           {"h", 3600},     {"hr", 3600}, {"d", 86400}, {"day", 86400},
                           {"days", 86400}, {"w", 604800}};

// "2h 30min": seconds.
std::optional<int64_t> ParseSpan(std::string_view text) {
    int64_t total = 0;
    text = Trim(text);
    if (text.empty()) return std::nullopt;
    while (!text.empty()) {
        const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
        const auto count = ParseUnsigned(text.substr(0, digits));
        text = Trim(text.substr(digits));
        const size_t letters =
            std::min(text.find_first_not_of("abcdefghijklmnopqrstuvwxyz"), text.size());
        const std::string_view name = text.substr(0, letters);
        int64_t seconds = 0;
        for (const auto& unit : kUnits)
            if (unit.name == name) seconds = unit.seconds;
        if (!count || *count > 1'000'000'000 || seconds == 0) return std::nullopt;
        total += static_cast<int64_t>(*count) * seconds;
        text = Trim(text.substr(letters));
    }
    return total;
}

// Numbers between separators, each within its range; `out` as many as there may be.
bool ParseFields(std::string_view text, char separator, std::span<int> out, size_t least) {
    const auto parts = Split(text, separator);
    if (parts.size() < least || parts.size() > out.size()) return false;
    for (size_t i = 0; i < parts.size(); ++i) {
        const auto value = ParseUnsigned(parts[i]);
        if (!value || *value > 9999) return false;
        out[i] = static_cast<int>(*value);
    }
    return true;
}

// "2026-11-22", "05:10", or both: seconds since 1970.
std::optional<int64_t> ParseDate(std::string_view text, const Now& now) {
    const auto words = SplitWords(text);
    if (words.empty() || words.size() > 2) return std::nullopt;
    const time_t today = static_cast<time_t>(now.realtime / kSecond);
    tm parts{};
    if (::gmtime_r(&today, &parts) == nullptr) return std::nullopt;
    parts.tm_hour = parts.tm_min = parts.tm_sec = 0;
    int date[3]{}, time[3]{};
    const bool has_date = ParseFields(words[0], '-', date, 3);
    if (has_date) {
        if (date[1] < 1 || date[1] > 12 || date[2] < 1 || date[2] > 31) return std::nullopt;
        parts.tm_year = date[0] - 1900;
        parts.tm_mon = date[1] - 1;
        parts.tm_mday = date[2];
    }
    if (!has_date || words.size() == 2) {
        if (has_date != (words.size() == 2)) return std::nullopt;
        if (!ParseFields(words.back(), ':', time, 2)) return std::nullopt;
        if (time[0] > 23 || time[1] > 59 || time[2] > 60) return std::nullopt;
        parts.tm_hour = time[0];
        parts.tm_min = time[1];
        parts.tm_sec = time[2];
    }
    return static_cast<int64_t>(::timegm(&parts));
}

}  // namespace

std::optional<LogOutput> ParseLogOutput(std::string_view text) {
    if (text == "short") return LogOutput::kShort;
    if (text == "cat") return LogOutput::kCat;
    if (text == "json") return LogOutput::kJson;
    return std::nullopt;
}

std::string FormatDropped(uint64_t bytes) {
    return Cat("[", FormatBytes(bytes), " of older output dropped]");
}

std::string FormatLogEntry(const LogEntry& entry, LogOutput output, const Now& now,
                           const Style& style) {
    switch (output) {
        case LogOutput::kShort: return FormatShort(entry, now, style) + "\n";
        case LogOutput::kJson: return FormatJson(entry) + "\n";
        case LogOutput::kCat: break;
    }
    if (entry.kind != LogEntryKind::kText) return "";
    return (style.terminal ? Visible(style, entry.text) : entry.text) + "\n";
}

Result<int64_t> ParseSince(std::string_view text, const Now& now) {
    std::string_view span = Trim(text);
    if (span.starts_with('@'))
        if (auto seconds = ParseUnsigned(span.substr(1)); seconds && *seconds < 9'000'000'000)
            return static_cast<int64_t>(*seconds) * kSecond;
    if (auto seconds = ParseDate(span, now)) return *seconds * kSecond;
    if (span.starts_with('-')) span.remove_prefix(1);
    if (span.ends_with("ago")) span.remove_suffix(3);
    if (auto seconds = ParseSpan(span); seconds && *seconds < 9'000'000'000)
        return now.realtime - *seconds * kSecond;
    return Fail(Cat("cannot read the time ", Quote(text),
                    ": write 10min, 2h, 05:10 or '2026-11-22 05:10:06' (UTC)"));
}

}  // namespace husk::cli
