#include "cli/log_lines.h"

#include <algorithm>
#include <utility>

namespace husk::cli {

using supervisor::LogMark;
using supervisor::LogMarkKind;

void LogAssembler::AddMarks(std::span<const LogMark> marks, uint64_t at) {
    for (const auto& mark : marks) {
        const uint64_t here = std::exchange(at, at + sizeof mark);
        const bool empty = mark.realtime == 0 && mark.monotonic == 0;  // read from a hole
        const bool event = mark.kind == LogMarkKind::kStarted ||
                           mark.kind == LogMarkKind::kExited || mark.kind == LogMarkKind::kLimited;
        if (empty || mark.offset < last_mark_ || (!event && mark.kind != LogMarkKind::kText))
            continue;
        if (mark.kind == LogMarkKind::kLimited && mark.status <= 0) continue;  // nothing yet
        last_mark_ = mark.offset;
        times_.push_back(mark);
        if (event && here >= told_) events_.push_back({mark, here});
    }
}

void LogAssembler::AddText(uint64_t offset, std::string_view data, std::vector<LogEntry>& out) {
    if (offset > position_) Gap(offset, out);
    const uint64_t known = position_ - offset;
    if (known >= data.size()) return;
    data.remove_prefix(known);
    while (!data.empty()) {
        AddEvents(out);
        size_t length = data.size();
        if (!events_.empty())
            length = std::min<uint64_t>(length, events_.front().mark.offset - position_);
        AddPiece(data.substr(0, length), out);
        data.remove_prefix(length);
    }
}

void LogAssembler::AddEvents(std::vector<LogEntry>& out) {
    while (!events_.empty() && events_.front().mark.offset <= position_) EmitEvent(out);
}

void LogAssembler::Finish(std::vector<LogEntry>& out) {
    while (!events_.empty()) EmitEvent(out);
    EmitGap(out);
    EmitPending(out);
}

void LogAssembler::Gap(uint64_t offset, std::vector<LogEntry>& out) {
    EmitPending(out);
    while (!events_.empty() && events_.front().mark.offset < offset) events_.pop_front();
    dropped_ += offset - position_;
    position_ = offset;
    skipping_ = true;
    skipped_ = 0;
}

// Bytes with no event in between.
void LogAssembler::AddPiece(std::string_view piece, std::vector<LogEntry>& out) {
    if (skipping_) piece = Skip(piece);
    if (!skipping_) EmitGap(out);
    while (!piece.empty()) {
        if (pending_.empty()) pending_offset_ = position_;
        const size_t room = kLongestLine - pending_.size();
        const size_t end = piece.substr(0, room).find('\n');
        const size_t length = std::min({end, room, piece.size()});
        pending_.append(piece.substr(0, length));
        const bool ended = end != std::string_view::npos;
        position_ += length + (ended ? 1 : 0);
        piece.remove_prefix(length + (ended ? 1 : 0));
        if (ended || pending_.size() == kLongestLine) EmitLine(out);
    }
}

std::string_view LogAssembler::Skip(std::string_view piece) {
    const size_t end = piece.find('\n');
    const size_t length = end == std::string_view::npos ? piece.size() : end + 1;
    position_ += length;
    dropped_ += length;
    skipped_ += length;
    if (end != std::string_view::npos || skipped_ >= kLongestLine) skipping_ = false;
    return piece.substr(length);
}

void LogAssembler::EmitLine(std::vector<LogEntry>& out) {
    LogEntry line;
    line.offset = pending_offset_;
    // The line's time is that of the last mark at or before its first byte.
    while (times_.size() > 1 && times_[1].offset <= pending_offset_) times_.pop_front();
    if (!times_.empty() && times_.front().offset <= pending_offset_) {
        line.realtime = times_.front().realtime;
        line.monotonic = times_.front().monotonic;
    }
    line.text = std::exchange(pending_, {});
    out.push_back(std::move(line));
}

void LogAssembler::EmitPending(std::vector<LogEntry>& out) {
    if (!pending_.empty()) EmitLine(out);
}

void LogAssembler::EmitGap(std::vector<LogEntry>& out) {
    if (dropped_ == 0) return;
    LogEntry gap;
    gap.kind = LogEntryKind::kDropped;
    gap.offset = position_;
    gap.dropped = std::exchange(dropped_, 0);
    skipping_ = false;
    out.push_back(std::move(gap));
}

void LogAssembler::EmitEvent(std::vector<LogEntry>& out) {
    EmitGap(out);
    EmitPending(out);  // a process that ended wrote no end of line
    const LogMark mark = events_.front().mark;
    events_.pop_front();
    LogEntry event;
    event.kind = mark.kind == LogMarkKind::kStarted  ? LogEntryKind::kStarted
                 : mark.kind == LogMarkKind::kExited ? LogEntryKind::kExited
                                                     : LogEntryKind::kLimited;
    if (event.kind == LogEntryKind::kLimited)
        event.dropped = static_cast<uint64_t>(std::max(mark.status, 0));
    event.offset = mark.offset;
    event.realtime = mark.realtime;
    event.monotonic = mark.monotonic;
    event.pid = mark.pid;
    event.status = mark.status;
    out.push_back(std::move(event));
}

}  // namespace husk::cli
