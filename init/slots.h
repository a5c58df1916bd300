// Descriptors that PID 1 keeps for the supervisor, in numbered slots.
#pragma once

#include <cstdint>

#include "base/fd.h"
#include "base/init_protocol.h"

namespace husk::init {

// Every call but Peek returns 0 or an errno, as the supervisor gets it.
class DescriptorSlots {
  public:
    // EBUSY where the slot is taken: overwriting would lose what a record points to.
    int Store(uint32_t slot, OwnedFd descriptor);
    // Closes it.
    int Drop(uint32_t slot);
    // The descriptor, which stays here, or minus an errno.
    int Peek(uint32_t slot) const;
    // From an image of PID 1 before this one; close-on-exec is the caller's.
    void Adopt(uint32_t slot, int descriptor);
    // No slot from here on is taken.
    uint32_t end() const { return end_; }
    // Closes all; they would keep file systems busy at the end.
    void Clear();

  private:
    // Descriptor + 1, so that empty is zero: untouched pages of .bss stay without memory. No
    // OwnedFd, for the same reason.
    int stored_[kDescriptorSlots] = {};
    uint32_t end_ = 0;  // slots from here on were never used
};

}  // namespace husk::init
