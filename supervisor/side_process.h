// A function in a process of its own, for what may wait for ever: a write to a disk that does not
// answer. It gets the supervisor's memory as a copy and none of its descriptors.
#pragma once

#include <functional>

#include "base/error.h"
#include "base/event_loop.h"
#include "base/fd.h"
#include "base/time.h"

namespace husk::supervisor {

class SideProcess {
  public:
    explicit SideProcess(EventLoop& loop) : loop_(loop) {}
    // What runs still is killed, and waited for later.
    ~SideProcess();
    SideProcess(const SideProcess&) = delete;
    SideProcess& operator=(const SideProcess&) = delete;

    // `run` gives the exit status, 0 to 255; `done` gets it from the loop, or 255 where the process
    // was killed. One at a time: EBUSY.
    Status Run(const std::function<int()>& run, std::function<void(int status)> done);
    // The same for one that executes a program: its descriptors go then, but for those that `run`
    // keeps open.
    Status Execute(const std::function<int()>& run, std::function<void(int status)> done);
    bool running() const { return bool(pidfd_); }
    Instant began() const { return began_; }

  private:
    Status Begin(const std::function<int()>& run, std::function<void(int)> done, bool executes);
    void OnEnd();

    EventLoop& loop_;
    OwnedFd pidfd_;
    Instant began_{};
    std::function<void(int)> done_;
};

}  // namespace husk::supervisor
