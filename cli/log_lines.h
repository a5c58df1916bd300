// From a log's bytes and marks (supervisor/log_format.h) to lines with their times.
#pragma once

#include <cstdint>

#include <algorithm>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/log_format.h"

namespace husk::cli {

// kStored: a line of a log file, as it was printed.
enum class LogEntryKind { kText, kStarted, kExited, kDropped, kLimited, kStored };

struct LogEntry {
    LogEntryKind kind = LogEntryKind::kText;
    uint64_t offset = 0;                  // where it begins
    int64_t realtime = 0, monotonic = 0;  // 0 = unknown
    std::string text;                     // without its end of line
    int pid = 0;
    int status = 0;        // kExited: as waitpid(2) gives it
    uint64_t dropped = 0;  // kDropped: bytes that are gone; kLimited: lines that were not kept
    int priority = -1;     // of kernel messages: 0 to 7, syslog(3)
};

// Fed with what a reader gets, piece by piece, and keeps what is not a whole line yet.
class LogAssembler {
  public:
    // A longer line is cut in pieces: a flood without an end of line must not take all memory.
    static constexpr size_t kLongestLine = 64 * 1024;

    // In order of offset; what is out of order or of an unknown kind is skipped.
    // `at`: the place of the first one, as a number that grows.
    void AddMarks(std::span<const supervisor::LogMark> marks, uint64_t at = 0);
    // Where reading goes on: the line that has not ended, and the first mark that was not told.
    struct Place {
        uint64_t offset = 0, mark = 0;
    };
    Place place(uint64_t next_mark) const {
        return {pending_.empty() ? position_ : pending_offset_,
                events_.empty() ? std::max(next_mark, told_) : events_.front().at};
    }
    // To be called first. Marks before that place give times only.
    void GoOnAt(const Place& place) {
        position_ = place.offset;
        told_ = place.mark;
    }
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

    std::deque<supervisor::LogMark> times_;  // of every kind, from the line that is pending on
    struct Event {
        supervisor::LogMark mark;
        uint64_t at;
    };
    std::deque<Event> events_;  // not emitted yet
    uint64_t told_ = 0;
    uint64_t last_mark_ = 0;  // offset
    uint64_t position_ = 0;   // everything before was fed or is gone
    std::string pending_;     // line without an end so far
    uint64_t pending_offset_ = 0;
    uint64_t dropped_ = 0;  // not told yet
    size_t skipped_ = 0;
    bool skipping_ = false;  // in the rest of a line whose beginning is gone
};

}  // namespace husk::cli
