// How log entries are written, and what --since= understands. Pure.
#pragma once

#include <cstdint>

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "cli/format.h"
#include "cli/log_lines.h"

namespace husk::cli {

enum class LogOutput { kShort, kCat, kJson, kShortMonotonic, kShortIso, kShortPrecise };
std::optional<LogOutput> ParseLogOutput(std::string_view text);

// Whose line it is. `shown` stands before the text; empty: nothing does.
struct LogName {
    std::string_view unit, shown;
};
// One line with its end. kCat writes text alone: nothing for the other kinds.
std::string FormatLogEntry(const LogEntry& entry, LogOutput output, const Now& now,
                           const Style& style, const LogName& name = {});
// "[1.2M of older output dropped]"
std::string FormatDropped(uint64_t bytes);

// --since=, --until=: "10min", "2h 30min ago", "-1h", "+5s", "05:10", "2026-11-22",
// "2026-11-22 05:10:06", "@1790000000", "now", "today", "yesterday", "tomorrow", all UTC;
// nanoseconds since 1970. A span alone lies in the past.
Result<int64_t> ParseSince(std::string_view text, const Now& now);

}  // namespace husk::cli
