// The power button, as input devices report it (KEY_POWER; Documentation/input/event-codes.rst).
#pragma once

#include <functional>
#include <vector>

#include "base/event_loop.h"
#include "base/fd.h"

namespace husk::supervisor {

class PowerButton {
  public:
    // Listens on every /dev/input/event* that has such a key; none is fine.
    PowerButton(EventLoop& loop, std::function<void()> pressed);
    ~PowerButton();
    PowerButton(const PowerButton&) = delete;
    PowerButton& operator=(const PowerButton&) = delete;

  private:
    void Read(int fd);

    EventLoop& loop_;
    std::function<void()> pressed_;
    std::vector<OwnedFd> devices_;
};

}  // namespace husk::supervisor
