// From a log's bytes and marks (supervisor/log_format.h) to lines with their times.
#pragma once

#include <cstdint>

#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/log_format.h"

namespace husk::cli {

enum class LogEntryKind { kText, kStarted, kExited, kDropped };

struct LogEntry {
    LogEntryKind kind = LogEntryKind::kText;
    uint64_t offset = 0;                  // where it begins
    int64_t realtime = 0, monotonic = 0;  // 0 = unknown
    std::string text;                     // without its end of line
    int pid = 0;
    int status = 0;        // kExited: as waitpid(2) gives it
    uint64_t dropped = 0;  // kDropped: bytes that are gone
};

// Fed with what a reader gets, piece by piece, and keeps what is not a whole line yet.
class LogAssembler {
  public:
    // A longer line is cut in pieces: a flood without an end of line must not take all memory.
    static constexpr size_t kLongestLine = 64 * 1024;

    // In order of offset; what is out of order or of an unknown kind is skipped.
    void AddMarks(std::span<const supervisor::LogMark> marks);
    // `offset` beyond what was fed so far: the bytes between are gone, and so is the rest of the
    // line that the gap ends in.
    void AddText(uint64_t offset, std::string_view data, std::vector<LogEntry>& out);
    // Starts and exits that no text has yet come behind; the line before them is at its end.
    void AddEvents(std::vector<LogEntry>& out);
    // The end: what is left, whole or not.
    void Finish(std::vector<LogEntry>& out);

    uint64_t position() const { return position_; }

  private:
    void Gap(uint64_t offset, std::vector<LogEntry>& out);
    void AddPiece(std::string_view piece, std::vector<LogEntry>& out);
    std::string_view Skip(std::string_view piece);
    void EmitLine(std::vector<LogEntry>& out);
    void EmitPending(std::vector<LogEntry>& out);
    void EmitGap(std::vector<LogEntry>& out);
    void EmitEvent(std::vector<LogEntry>& out);

    std::deque<supervisor::LogMark> times_;   // of every kind, from the line that is pending on
    std::deque<supervisor::LogMark> events_;  // not emitted yet
    uint64_t last_mark_ = 0;                  // offset
    uint64_t position_ = 0;                   // everything before was fed or is gone
    std::string pending_;                     // line without an end so far
    uint64_t pending_offset_ = 0;
    uint64_t dropped_ = 0;  // not told yet
    size_t skipped_ = 0;
    bool skipping_ = false;  // in the rest of a line whose beginning is gone
};

}  // namespace husk::cli
