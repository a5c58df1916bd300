#include "supervisor/jobs.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace husk::supervisor {

using Index = Order::Index;

void Jobs::SetUnits(const std::vector<OrderUnit>& units, std::vector<Standing> standings,
                    std::vector<Queued> queued) {
    order_ = std::make_unique<Order>(units);
    standings_ = std::move(standings);
    whys_.clear();
    review_.clear();
    ended_.clear();
    for (Index i = 0; i < standings_.size(); ++i) {
        standings_[i].job = queued[i].kind;
        if (queued[i].kind != JobKind::kNone)
            standings_[i].wanted = queued[i].kind == JobKind::kRestart;
        whys_.push_back(std::move(queued[i].why));
        review_.insert(i);
        ended_.insert(i);
    }
}

Status Jobs::Start(std::span<const Index> roots, const std::string& by, Asked asked) {
    auto plan = PlanStart(*order_, standings_, roots, by, asked);
    if (!plan) return Fail(std::move(plan).error());
    for (const LeftOut& left : plan->left_out) host_.TellLeftOut(left.unit, left.text);
    CarryOut(plan->jobs);
    return {};
}

void Jobs::Stop(std::span<const Index> roots, const std::string& by) {
    CarryOut(PlanStop(*order_, standings_, roots, by).jobs);
}

Status Jobs::Restart(std::span<const Index> roots, const std::string& by) {
    auto plan = PlanRestart(*order_, standings_, roots, by);
    if (!plan) return Fail(std::move(plan).error());
    for (const LeftOut& left : plan->left_out) host_.TellLeftOut(left.unit, left.text);
    CarryOut(plan->jobs);
    return {};
}

// What goes down is noted first, so that a supervisor that dies in between leaves nothing running
// beside what conflicts with it, and that starts wait for it.
void Jobs::CarryOut(const std::vector<PlannedJob>& jobs) {
    std::vector<Index> down;
    for (const PlannedJob& job : jobs) {
        Standing& standing = standings_[job.unit];
        const JobKind before = standing.job;
        const JobKind kind = Collapse(ReplaceOrMerge(before, job.kind), standing.state);
        standing.wanted = job.kind != JobKind::kStop;
        if (!GoesDownFor(kind)) {
            Unqueue(job.unit);
            continue;
        }
        // A start beside a restart that is queued already is that restart, for its own reason.
        if (kind != before || job.kind == kind) whys_[job.unit] = job.why;
        standing.job = kind;
        down.push_back(job.unit);
    }
    const auto waits =
        std::ranges::stable_partition(down, [this](Index unit) { return MayGoDown(unit); });
    for (Index unit : waits) host_.KeepJob(unit, standings_[unit].job, whys_[unit]);
    down.erase(waits.begin(), waits.end());
    for (Index unit : down) TellQueued(unit);
    for (const PlannedJob& job : jobs) {
        const Standing& standing = standings_[job.unit];
        if (job.kind != JobKind::kStart || standing.job != JobKind::kNone || going_down_) continue;
        if (!IsUp(standing.state))
            host_.Tell(job.unit, {.kind = EventKind::kStartWanted, .text = job.why});
    }
}

// What has no processes, or has been told already, need not wait for others.
bool Jobs::MayGoDown(Index unit) const {
    const State state = standings_[unit].state;
    if (IsEnding(state) || (!HasProcesses(state) && !IsUp(state))) return true;
    return order_->MustStopFirst(unit, standings_).empty();
}

void Jobs::StopAll(const std::string& by) {
    going_down_ = true;
    std::vector<PlannedJob> jobs;
    for (Index i = 0; i < standings_.size(); ++i) {
        const Standing& standing = standings_[i];
        const bool stops = IsEnding(standing.state) && standing.after == AfterCleaning::kStayDown;
        if (!IsIdle(standing) && !stops) jobs.push_back({i, JobKind::kStop, by});
    }
    CarryOut(jobs);
}

void Jobs::Unqueue(Index unit) {
    if (standings_[unit].job == JobKind::kNone) return;
    standings_[unit].job = JobKind::kNone;
    whys_[unit].clear();
    host_.KeepJob(unit, JobKind::kNone, {});
    LookAgain(unit);
}

void Jobs::TellQueued(Index unit) {
    const JobKind kind = std::exchange(standings_[unit].job, JobKind::kNone);
    if (kind == JobKind::kNone) return;
    const bool restart = kind == JobKind::kRestart;
    host_.Tell(unit, {.kind = restart ? EventKind::kRestartWanted : EventKind::kStopWanted,
                      .text = std::exchange(whys_[unit], {})});
    // What has done its work is stopped without another state.
    if (!restart && standings_[unit].state == State::kInactive) standings_[unit].done = false;
    LookAgain(unit);
}

// Those whose turn may have come by what has become of this one.
void Jobs::LookAgain(Index unit) {
    review_.insert(unit);
    for (Index other : order_->Neighbours(unit)) {
        const Standing& standing = standings_[other];
        if (standing.state == State::kWaiting || standing.job != JobKind::kNone ||
            !order_->BindsTo(other).empty())
            review_.insert(other);
    }
}

void Jobs::Follow(Index unit, const Standing& now) {
    Standing& standing = standings_[unit];
    standing.state = now.state;
    standing.done = now.done;
    // It may have stopped by itself: HealthOnFailure=stop.
    if (now.state == State::kInactive && !now.done) standing.wanted = false;
    if (now.state == State::kWaiting)
        standing.wanted = true;
    else
        standing.held_up = false;
    standing.after = now.after;
    standing.started_at = now.started_at;
    standing.ended_at = now.ended_at;
    ended_.insert(unit);
    LookAgain(unit);
}

