#include "supervisor/lifecycle.h"

#include <algorithm>
#include <utility>

#include "supervisor/lifecycle_turn.h"

namespace husk::supervisor {
namespace lifecycle {

Instant Later(Instant now, Duration delay) {
    if (delay > Duration::max() - now.since_boot) return {Duration::max()};
    return now + delay;
}

void SetTimer(Turn& t, Duration delay) {
    t.life.timer = delay == kInfinite ? Instant{} : Later(t.now, delay);
}

void Enter(Turn& t, State state, std::string reason) {
    Life& life = t.life;
    if (life.state != state) life.since = t.now;
    life.state = state;
    life.reason = std::move(reason);
    life.timer = {};
    life.command_killed = false;
    // The watchdog does not count while it reloads.
    if (state != State::kRunning) life.watchdog_deadline = {};
    if (state != State::kRunning && state != State::kReloading) life.runtime_deadline = {};
}

namespace {

// One case for each row, so that two rows for one pair do not compile.
constexpr int Pair(State state, EventKind event) {
    return static_cast<int>(state) * kEventKinds + static_cast<int>(event);
}

void Handle(Turn& t) {
    switch (Pair(t.life.state, t.event.kind)) {
#define HUSK_ANY(...)
#define HUSK_RULE(state, event, handler, ...)  \
    case Pair(State::state, EventKind::event): \
        return handler(t);
#include "supervisor/lifecycle_table.inc"
#undef HUSK_ANY
#undef HUSK_RULE
    }
    switch (static_cast<int>(t.event.kind)) {
#define HUSK_RULE(...)
#define HUSK_ANY(event, handler, ...)        \
    case static_cast<int>(EventKind::event): \
        return handler(t);
#include "supervisor/lifecycle_table.inc"
#undef HUSK_ANY
#undef HUSK_RULE
    }
}

// What the timer's firing means; a deadline that has come is over. False: nothing, it was early.
bool TakeDeadline(Life& life, Instant now, EventKind& kind) {
    struct Deadline {
        Instant& at;
        EventKind kind;
    };
    for (const Deadline& deadline : {Deadline{life.timer, EventKind::kTimer},
                                     {life.watchdog_deadline, EventKind::kWatchdogLate},
                                     {life.runtime_deadline, EventKind::kRuntimeOver}}) {
        if (deadline.at == Instant{} || now < deadline.at) continue;
        deadline.at = {};
        kind = deadline.kind;
        return true;
    }
    return false;
}

}  // namespace
}  // namespace lifecycle

Instant NextDeadline(const Life& life) {
    Instant next{};
    for (Instant at : {life.timer, life.watchdog_deadline, life.runtime_deadline})
        if (at != Instant{} && (next == Instant{} || at < next)) next = at;
    return next;
}

std::vector<Action> Advance(Life& life, const Policy& policy, const Event& event, Instant now,
                            uint32_t random) {
    const bool fired = event.kind == EventKind::kTimer;
    const Instant armed = fired ? Instant{} : NextDeadline(life);
    Event meant = event;
    lifecycle::Turn turn{life, policy, meant, now, random, {}};
    if (!fired || lifecycle::TakeDeadline(life, now, meant.kind)) lifecycle::Handle(turn);
    if (const Instant next = NextDeadline(life); next != armed)
        turn.actions.push_back(
            {.kind = next == Instant{} ? ActionKind::kCancelTimer : ActionKind::kArmTimer,
             .at = next});
    return std::move(turn.actions);
}

}  // namespace husk::supervisor
