#include "supervisor/transaction.h"

#include <algorithm>
#include <utility>

#include "base/sort.h"
#include "base/text.h"

namespace husk::supervisor {
namespace {

using Index = Order::Index;

class Planner {
  public:
    Planner(const Order& order, std::span<const Standing> standings, const std::string& by)
        : order_(order),
          standings_(standings),
          by_(by),
          planned_(order.size()),
          round_(order.size()) {}

    // All of them and what they need, or, with the reason, nothing of it.
    Status Start(std::span<const Index> roots, bool requested);
    void StartWanted();
    void Stop(std::span<const Index> roots, bool restarts);
    Status Restart(std::span<const Index> roots);
    void LeaveOut(Index unit, std::string text) { left_out_.push_back({unit, std::move(text)}); }
    Plan Take();

  private:
    struct Planned {
        JobKind kind = JobKind::kNone;
        bool is_start = false;  // comes up, whether or not it goes down before
        std::string why;
    };

    void Put(Index unit, JobKind kind, std::string why);
    std::vector<Index> Closure(std::span<const Index> roots);
    bool ComesUp(Index unit) const { return planned_[unit].is_start || round_[unit] == rounds_; }
    Status FindContradiction(const std::vector<Index>& fresh,
                             std::vector<std::pair<Index, Index>>& stops) const;
    std::vector<bool> Marked(std::span<const Index> units) const {
        std::vector<bool> marked(order_.size());
        for (Index unit : units) marked[unit] = true;
        return marked;
    }