void Jobs::Join(Index unit) {
    // It has gone down by itself meanwhile.
    if (GoesDownFor(standings_[unit].job)) return TellQueued(unit);
    StopOpponents(unit);
    OrderVerdict verdict = order_->Verdict(unit, standings_);
    switch (verdict.kind) {
        case OrderVerdict::Kind::kReady: return host_.Tell(unit, ReadyOrWait(unit));
        case OrderVerdict::Kind::kWait:
            return host_.Tell(unit, {.kind = EventKind::kOrderWaits, .text = verdict.text});
        case OrderVerdict::Kind::kLost:
            return host_.Tell(unit, {.kind = EventKind::kRequirementLost, .text = verdict.text});
    }
}

Event Jobs::ReadyOrWait(Index unit) {
    OutsideWait wait = host_.LookOutside(unit);
    Standing& standing = standings_[unit];
    if (std::exchange(standing.held_up, wait.held_up) != wait.held_up) LookAgain(unit);
    if (wait.text.empty()) return host_.LookAtConditions(unit);
    return {.kind = EventKind::kOrderWaits, .text = std::move(wait.text)};
}

void Jobs::LookOutsideAgain() {
    for (Index i = 0; i < standings_.size(); ++i)
        if (standings_[i].state == State::kWaiting) review_.insert(i);
}

// Its start has planned that already, but a supervisor may have died behind it, and an automatic
// restart has planned nothing.
void Jobs::StopOpponents(Index unit) {
    for (Index other : order_->Conflicts(unit))
        if (!IsIdle(standings_[other]) && !GoesDown(standings_[other]) &&
            standings_[other].state != State::kWaiting)
            Stop({&other, 1},
                 Cat("since ", Quote(order_->Name(unit)), ", which it conflicts with, is started"));
}

bool Jobs::Review(Instant now) {
    TriggerAll(now);
    for (Index unit : std::exchange(review_, {})) {
        const Standing& standing = standings_[unit];
        if (standing.job != JobKind::kNone) {
            if (MayGoDown(unit)) TellQueued(unit);
        } else if (standing.state == State::kWaiting) {
            Join(unit);
        } else if (!going_down_) {
            const PlannedJob job = FollowBinding(*order_, standings_, unit);
            if (job.kind == JobKind::kStop) Stop({&unit, 1}, job.why);
            if (job.kind == JobKind::kRestart) RestartRunning(unit, job.why);
        }
    }
    return !review_.empty() || !ended_.empty();
}

// Not as by a person: what it needs has its own pause before its restart.
void Jobs::RestartRunning(Index unit, const std::string& why) {
    std::vector<PlannedJob> jobs = PlanStop(*order_, standings_, {&unit, 1}, why, true).jobs;
    for (PlannedJob& job : jobs) job.kind = JobKind::kRestart;
    CarryOut(jobs);
}

// --- OnFailure=, OnSuccess=
// -----------------------------------------------------------------------

std::vector<Index> Jobs::TriggeredBy(Index unit, Untold end) const {
    return end == Untold::kSuccess ? order_->OnSuccess(unit) : order_->OnFailure(unit);
}

// An end is told once: the units that it starts carry its mark in their records from the moment on
// at which they are wanted, and the unit itself forgets it behind the last. A supervisor that was
// killed in between did so within one end: that one is gone on with first, before another end can
// put its mark over that one's.
void Jobs::TriggerAll(Instant now) {
    std::vector<Index> untold;
    for (Index unit : std::exchange(ended_, {}))
        if (host_.UntoldOf(unit) != Untold::kNothing) untold.push_back(unit);
    std::ranges::stable_partition(untold, [this](Index unit) {
        const auto targets = TriggeredBy(unit, host_.UntoldOf(unit));
        return std::ranges::any_of(
            targets, [&](Index target) { return host_.MarkOf(target) == host_.EndOf(unit); });
    });
    for (Index unit : untold) Trigger(unit, now);
}

bool Jobs::TriggersTooOften(Index unit, Instant now) {
    Burst& burst = bursts_[order_->Name(unit)];
    if (burst.count == 0 || now - burst.began >= kTriggerInterval) burst = {now, 0};
    return ++burst.count > kTriggerBurst;
}

void Jobs::Trigger(Index unit, Instant now) {
    const Untold end = host_.UntoldOf(unit);
    const std::string mark = host_.EndOf(unit);
    const char* what = end == Untold::kSuccess ? " has ended well" : " failed";
    const std::string by = Cat("because ", Quote(order_->Name(unit)), what);
    const std::vector<Index> targets = TriggeredBy(unit, end);
    const bool too_often = !targets.empty() && TriggersTooOften(unit, now);
    for (Index target : targets) {
        if (going_down_ || host_.MarkOf(target) == mark) continue;
        if (too_often) {
            host_.TellLeftOut(target, Cat(Quote(order_->Name(unit)), what, " more than ",
                                          std::to_string(kTriggerBurst), " times within ",
                                          FormatDuration(kTriggerInterval)));
            continue;
        }
        host_.Mark(target, mark, false);
        if (Status started = Start({&target, 1}, by, Asked::kFor); !started)
            host_.TellLeftOut(target, started.error().text());
        host_.Mark(target, mark, true);
    }
    host_.ActOnEnd(unit, end);
    host_.Tell(unit, {.kind = EventKind::kTriggered});
}

}  // namespace husk::supervisor
