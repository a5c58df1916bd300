// Reads a unit's log files at a reader's own pace.
#pragma once

#include <cstdint>

#include <functional>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "cli/log_lines.h"

namespace husk::cli {

using LogSink = std::function<Status(std::vector<LogEntry>&&)>;

class LogReader {
  public:
    // `files` as the supervisor sent them: text, marks.
    static Result<LogReader> Create(std::vector<OwnedFd> files);

    // A piece of what has come since the last false; false: that was all. A reader that is
    // overtaken goes on at the oldest text that is still there, and tells what it missed. However
    // fast the writer is, one round reads no more than was there when it began.
    Result<bool> ReadPiece(std::vector<LogEntry>& out, size_t most_bytes);
    // All of it, in pieces.
    Status ReadNew(const LogSink& sink);
    // After the last of it: the line without an end, and counts that still grow.
    Status Finish(std::vector<LogEntry>& out);

    // See LogAssembler. False where the log in memory has lost that place.
    LogAssembler::Place place() const { return assembler_.place(next_mark_); }
    bool GoOnAt(const LogAssembler::Place& place);

    int text() const { return text_.get(); }
    int marks() const { return marks_.get(); }

  private:
    LogReader(OwnedFd text, OwnedFd marks) : text_(std::move(text)), marks_(std::move(marks)) {}
    Status ReadMarks(bool open_too);
    Status Look(std::vector<LogEntry>& out);

    OwnedFd text_, marks_;
    LogAssembler assembler_;
    uint64_t next_mark_ = 0;         // bytes into marks_
    std::optional<uint64_t> until_;  // where text ended when this round of reading began
    uint64_t left_ = 0;              // bytes that this round may still read
};

// Waits until one of several logs has more.
class LogWatch {
  public:
    void Add(const LogReader& reader);
    // Of a descriptor that poll(2) knows itself, as /dev/kmsg.
    void Add(int fd) { polled_.push_back(fd); }
    // Until more was written, or some time has passed (a missing notice must not stop the output),
    // or the reader of standard output is gone: then false.
    Result<bool> Wait(int output);

  private:
    OwnedFd notices_;
    std::vector<int> polled_;
    bool looked_ = false;
};

}  // namespace husk::cli
