#include "supervisor/activation.h"

#include <algorithm>

namespace husk::supervisor {

bool HasActivation(const config::Unit& unit) {
    return unit.timer.IsGiven() || !unit.socket.listeners.empty();
}

bool TriggerLimit::Take(Instant now) {
    if (count_ == 0 || now - began_ >= kActivationInterval) {
        began_ = now;
        count_ = 0;
    }
    return ++count_ <= kActivationBurst;
}

Duration ListenRetry(int tries) {
    return std::chrono::seconds(std::min(1 << std::clamp(tries - 1, 0, 6), 60));
}

}  // namespace husk::supervisor