    const Order& order_;
    std::span<const Standing> standings_;
    const std::string& by_;
    std::vector<Planned> planned_;
    // In which call of Closure() a unit was reached last: a vector of flags for each root would be
    // the square of a thousand units.
    std::vector<unsigned> round_;
    unsigned rounds_ = 0;
    size_t roots_reached_ = 0;    // of the last call: so many of what it reached are roots
    std::vector<Index> wanting_;  // whose Wants= are still to be looked at
    std::vector<LeftOut> left_out_;
};

void Planner::Put(Index unit, JobKind kind, std::string why) {
    Planned& planned = planned_[unit];
    // Contradictions were found before.
    const JobKind merged = ReplaceOrMerge(planned.kind, kind);
    if (merged != planned.kind || planned.kind == JobKind::kNone) planned.why = std::move(why);
    planned.kind = merged;
    if (kind != JobKind::kStop) planned.is_start = true;
}

// They and all that they need, but for what is planned to come up already.
std::vector<Index> Planner::Closure(std::span<const Index> roots) {
    std::vector<Index> reached;
    ++rounds_;
    auto add = [&](Index unit) {
        if (ComesUp(unit)) return;
        round_[unit] = rounds_;
        reached.push_back(unit);
    };
    for (Index root : roots) add(root);
    roots_reached_ = reached.size();
    for (size_t next = 0; next < reached.size(); ++next)
        for (Index other : order_.Needs(reached[next])) add(other);
    return reached;
}

// What has to stop so that `fresh` can come up: pairs of a unit that stops and the one for whose
// sake. An error where that is one of those that come up.
Status Planner::FindContradiction(const std::vector<Index>& fresh,
                                  std::vector<std::pair<Index, Index>>& stops) const {
    for (Index unit : fresh) {
        if (planned_[unit].kind == JobKind::kStop)
            return Fail(Quote(order_.Name(unit)), " is stopped ", planned_[unit].why);
        for (Index other : order_.Conflicts(unit)) {
            if (ComesUp(other))
                return Fail(Quote(order_.Name(std::min(unit, other))), " and ",
                            Quote(order_.Name(std::max(unit, other))),
                            " conflict with each other (Conflicts=)");
            if (IsIdle(standings_[other])) continue;
            for (Index stopped : order_.StopSet({&other, 1})) {
                if (ComesUp(stopped))
                    return Fail(Quote(order_.Name(unit)), " conflicts with ",
                                Quote(order_.Name(other)), " (Conflicts=), and ",
                                Quote(order_.Name(stopped)), " would stop with that");
                if (!IsIdle(standings_[stopped])) stops.emplace_back(stopped, unit);
            }
        }
    }
    return {};
}

Status Planner::Start(std::span<const Index> roots, bool requested) {
    const std::vector<Index> fresh = Closure(roots);
    std::vector<std::pair<Index, Index>> stops;
    HUSK_TRY(FindContradiction(fresh, stops));
    for (size_t i = 0; i < fresh.size(); ++i) {
        const bool is_root = requested && i < roots_reached_;
        // What has done its work is as good as up.
        const bool is_done = !is_root && standings_[fresh[i]].done;
        Put(fresh[i], is_done ? JobKind::kVerifyActive : JobKind::kStart,
            is_root ? by_ : Cat("as a requirement, ", by_));
    }
    for (const auto& [stopped, unit] : stops)
        Put(stopped, JobKind::kStop,
            Cat("since ", Quote(order_.Name(unit)), ", which it conflicts with, is started ", by_));
    wanting_.insert(wanting_.end(), fresh.begin(), fresh.end());
    return {};
}

void Planner::StartWanted() {
    for (size_t next = 0; next < wanting_.size(); ++next)
        for (Index wanted : order_.Wants(wanting_[next])) {
            if (planned_[wanted].is_start) continue;
            const Index one[] = {wanted};
            if (Status good = Start(one, false); !good) LeaveOut(wanted, good.error().text());
        }
}

void Planner::Stop(std::span<const Index> roots, bool restarts) {
    const std::vector<bool> is_root = Marked(roots);
    for (Index unit : restarts ? order_.RestartSet(roots) : order_.StopSet(roots)) {
        if (!is_root[unit] && IsIdle(standings_[unit])) continue;
        Put(unit, JobKind::kStop, is_root[unit] ? by_ : Cat("with what it requires, ", by_));
    }
}

Status Planner::Restart(std::span<const Index> roots) {
    const std::vector<bool> is_root = Marked(roots);
    std::vector<Index> all;
    for (Index unit : order_.RestartSet(roots)) {
        // What merely depends on it goes with it only where it runs.
        if (is_root[unit] || (!IsIdle(standings_[unit]) && standings_[unit].job != JobKind::kStop))
            all.push_back(unit);
    }
    HUSK_TRY(Start(all, true));
    StartWanted();
    for (Index unit : all) {
        planned_[unit].kind = JobKind::kRestart;
        planned_[unit].why = is_root[unit] ? by_ : Cat("with what it requires, ", by_);
    }
    return {};
}

Plan Planner::Take() {
    Plan plan{.left_out = std::move(left_out_)};
    for (Index i = 0; i < planned_.size(); ++i)
        if (planned_[i].kind != JobKind::kNone)
            plan.jobs.push_back({i, planned_[i].kind, std::move(planned_[i].why)});
    Sort(plan.jobs, [this](const PlannedJob& a, const PlannedJob& b) {
        return order_.Rank(a.unit) < order_.Rank(b.unit);
    });
    return plan;
}

// What has become of a unit that another is bound to, as far as that one has to follow.
enum class Fate { kNoMatter, kRestarts, kStopped, kEnded, kFailed };

Fate FateOf(const Standing& standing) {
    switch (standing.state) {
        case State::kFailed: return Fate::kFailed;
        case State::kInactive:
            // About to be started otherwise.
            return standing.wanted && !standing.done ? Fate::kNoMatter : Fate::kEnded;
        case State::kBackoff: return Fate::kRestarts;
        default: break;
    }
    // What was planned for it was planned for those that are bound to it, too.
    if (!GoesDown(standing) || standing.job != JobKind::kNone) return Fate::kNoMatter;
    switch (standing.after) {
        case AfterCleaning::kStayDown: return Fate::kStopped;
        case AfterCleaning::kDone: return Fate::kEnded;
        case AfterCleaning::kFail: return Fate::kFailed;
        case AfterCleaning::kBackoff: return Fate::kRestarts;
        case AfterCleaning::kSkip: return Fate::kEnded;
        case AfterCleaning::kExitedWell:
        case AfterCleaning::kStartAgain:
        case AfterCleaning::kStartPost:
        case AfterCleaning::kByExit: return Fate::kNoMatter;  // not decided, or up again
    }
    return Fate::kNoMatter;
}

const char* FateWords(Fate fate) {
    switch (fate) {
        case Fate::kNoMatter: return "";
        case Fate::kRestarts: return "is restarted";
        case Fate::kStopped: return "is stopped";
        case Fate::kEnded: return "is not up any more";
        case Fate::kFailed: return "has failed";
    }
    return "";
}

}  // namespace

Result<Plan> PlanStart(const Order& order, std::span<const Standing> standings,
                       std::span<const Index> roots, const std::string& by, Asked asked) {
    Planner planner(order, standings, by);
    if (asked == Asked::kFor) {
        HUSK_TRY(planner.Start(roots, true));
    } else {
        for (const Index& root : roots)
            if (Status good = planner.Start({&root, 1}, true); !good)
                planner.LeaveOut(root, good.error().text());
    }
    planner.StartWanted();
    return planner.Take();
}

Plan PlanStop(const Order& order, std::span<const Standing> standings, std::span<const Index> roots,
              const std::string& by, bool restarts) {
    Planner planner(order, standings, by);
    planner.Stop(roots, restarts);
    return planner.Take();
}

Result<Plan> PlanRestart(const Order& order, std::span<const Standing> standings,
                         std::span<const Index> roots, const std::string& by) {
    Planner planner(order, standings, by);
    HUSK_TRY(planner.Restart(roots));
    return planner.Take();
}

PlannedJob FollowBinding(const Order& order, std::span<const Standing> standings, Index unit) {
    const Standing& own = standings[unit];
    if (IsIdle(own) || GoesDown(own)) return {};
    if (!HasProcesses(own.state) && !IsUp(own.state)) return {};  // not launched yet: order.h
    PlannedJob job;
    for (Index other : order.BindsTo(unit)) {
        const Standing& standing = standings[other];
        if (standing.refused) continue;
        const Fate fate = FateOf(standing);
        if (fate == Fate::kNoMatter) continue;
        // A run that began after the other one's end has nothing to do with that.
        if (fate == Fate::kRestarts && (standing.direct || own.started_at > standing.ended_at))
            continue;
        job.unit = unit;
        job.why =
            Cat("since ", Quote(order.Name(other)), ", which it is bound to, ", FateWords(fate));
        job.kind = fate == Fate::kRestarts ? JobKind::kRestart : JobKind::kStop;
        if (job.kind == JobKind::kStop) break;
    }
    return job;
}

}  // namespace husk::supervisor
