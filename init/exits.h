// The exits of processes that PID 1 reaped for others, oldest forgotten first.
#pragma once

#include <cstdint>
#include <sys/types.h>

#include <optional>

#include "base/init_protocol.h"
#include "base/time.h"

namespace husk::init {

struct Exit {
    uint64_t sequence;  // counts from 1
    pid_t pid;
    int status;  // as waitpid(2) gives it
    Instant time;
};

class ExitRing {
  public:
    void Add(pid_t pid, int status, Instant time);
    // The first remembered exit at or after `sequence`.
    std::optional<Exit> FirstFrom(uint64_t sequence) const;
    // 0 = there was none yet.
    uint64_t newest() const { return newest_; }

  private:
    // The sequence number follows from the place.
    struct Entry {
        Instant time;
        pid_t pid;
        int status;
    };
    Entry entries_[kRememberedExits] = {};
    uint64_t newest_ = 0;
};

}  // namespace husk::init
