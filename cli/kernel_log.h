// Messages of the kernel, from /dev/kmsg (Documentation/ABI/testing/dev-kmsg). The client reads
// them itself: the kernel's ring is bounded, lasts from boot to boot and gives each reader a
// position of his own, so a copy in the supervisor would only cost memory, and its own messages
// would come back through it.
#pragma once

#include <cstdint>

#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "cli/format.h"
#include "cli/log_lines.h"

namespace husk::cli {

// "6,1234,5678901,-;text\n KEY=value\n": priority and facility, number, microseconds since boot.
// Pure; any bytes may come. False where it is no record.
bool ParseKernelRecord(std::string_view record, const Now& now, LogEntry& entry);

class KernelLog {
  public:
    static Result<KernelLog> Open();
    // A piece of what has come; false: that was all.
    Result<bool> ReadPiece(std::vector<LogEntry>& out);
    int fd() const { return fd_.get(); }

  private:
    explicit KernelLog(OwnedFd fd) : fd_(std::move(fd)) {}

    OwnedFd fd_;
};

}  // namespace husk::cli
