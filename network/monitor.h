// Tells that the device's own links, addresses or default routes have changed (rtnetlink(7)). It
// does not say what: whoever is told lists anew, which is right after lost messages, too.
//
// husk's own links make a thousand messages when two hundred units start. A filter drops them in
// the kernel, and with them the routes that lead nowhere but to a neighbour. What is left wakes
// the loop up a few times a second at most, however much of it there is.
#pragma once

#include <functional>

#include "base/error.h"
#include "base/event_loop.h"
#include "base/fd.h"

namespace husk::network {

class Monitor {
  public:
    // Nothing is missed from Begin() on: list behind it. `changed` is called from the loop, for the
    // network namespace that Begin() was called in.
    Monitor(EventLoop& loop, std::function<void()> changed)
        : loop_(loop), changed_(std::move(changed)) {}
    ~Monitor();
    Monitor(const Monitor&) = delete;
    Monitor& operator=(const Monitor&) = delete;

    Status Begin();

  private:
    Status Listen();
    void OnMessage();
    void Tell();

    EventLoop& loop_;
    std::function<void()> changed_;
    OwnedFd socket_;
    EventLoop::TimerId timer_ = 0;
    Instant told_{};
};

}  // namespace husk::network
