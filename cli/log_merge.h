// Several logs as one, in order of time.
#pragma once

#include <cstdint>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/log_files.h"
#include "cli/log_lines.h"

namespace husk::cli {

// One of them.
class LogSource {
  public:
    LogSource(std::string unit_name, std::string identifier)
        : unit(std::move(unit_name)), shown(std::move(identifier)) {}
    virtual ~LogSource() = default;
    // A piece of about so many bytes of what has come since the last false; false: that was all.
    virtual Result<bool> Read(std::vector<LogEntry>& out, size_t most_bytes) = 0;
    // After the last of it.
    virtual Status Finish(std::vector<LogEntry>& out) = 0;
    virtual void Watch(LogWatch& watch) = 0;

    const std::string unit;
    const std::string shown;  // the name before each line
};

// Keeps the order of each log, and orders by the monotonic clock across them: that one does not
// jump. Lines whose time is unknown stay behind the line before them.
class LogMerger {
  public:
    using Take = std::function<Status(const LogSource& source, const LogEntry& entry)>;

    // What has come before belongs to it, too.
    void Add(std::unique_ptr<LogSource> source);
    // All that has come since the last call; `finish`: and what has no end of line yet.
    Status ReadAll(bool finish, const Take& take);
    bool empty() const { return logs_.empty(); }
    bool Has(std::string_view unit) const;
    LogWatch& watch() { return watch_; }

  private:
    struct Log {
        std::unique_ptr<LogSource> source;
        std::deque<LogEntry> entries = {};
        int64_t last = 0;  // time of the last entry taken
        bool more = true;  // in this round
        bool finished = false;
    };
    Status Refill(Log& log, bool finish);
    static int64_t TimeOf(const Log& log);

    std::vector<Log> logs_;
    LogWatch watch_;
};

// Of a unit, and of the kernel; `unit` is "kernel" there.
std::unique_ptr<LogSource> UnitSource(LogReader reader, std::string unit, std::string shown);
Result<std::unique_ptr<LogSource>> KernelSource();
// What was read already.
std::unique_ptr<LogSource> StoredSource(std::vector<LogEntry> entries, std::string unit,
                                        std::string shown);

}  // namespace husk::cli
