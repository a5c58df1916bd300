#include "init/shutdown_state.h"

namespace husk::init {

void ShutdownState::Want(ShutdownAction action, Instant now) {
    wanted_ = action;
    if (until_ == Duration{}) until_ = (now + kShutdownLimit).since_boot;
}

void ShutdownState::Begin(ShutdownAction action, Instant now) {
    if (begun_ == ShutdownAction::kNone) until_ = (now + kShutdownLimit).since_boot;
    begun_ = action;
}

void ShutdownState::Finish(ShutdownAction action, Instant now) {
    begun_ = action;
    until_ = now.since_boot;
}

}  // namespace husk::init
