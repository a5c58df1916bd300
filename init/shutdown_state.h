// How far the end of the system has come. Pure: time is an argument.
#pragma once

#include "base/init_protocol.h"
#include "base/time.h"

namespace husk::init {

// From here on the units have this long to stop before PID 1 ends them itself. Longer than the 90 s
// that Quadlet and systemd give one unit, so that a unit's own limit comes first.
inline constexpr Duration kShutdownLimit = std::chrono::seconds(100);

class ShutdownState {
  public:
    // Somebody outside asks for it: the supervisor is told and will say kShutdown. The limit counts
    // from the first wish, since the supervisor may be unable to take it up.
    void Want(ShutdownAction action, Instant now);
    // The supervisor has begun. The limit counts anew, once: a supervisor that dies during the
    // shutdown says it again at its next start and must not put the end off for ever.
    void Begin(ShutdownAction action, Instant now);
    // All units are stopped.
    void Finish(ShutdownAction action, Instant now);

    // What the supervisor has begun; kNone before kShutdown.
    ShutdownAction begun() const { return begun_; }
    // What was wished for and not yet taken up; kNone where nothing waits.
    ShutdownAction unanswered() const {
        return begun_ == ShutdownAction::kNone ? wanted_ : ShutdownAction::kNone;
    }
    // What to do in the end.
    ShutdownAction action() const { return begun_ == ShutdownAction::kNone ? wanted_ : begun_; }
    // When PID 1 finishes on its own; kInfinite while nothing was asked for.
    Instant deadline() const { return {until_ == Duration{} ? kInfinite : until_}; }

  private:
    ShutdownAction wanted_ = ShutdownAction::kNone;
    ShutdownAction begun_ = ShutdownAction::kNone;
    Duration until_{0};  // 0 = no limit, so that the whole state is zero at start
};

constexpr bool IsShutdownAction(uint64_t value) {
    return value >= static_cast<uint64_t>(ShutdownAction::kPoweroff) &&
           value <= static_cast<uint64_t>(ShutdownAction::kKexec);
}

}  // namespace husk::init
