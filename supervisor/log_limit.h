// LogRateLimitIntervalSec=, LogRateLimitBurst=: which lines of a unit are kept. Pure.
#pragma once

#include <cstddef>
#include <cstdint>

#include <string_view>

#include "base/time.h"
#include "config/unit.h"

namespace husk::supervisor {

// As journald's RateLimitIntervalSec= and RateLimitBurst=: the interval begins with a line, and
// within it so many lines are kept. Zero in either: all are.
struct LogRate {
    Duration interval{};
    uint64_t burst = 0;
    bool IsSet() const { return interval > Duration(0) && burst > 0; }
    friend bool operator==(const LogRate&, const LogRate&) = default;
};

LogRate LogRateOf(const config::ServiceSection& service);

class LogLimiter {
  public:
    // A longer line counts as several, as with journald's LineMax=: a flood without an end of line
    // is a flood, too.
    static constexpr size_t kLongestLine = 48 * 1024;

    struct Run {
        size_t bytes = 0;
        bool keep = true;
        uint64_t lines = 0;  // that begin in it
    };

    void Set(const LogRate& rate) { rate_ = rate; }
    // What comes next is the rest of a line, which is kept or dropped.
    void GoOnIn(bool in_line, bool keep) { in_line_ = in_line, keep_ = keep; }

    // How many bytes of what waits are alike: to be kept, or to be dropped. They count as taken; a
    // line is kept as a whole or not at all.
    Run Take(std::string_view waiting, Instant now);

    const LogRate& rate() const { return rate_; }
    bool in_line() const { return in_line_; }
    // What comes next is the rest of a line that is dropped.
    bool dropping() const { return in_line_ && !keep_; }
    // When lines are kept again.
    Instant window_end() const { return begin_ + rate_.interval; }

  private:
    bool Admit(Instant now);

    LogRate rate_;
    Instant begin_{};
    uint64_t used_ = 0;
    bool began_ = false;
    bool in_line_ = false, keep_ = true;
    size_t line_bytes_ = 0;
};

}  // namespace husk::supervisor
