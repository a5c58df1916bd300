// The process that writes logs to files (cli/log_writer.h says how), as the supervisor sees it.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "base/fd.h"
#include "config/unit.h"

namespace husk::supervisor {

// The name before each line of a unit's log: SyslogIdentifier=, LogOpt=tag=, or the unit's.
std::string LogIdentifier(const config::Unit& unit);
// "UNIT:SHOWN:SIZE:COUNT:PATH"; empty where it has no file. Pure.
std::string LogFileSpec(const config::Unit& unit);

class LogFiles {
  public:
    LogFiles(EventLoop& loop, std::string run_directory, bool kernel_log)
        : loop_(loop), run_directory_(std::move(run_directory)), kernel_log_(kernel_log) {}
    ~LogFiles();
    LogFiles(const LogFiles&) = delete;
    LogFiles& operator=(const LogFiles&) = delete;

    // One process for all of them, none for none; where they differ from what it has, it is ended
    // and started anew (it knows where it was).
    void Want(std::vector<std::string> specs);
    // Lets it write what there is, for a moment at most; `then` is called once. False where there
    // is nothing to wait for.
    bool Finish(std::function<void()> then);

  private:
    void Start();
    void OnExit();

    EventLoop& loop_;
    std::string run_directory_;
    bool kernel_log_;
    std::vector<std::string> wanted_, has_;
    pid_t pid_ = 0;
    OwnedFd pidfd_;
    Instant started_{};
    EventLoop::TimerId timer_ = 0;
    std::function<void()> then_;
    bool finishing_ = false;
};

}  // namespace husk::supervisor
