// What each unit of the device is told, and when: the jobs between units. Decides by order.h and
// transaction.h and knows units only by where they stand; a host carries out. Tests drive it with
// units that live in memory.
//
// A start is told at once: the unit waits for its turn by itself (State::kWaiting). A stop or
// restart waits here until what is ordered after the unit is down; it is in the unit's record
// meanwhile, so that the next supervisor goes on with it.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "supervisor/order.h"
#include "supervisor/outside_wait.h"
#include "supervisor/transaction.h"

namespace husk::supervisor {

class JobHost {
  public:
    // The unit's life takes the event. Where no job of it waits here any more, its record has none
    // from the next time on that it is written. Nothing where it is refused.
    virtual void Tell(Order::Index unit, Event event) = 0;
    // Into the unit's record, at once.
    virtual void KeepJob(Order::Index unit, JobKind kind, const std::string& why) = 0;
    // Of a unit whose turn it is: kOrderReady, or what its conditions make of that.
    virtual Event LookAtConditions(Order::Index unit) = 0;
    // What else such a unit waits for; asked before its conditions.
    virtual OutsideWait LookOutside(Order::Index unit) = 0;
    // A unit that was wanted is not started; text says why.
    virtual void TellLeftOut(Order::Index unit, const std::string& text) = 0;
    // Which end of another unit started this one last; Mark() is in its record from the next time
    // on that it is written, with `save` at once.
    virtual std::string MarkOf(Order::Index unit) = 0;
    virtual void Mark(Order::Index unit, const std::string& mark, bool save) = 0;
    // Names an end of a unit, as no other.
    virtual std::string EndOf(Order::Index unit) = 0;
    virtual Untold UntoldOf(Order::Index unit) = 0;
    // FailureAction= and its kin.
    virtual void ActOnEnd(Order::Index unit, Untold end) = 0;

  protected:
    ~JobHost() = default;
};

class Jobs {
  public:
    using Index = Order::Index;

    explicit Jobs(JobHost& host) : host_(host) {}

    // A job that waits for its turn, as it is in the record.
    struct Queued {
        JobKind kind = JobKind::kNone;
        std::string why;
    };
    // Anew, as often as units come or go; `queued` and `standings` are as long as `units`.
    void SetUnits(const std::vector<OrderUnit>& units, std::vector<Standing> standings,
                  std::vector<Queued> queued);

    const Order& order() const { return *order_; }
    std::span<const Standing> standings() const { return standings_; }

    // What a person, the boot or another unit asks for.
    Status Start(std::span<const Index> roots, const std::string& by, Asked asked);
    void Stop(std::span<const Index> roots, const std::string& by);
    Status Restart(std::span<const Index> roots, const std::string& by);
    // What was planned elsewhere.
    void CarryOut(const std::vector<PlannedJob>& jobs);
    // From now on nothing starts: all units are stopped in order.
    void StopAll(const std::string& by);

    // The unit's life has moved on: of `now`, what Life says of it.
    void Follow(Index unit, const Standing& now);
    // It asks for its turn (ActionKind::kJoinOrder).
    void Join(Index unit);
    // What is no unit has changed: whoever waits asks again at the next review.
    void LookOutsideAgain();
    // Whatever may have become possible since the last call; true where there may be more.
    bool Review(Instant now);

  private:
    bool MayGoDown(Index unit) const;
    void RestartRunning(Index unit, const std::string& why);
    void Unqueue(Index unit);
    void TellQueued(Index unit);
    Event ReadyOrWait(Index unit);
    void LookAgain(Index unit);
    void StopOpponents(Index unit);
    void TriggerAll(Instant now);
    void Trigger(Index unit, Instant now);
    bool TriggersTooOften(Index unit, Instant now);
    std::vector<Index> TriggeredBy(Index unit, Untold end) const;

    JobHost& host_;
    std::unique_ptr<Order> order_;
    std::vector<Standing> standings_;
    std::vector<std::string> whys_;  // of queued jobs
    std::set<Index> review_;         // whose turn may have come
    std::set<Index> ended_;          // whose end may be untold
    // Units that start each other by their ends, and cannot start, would do so for ever.
    struct Burst {
        Instant began{};
        int count = 0;
    };
    std::map<std::string, Burst, std::less<>> bursts_;  // of units that triggered others
    bool going_down_ = false;
};

// How often an end of one unit may start others: systemd's default start limit.
inline constexpr Duration kTriggerInterval = std::chrono::seconds(10);
inline constexpr int kTriggerBurst = 5;

}  // namespace husk::supervisor
