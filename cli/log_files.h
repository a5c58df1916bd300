// Reads a unit's log files at a reader's own pace.
#pragma once

#include <cstdint>

#include <functional>
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

    // All that has come since the last call, in pieces.
    Status ReadNew(const LogSink& sink);
    // After the last ReadNew: the line without an end.
    Status Finish(const LogSink& sink);
    // Until more was written, or some time has passed (a missing notice must not stop the output),
    // or the reader of standard output is gone: then false.
    Result<bool> WaitForMore(int output);

  private:
    LogReader(OwnedFd text, OwnedFd marks) : text_(std::move(text)), marks_(std::move(marks)) {}
    Status ReadMarks();

    OwnedFd text_, marks_, notices_;
    LogAssembler assembler_;
    uint64_t next_mark_ = 0;  // bytes into marks_
};

}  // namespace husk::cli
