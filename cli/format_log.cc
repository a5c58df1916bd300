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
std::string Stamp(const LogEntry& entry, LogOutput output, const Now& now) {
    const bool monotonic = output == LogOutput::kShortMonotonic;
    const size_t width = output == LogOutput::kShortIso       ? 25
                         : output == LogOutput::kShortPrecise ? 22
                         : monotonic                          ? 14
                                                              : 15;
    char text[64];
    if (monotonic ? entry.monotonic == 0 : entry.realtime == 0) return std::string(width, ' ');
    if (monotonic) {
        std::snprintf(text, sizeof text, "[%5lld.%06lld]",
                      static_cast<long long>(entry.monotonic / kSecond),
                      static_cast<long long>(entry.monotonic % kSecond / 1000));
        return text;
    }
    const int64_t at = WallClock(entry.realtime, entry.monotonic, now);
    const time_t seconds = static_cast<time_t>(at / kSecond);
    tm parts{};
    if (::gmtime_r(&seconds, &parts) == nullptr) return std::string(width, '?');
    if (output == LogOutput::kShortIso) {
        std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d+00:00",
                      parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                      parts.tm_min, parts.tm_sec);
        return text;
    }
    constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int length = std::snprintf(text, sizeof text, "%s %02d %02d:%02d:%02d", kMonths[parts.tm_mon],
                               parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
    if (output == LogOutput::kShortPrecise)
        std::snprintf(text + length, sizeof text - static_cast<size_t>(length), ".%06lld",
                      static_cast<long long>(at % kSecond / 1000));
    return text;
}

std::string ExitInWords(int status) {
    if (WIFSIGNALED(status))
        return Cat("killed by ", SignalName(WTERMSIG(status)),
                   WCOREDUMP(status) ? " (core dumped)" : "");
    return Cat("exited with code ", std::to_string(WEXITSTATUS(status)));
}

// "1,234": as people write counts.
std::string Grouped(uint64_t number) {
    std::string text = std::to_string(number);
    for (size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, ",");
    return text;
}

std::string FormatShort(const LogEntry& entry, LogOutput output, const Now& now, const Style& style,
                        std::string_view name) {
    const std::string head = Cat(Stamp(entry, output, now), " ", name, name.empty() ? "" : ": ");
    auto event = [&](std::string_view words) {
        return Paint(style, Colour::kDim, Cat(head, "-- ", words, " --"));
    };
    switch (entry.kind) {
        case LogEntryKind::kText:
            return Cat(head, style.terminal ? Visible(style, entry.text) : entry.text);
        case LogEntryKind::kStored: return style.terminal ? Visible(style, entry.text) : entry.text;
        case LogEntryKind::kStarted: return event(Cat("started, pid ", std::to_string(entry.pid)));
        case LogEntryKind::kExited: return event(ExitInWords(entry.status));
        case LogEntryKind::kDropped:
            return Paint(style, Colour::kDim,
                         name.empty() ? FormatDropped(entry.dropped)
                                      : Cat(name, ": ", FormatDropped(entry.dropped)));
        case LogEntryKind::kLimited:
            if (entry.dropped == 0) return event("messages were overwritten before they were read");
            return event(Cat(Grouped(entry.dropped), entry.dropped == 1 ? " line" : " lines",
                             " dropped (LogRateLimitBurst=)"));
    }
    return "";
}

std::string FormatJson(const LogEntry& entry, const LogName& name) {
    std::string text = Cat("{\"version\":1,\"offset\":", std::to_string(entry.offset));
    if (!name.unit.empty()) text += Cat(",\"unit\":", JsonString(name.unit));
    if (!name.shown.empty()) text += Cat(",\"identifier\":", JsonString(name.shown));
    auto number = [&](const char* key, int64_t value) {
        text += Cat(",\"", key, "\":", std::to_string(value));
    };
    if (entry.kind != LogEntryKind::kDropped) {
        number("realtime", entry.realtime);
        number("monotonic", entry.monotonic);
    }
    switch (entry.kind) {
        case LogEntryKind::kStored:
        case LogEntryKind::kText:
            text += Cat(",\"kind\":\"text\",\"text\":", JsonString(entry.text));
            if (entry.priority >= 0) number("priority", entry.priority);
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
        case LogEntryKind::kLimited:
            text += ",\"kind\":\"limited\"";
            number("lines", static_cast<int64_t>(entry.dropped));
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
        if (total > 9'000'000'000) return std::nullopt;
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
    constexpr std::pair<std::string_view, LogOutput> kOutputs[] = {
        {"short", LogOutput::kShort},        {"cat", LogOutput::kCat},
        {"json", LogOutput::kJson},          {"short-monotonic", LogOutput::kShortMonotonic},
        {"short-iso", LogOutput::kShortIso}, {"short-precise", LogOutput::kShortPrecise},
    };
    for (const auto& [name, output] : kOutputs)
        if (name == text) return output;
    return std::nullopt;
}

std::string FormatDropped(uint64_t bytes) {
    return Cat("[", FormatBytes(bytes), " of older output dropped]");
}

std::string FormatLogEntry(const LogEntry& entry, LogOutput output, const Now& now,
                           const Style& style, const LogName& name) {
    if (output == LogOutput::kJson) return FormatJson(entry, name) + "\n";
    if (output != LogOutput::kCat) return FormatShort(entry, output, now, style, name.shown) + "\n";
    if (entry.kind != LogEntryKind::kText && entry.kind != LogEntryKind::kStored) return "";
    return (style.terminal ? Visible(style, entry.text) : entry.text) + "\n";
}

Result<int64_t> ParseSince(std::string_view text, const Now& now) {
    std::string_view span = Trim(text);
    constexpr int64_t kDay = 86400;
    const int64_t today = now.realtime / kSecond / kDay * kDay * kSecond;
    if (span == "now") return now.realtime;
    if (span == "today") return today;
    if (span == "yesterday") return today - kDay * kSecond;
    if (span == "tomorrow") return today + kDay * kSecond;
    if (span.starts_with('@'))
        if (auto seconds = ParseUnsigned(span.substr(1)); seconds && *seconds < 9'000'000'000)
            return static_cast<int64_t>(*seconds) * kSecond;
    if (auto seconds = ParseDate(span, now)) {
        // Beyond what nanoseconds count, on either side.
        constexpr int64_t kMost = 9'000'000'000;
        if (*seconds > kMost || *seconds < -kMost)
            return Fail("time ", Quote(text), " is too far away");
        return *seconds * kSecond;
    }
    const bool ahead = span.starts_with('+');
    if (ahead || span.starts_with('-'))
        span.remove_prefix(1);
    else if (span.ends_with("ago"))
        span.remove_suffix(3);
    if (auto seconds = ParseSpan(span); seconds && *seconds < 9'000'000'000)
        return now.realtime + (ahead ? *seconds : -*seconds) * kSecond;
    return Fail("cannot read the time ", Quote(text),
                ": write 10min, '2h ago', today, 05:10 or '2026-11-22 05:10:06' (UTC)");
}

}  // namespace husk::cli
