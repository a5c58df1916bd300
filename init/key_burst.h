// Ctrl-Alt-Del seven times within two seconds, as systemd.conf(5) counts it: whoever does so does not
// want to wait for units to stop. Pure.
#pragma once

#include <cstddef>

#include "base/time.h"

namespace husk::init {

class KeyBurst {
  public:
    static constexpr size_t kTimes = 7;
    static constexpr Duration kWithin = std::chrono::seconds(2);

    // True where this one makes it a burst.
    bool Hit(Instant now) {
        Duration& oldest = hits_[next_];
        const bool burst = oldest != Duration{} && now.since_boot - oldest <= kWithin;
        oldest = now.since_boot;
        next_ = (next_ + 1) % (kTimes - 1);
        return burst;
    }

  private:
    Duration hits_[kTimes - 1] = {};  // before this one
    size_t next_ = 0;
};

}  // namespace husk::init
