#include "init/exits.h"

namespace husk::init {

void ExitRing::Add(pid_t pid, int status, Instant time) {
    ++newest_;
    entries_[newest_ % kRememberedExits] = {time, pid, status};
}

std::optional<Exit> ExitRing::FirstFrom(uint64_t sequence) const {
    const uint64_t oldest = newest_ > kRememberedExits ? newest_ - kRememberedExits + 1 : 1;
    if (sequence < oldest) sequence = oldest;
    if (sequence > newest_) return std::nullopt;
    const Entry& entry = entries_[sequence % kRememberedExits];
    return Exit{sequence, entry.pid, entry.status, entry.time};
}

}  // namespace husk::init
