#include "init/slots.h"

#include <cerrno>

namespace husk::init {

int DescriptorSlots::Store(uint32_t slot, OwnedFd descriptor) {
    if (slot >= kDescriptorSlots || !descriptor) return EINVAL;
    if (stored_[slot] != 0) return EBUSY;
    stored_[slot] = descriptor.release() + 1;
    if (slot >= end_) end_ = slot + 1;
    return 0;
}

int DescriptorSlots::Drop(uint32_t slot) {
    if (slot >= kDescriptorSlots) return EINVAL;
    // Looking before writing keeps a page untouched.
    if (stored_[slot] == 0) return ENOENT;
    (void)OwnedFd(stored_[slot] - 1);
    stored_[slot] = 0;
    return 0;
}

int DescriptorSlots::Peek(uint32_t slot) const {
    if (slot >= kDescriptorSlots) return -EINVAL;
    return stored_[slot] == 0 ? -ENOENT : stored_[slot] - 1;
}

void DescriptorSlots::Adopt(uint32_t slot, int descriptor) {
    stored_[slot] = descriptor + 1;
    if (slot >= end_) end_ = slot + 1;
}

void DescriptorSlots::Clear() {
    for (uint32_t slot = 0; slot < end_; ++slot) (void)Drop(slot);
    end_ = 0;
}

}  // namespace husk::init
