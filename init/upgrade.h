// How far an upgrade in place has come, as PID 1 keeps it: `husk upgrade` replaces the supervisor
// by one of a new binary first, and PID 1 itself once that one has proven itself.
//
// The supervisor looks at the binary (signature, rehearsal) and asks; PID 1 ends it, starts the new
// one, and executes the binary in its own place on the new supervisor's word. Whatever fails on the
// way, the old binary goes on: a supervisor is ended for the old one, and a new PID 1 that does not
// get as far as kKeep executes the old one again (way_back.h). Pure: time is an argument.
#pragma once

#include <cstdint>

#include "base/init_protocol.h"
#include "base/time.h"

namespace husk::init {

class Upgrade {
  public:
    // What a limit may be.
    static constexpr Duration kShortest = std::chrono::seconds(1);
    static constexpr Duration kLongest = std::chrono::minutes(10);

    // 0 or an errno: EBUSY while one is under way, EINVAL where the limit is none.
    int Begin(Duration limit, Instant now);
    // The new supervisor has proven itself: PID 1 is next, which has a limit of its own.
    void GoOn();
    void Finish();
    void Fail(UpgradeFailure failure, int detail);

    UpgradePhase phase() const { return phase_; }
    UpgradeFailure failure() const { return failure_; }
    int detail() const { return detail_; }
    bool under_way() const {
        return phase_ == UpgradePhase::kSupervisor || phase_ == UpgradePhase::kInit;
    }
    // When the new supervisor must have proven itself; kInfinite while none has to.
    Instant deadline() const { return {until_ == Duration{} ? kInfinite : until_}; }

  private:
    UpgradePhase phase_ = UpgradePhase::kNone;
    UpgradeFailure failure_ = UpgradeFailure::kNone;
    int32_t detail_ = 0;
    Duration until_{0};
};

}  // namespace husk::init
