// One thread, one epoll instance, callbacks and one-shot timers.
//
// A callback may add and remove any descriptor or timer, its own too: removal takes effect before
// the next callback is called, so none is called for something that has been removed.
#pragma once

#include <cstdint>

#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/time.h"

namespace husk {

class EventLoop {
  public:
    using FdCallback = std::function<void(uint32_t epoll_events)>;
    using TimerCallback = std::function<void()>;
    using TimerId = uint64_t;  // 0 is never a timer

    static Result<EventLoop> Create();
    EventLoop(EventLoop&&) = default;
    EventLoop& operator=(EventLoop&&) = default;

    // `fd` stays the caller's; remove it before it is closed. Level-triggered.
    Status Add(int fd, uint32_t epoll_events, FdCallback callback);
    Status Modify(int fd, uint32_t epoll_events);
    void Remove(int fd);

    TimerId StartTimer(Instant at, TimerCallback callback);
    // Unknown and expired ids are fine.
    void CancelTimer(TimerId id);

    // Until Stop() is called from a callback.
    Status Run();
    void Stop() { stopped_ = true; }
    // One round of waiting and calling, waiting no longer than `at_most`: for tests and for tools.
    Status RunOnce(Duration at_most);

  private:
    struct Watch {
        FdCallback callback;
        uint64_t generation;
    };

    explicit EventLoop(OwnedFd epoll) : epoll_(std::move(epoll)) {}
    void RunExpiredTimers();

    OwnedFd epoll_;
    std::vector<std::shared_ptr<Watch>> watches_;  // by descriptor
    std::map<std::pair<Instant, TimerId>, TimerCallback> timers_;
    std::map<TimerId, Instant> deadlines_;
    TimerId next_timer_ = 1;
    uint64_t next_generation_ = 1;
    bool stopped_ = false;
};

}  // namespace husk
