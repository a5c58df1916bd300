#include "init/upgrade.h"

#include <cerrno>

namespace husk::init {

int Upgrade::Begin(Duration limit, Instant now) {
    if (under_way()) return EBUSY;
    if (limit < kShortest || limit > kLongest) return EINVAL;
    *this = {};
    phase_ = UpgradePhase::kSupervisor;
    until_ = (now + limit).since_boot;
    return 0;
}

void Upgrade::GoOn() {
    phase_ = UpgradePhase::kInit;
    until_ = {};
}

void Upgrade::Finish() {
    *this = {};
    phase_ = UpgradePhase::kDone;
}

void Upgrade::Fail(UpgradeFailure failure, int detail) {
    *this = {};
    phase_ = UpgradePhase::kFailed;
    failure_ = failure;
    detail_ = detail;
}

}  // namespace husk::init
