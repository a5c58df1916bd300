// Whole lives of graphs of units against a device that exists in memory: the real lifecycle and the
// real jobs, processes that end when they like, and a supervisor that is killed between any two
// lines and goes on from what was written down.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <deque>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/text.h"
#include "supervisor/jobs.h"

namespace husk::supervisor {
namespace {

using Index = Order::Index;

// What a record holds.
struct Saved {
    Life life;
    Jobs::Queued job;
    std::string mark;
};

struct FakeUnit {
    OrderUnit keys;
    Policy policy;
    bool direct = false;  // RestartMode=
    bool needs_link = false;
    Saved saved, now;
    // The real world, which outlives a supervisor.
    bool alive = false;
    bool asked_to_end = false;
    // The supervisor's.
    std::deque<Event> events;
    bool dispatching = false;
    bool command = false;
};

class World final : public JobHost {
  public:
    World(unsigned seed, size_t size) : random_(seed) {
        MakeUnits(size);
        Boot();
        while (dead_) Boot();
    }

    void Step();
    void Settle();
    std::vector<Index> SomeUnits();
    void RequestSomething();

    std::string error;
    size_t triggers = 0, launches = 0, deaths = 0;
    bool link_is_there = true;
    std::vector<FakeUnit> units;
    Jobs jobs{*this};

  private:
    // JobHost
    void Tell(Index unit, Event event) override;
    void KeepJob(Index unit, JobKind kind, const std::string& why) override {
        units[unit].now.job = {kind, why};
        Save(unit);
    }
    Event LookAtConditions(Index) override {
        const auto roll = random_() % 50;
        if (roll == 0) return {.kind = EventKind::kConditionUnmet, .text = "no"};
        if (roll == 1) return {.kind = EventKind::kAssertionFailed, .text = "no"};
        return {.kind = EventKind::kOrderReady};
    }
    OutsideWait LookOutside(Index unit) override {
        if (link_is_there || !units[unit].needs_link) return {};
        return {.text = "a link", .held_up = true};
    }
    void TellLeftOut(Index, const std::string&) override {}
    std::string MarkOf(Index unit) override { return units[unit].now.mark; }
    void Mark(Index unit, const std::string& mark, bool save) override {
        if (dead_) return;
        units[unit].now.mark = mark;
        if (save) Save(unit);
    }
    std::string EndOf(Index unit) override {
        return Cat(units[unit].keys.name, "@",
                   std::to_string(units[unit].now.life.since.since_boot.count()));
    }
    Untold UntoldOf(Index unit) override { return units[unit].now.life.untold; }
    void ActOnEnd(Index, Untold) override {}

    void MakeUnits(size_t size);
    void Boot();
    void Dispatch(Index unit, Event event);
    void Do(Index unit, const Action& action);
    void Save(Index unit);
    void CheckLaunch(Index unit);
    void CheckAll();
    void MoveWorld(Index unit, bool badly);
    void FireTimers(bool all);
    void Adopt();
    Standing StandingOf(const FakeUnit& unit) const;
    void Broken(const std::string& what, Index unit) {
        if (!error.empty()) return;
        error = Cat(what, ": ", units[unit].keys.name);
        for (const FakeUnit& each : units)
            error += Cat("\n  ", each.keys.name, " ", SubStateName(each.now.life.state), ", ",
                         each.alive ? "alive" : "no process", ": ", each.now.life.reason);
    }

    std::mt19937 random_;
    Instant now_{Duration(1)};
    bool dead_ = false;                // the supervisor: nothing that it does has any effect
    size_t lives_for_ = 0;             // so many effects; 0: for ever
    std::map<std::string, int> told_;  // "target for end" -> how often it was started
};

void World::MakeUnits(size_t size) {
    auto name = [](size_t i) { return Cat("u", std::to_string(i)); };
    for (size_t i = 0; i < size; ++i) {
        FakeUnit unit;
        unit.keys.name = name(i);
        auto maybe = [&](unsigned one_in, std::vector<std::string>& list, size_t below) {
            if (below > 0 && random_() % one_in == 0) list.push_back(name(random_() % below));
        };
        // Order and needs lead to smaller numbers: no cycles.
        for (int k = 0; k < 2; ++k) {
            maybe(2, unit.keys.after, i);
            maybe(4, unit.keys.requires_, i);
            maybe(6, unit.keys.binds_to, i);
        }
        if (random_() % 2 == 0)  // most need what they are after
            for (const auto* list : {&unit.keys.requires_, &unit.keys.binds_to})
                unit.keys.after.insert(unit.keys.after.end(), list->begin(), list->end());
        maybe(5, unit.keys.part_of, i);
        maybe(4, unit.keys.wants, size);
        maybe(5, unit.keys.conflicts, size);
        maybe(3, unit.keys.on_failure, size);
        maybe(6, unit.keys.on_success, size);
        for (auto* list :
             {&unit.keys.wants, &unit.keys.conflicts, &unit.keys.on_failure, &unit.keys.on_success})
            std::erase(*list, unit.keys.name);
        config::Unit file;
        file.name = unit.keys.name;
        file.service.restart =
            random_() % 2 ? config::RestartPolicy::kOnFailure : config::RestartPolicy::kNo;
        file.service.type =
            random_() % 4 == 0 ? config::ServiceType::kOneshot : config::ServiceType::kExec;
        unit.direct = random_() % 3 == 0;
        unit.needs_link = random_() % 4 == 0;
        file.service.remain_after_exit = random_() % 4 == 0;
        if (random_() % 4 == 0) file.service.exec_stop.push_back({});
        unit.policy = PolicyOf(file, {});
        units.push_back(std::move(unit));
    }
}

Standing World::StandingOf(const FakeUnit& unit) const {
    const Life& life = unit.now.life;
    return {.state = life.state,
            .wanted = life.state != State::kInactive || life.done,
            .done = life.done,
            .after = life.after,
            .direct = unit.direct,
            .started_at = life.started_at,
            .ended_at = life.last_exit.at};
}

// A supervisor begins with what the last one wrote down.
void World::Boot() {
    dead_ = false;
    lives_for_ = random_() % 3 == 0 ? 1 + random_() % 200 : 0;
    std::vector<OrderUnit> keys;
    std::vector<Standing> standings;
    std::vector<Jobs::Queued> queued;
    for (FakeUnit& unit : units) {
        unit.now = unit.saved;
        unit.events.clear();
        unit.dispatching = unit.command = false;
        keys.push_back(unit.keys);
        standings.push_back(StandingOf(unit));
        queued.push_back(unit.now.job);
    }
    jobs.SetUnits(keys, std::move(standings), std::move(queued));
    Adopt();
}

// As UnitRunner::Adopt: what the record tells of may be over.
void World::Adopt() {
    for (Index i = 0; i < units.size() && !dead_; ++i) {
        const State state = units[i].now.life.state;
        if (!HasProcesses(state) || units[i].alive) continue;
        const bool lost = units[i].now.life.main_pid != 0;
        if (state == State::kStopCommand) units[i].command = true;  // goes on, in its cgroup
        if (state == State::kCleaning)
            Dispatch(i, {.kind = EventKind::kGroupEmpty});
        else if (state == State::kStarting && !lost)
            Dispatch(i, {.kind = EventKind::kLaunchFailed, .text = "lost"});
        else if (lost)
            Dispatch(i, {.kind = EventKind::kMainExited,
                         .exit = {.kind = ExitKind::kUnknown, .at = now_}});
    }
}

void World::Save(Index unit) {
    if (dead_) return;
    if (lives_for_ > 0 && --lives_for_ == 0) {
        dead_ = true;
        ++deaths;
        return;
    }
    units[unit].saved = units[unit].now;
}

void World::Tell(Index unit, Event event) {
    if (dead_) return;
    if (jobs.standings()[unit].job == JobKind::kNone) units[unit].now.job = {};
    if (event.kind == EventKind::kStartWanted && event.text.starts_with("because") &&
        !units[unit].now.mark.empty()) {
        ++triggers;
    }
    Dispatch(unit, std::move(event));
}

void World::Dispatch(Index index, Event event) {
    FakeUnit& unit = units[index];
    unit.events.push_back(std::move(event));
    if (std::exchange(unit.dispatching, true)) return;
    while (!unit.events.empty() && !dead_) {
        const Event next = std::move(unit.events.front());
        unit.events.pop_front();
        Life& life = unit.now.life;
        const Life before = life;
        now_.since_boot += Duration(1);  // no two things happen at once
        const auto actions = Advance(life, unit.policy, next, now_, 0);
        const bool by_end =
            next.kind == EventKind::kStartWanted && next.text.starts_with("because ");
        if (!actions.empty() || life.state != before.state || life.reason != before.reason ||
            life.untold != before.untold)
            Save(index);
        if (dead_) break;
        if (by_end && life.state != before.state &&
            ++told_[Cat(unit.keys.name, " for ", unit.now.mark)] > 1)
            Broken("an end starts a unit twice", index);
        for (const Action& action : actions) Do(index, action);
        if (!dead_ && life.state != before.state) jobs.Follow(index, StandingOf(unit));
    }
    unit.dispatching = false;
}

void World::CheckLaunch(Index index) {
    ++launches;
    if (units[index].needs_link && !link_is_there) Broken("who needs a link waits for it", index);
    const auto standings = jobs.standings();
    const OrderUnit& keys = units[index].keys;
    for (Index other = 0; other < units.size(); ++other) {
        const FakeUnit& unit = units[other];
        auto names = [&](const std::vector<std::string>& list, const std::string& name) {
            return std::ranges::find(list, name) != list.end();
        };
        const bool after = names(keys.after, unit.keys.name);
        const bool ordered = after || names(unit.keys.after, keys.name);
        if (ordered && GoesDown(standings[other])) Broken("a start waits for a stop", index);
        if (after && names(keys.binds_to, unit.keys.name) && !IsUp(unit.now.life.state))
            Broken("what it is bound to is up", index);
        if (after && names(keys.requires_, unit.keys.name) && !IsUp(unit.now.life.state) &&
            !unit.now.life.done)
            Broken("no dependency starts late", index);
        if ((names(keys.conflicts, unit.keys.name) || names(unit.keys.conflicts, keys.name)) &&
            unit.alive)
            Broken("units that conflict never run together", index);
    }
}

void World::Do(Index index, const Action& action) {
    FakeUnit& unit = units[index];
    if (dead_) return;
    switch (action.kind) {
        case ActionKind::kJoinOrder: return jobs.Join(index);
        case ActionKind::kLaunch:
            if (random_() % 30 == 0)
                return Dispatch(index, {.kind = EventKind::kLaunchFailed, .text = "no"});
            CheckLaunch(index);
            unit.now.life.main_pid = static_cast<int>(index) + 2;
            Save(index);
            if (dead_) return;
            unit.alive = true;
            unit.asked_to_end = false;
            return Dispatch(index, {.kind = EventKind::kLaunched, .pid = unit.now.life.main_pid});
        case ActionKind::kSignalMain:
        case ActionKind::kSignalGroup: unit.asked_to_end = true; return;
        case ActionKind::kKillGroup:
            unit.asked_to_end = true;
            if (!unit.alive) Dispatch(index, {.kind = EventKind::kGroupEmpty});
            return;
        case ActionKind::kRunCommand: unit.command = true; return;
        case ActionKind::kKillCommand:
        case ActionKind::kArmTimer:
        case ActionKind::kCancelTimer:
        case ActionKind::kRelease: return;
    }
}

// Something that may happen to a unit by itself.
void World::MoveWorld(Index index, bool badly) {
    FakeUnit& unit = units[index];
    const Life& life = unit.now.life;
    if (unit.command && (!badly || random_() % 2)) {
        unit.command = false;
        return Dispatch(index, {.kind = EventKind::kCommandDone,
                                .exit = {.kind = ExitKind::kExited, .at = now_}});
    }
    if (!unit.alive) return;
    if (!life.executed && random_() % 2) return Dispatch(index, {.kind = EventKind::kExecuted});
    const bool ends = unit.asked_to_end || unit.policy.type == config::ServiceType::kOneshot ||
                      (badly && random_() % 4 == 0);
    if (!ends) return;
    unit.alive = false;
    const bool fails = badly && random_() % 2;
    Dispatch(index, {.kind = EventKind::kMainExited,
                     .exit = {.kind = ExitKind::kExited, .code = fails ? 1 : 0, .at = now_}});
    if (!dead_ && unit.now.life.state == State::kCleaning)
        Dispatch(index, {.kind = EventKind::kGroupEmpty});
}

void World::FireTimers(bool all) {
    for (Index i = 0; i < units.size() && !dead_; ++i) {
        const Instant at = NextDeadline(units[i].now.life);
        if (at == Instant{} || (!all && at > now_)) continue;
        if (at > now_) now_ = at;
        Dispatch(i, {.kind = EventKind::kTimer});
    }
}

std::vector<Index> World::SomeUnits() {
    std::vector<Index> some{random_() % units.size()};
    if (random_() % 4 == 0) some.push_back(random_() % units.size());
    return some;
}

void World::RequestSomething() {
    const auto some = SomeUnits();
    switch (random_() % 5) {
        case 0:
        case 1: (void)jobs.Start(some, "by 'husk start'", Asked::kFor); return;
        case 2: (void)jobs.Start(some, "at boot", Asked::kWanted); return;
        case 3: jobs.Stop(some, "by 'husk stop'"); return;
        case 4: (void)jobs.Restart(some, "by 'husk restart'"); return;
    }
}

void World::CheckAll() {
    const auto standings = jobs.standings();
    for (Index i = 0; i < units.size() && !dead_; ++i) {
        if (standings[i].state != units[i].now.life.state) Broken("the order knows the state", i);
        if (standings[i].job != units[i].now.job.kind) Broken("the record knows the job", i);
        if (standings[i].job != JobKind::kNone && !GoesDownFor(standings[i].job))
            Broken("what waits is a stop", i);
    }
}

void World::Step() {
    now_.since_boot += Duration(1 + random_() % 100'000'000);
    switch (random_() % 8) {
        case 0: RequestSomething(); break;
        case 1: FireTimers(false); break;
        default: MoveWorld(random_() % units.size(), true); break;
    }
    if (random_() % 10 == 0) {
        link_is_there = !link_is_there;
        jobs.LookOutsideAgain();
    }
    if (random_() % 2) jobs.Review(now_);
    while (dead_) Boot();
    CheckAll();
}

// Nothing bad happens any more, and nobody asks for anything.
void World::Settle() {
    lives_for_ = 0;
    link_is_there = true;
    jobs.LookOutsideAgain();
    for (int round = 0; round < 400; ++round) {
        now_.since_boot += std::chrono::milliseconds(100);
        for (Index i = 0; i < units.size(); ++i) MoveWorld(i, false);
        FireTimers(false);
        jobs.Review(now_);
    }
    if (jobs.Review(now_)) Broken("there is an end to what is to be looked at", 0);
    CheckAll();
    const auto standings = jobs.standings();
    for (Index i = 0; i < units.size(); ++i) {
        const Life& life = units[i].now.life;
        if (standings[i].job != JobKind::kNone) Broken("a stop always ends", i);
        if (life.untold != Untold::kNothing) Broken("an end is told", i);
        if (!IsSettled(life.state))
            Broken(Cat("no unit is wanted and forgotten (", life.reason, ")"), i);
        for (Index other : jobs.order().Conflicts(i))
            if (units[i].alive && units[other].alive) Broken("no two that conflict", i);
        const PlannedJob binding = FollowBinding(jobs.order(), standings, i);
        if (binding.kind != JobKind::kNone) Broken("who is bound has followed", i);
    }
}

TEST(JobsWalk, HundredsOfGraphsKeepTheirPromises) {
    size_t triggers = 0, launches = 0, deaths = 0;
    for (unsigned seed = 0; seed < 600; ++seed) {
        World world(seed, 2 + seed % 14);
        for (int step = 0; step < 150 && world.error.empty(); ++step) world.Step();
        if (world.error.empty()) world.Settle();
        ASSERT_EQ(world.error, "") << "seed " << seed;
        // And down: nothing may be left.
        world.jobs.StopAll("for poweroff");
        world.Settle();
        ASSERT_EQ(world.error, "") << "going down, seed " << seed;
        for (const FakeUnit& unit : world.units) {
            ASSERT_FALSE(unit.alive) << "seed " << seed;
            ASSERT_FALSE(HasProcesses(unit.now.life.state)) << "seed " << seed;
        }
        triggers += world.triggers;
        launches += world.launches;
        deaths += world.deaths;
    }
    // The walk walks.
    EXPECT_GT(triggers, 300u);
    EXPECT_GT(launches, 5'000u);
    EXPECT_GT(deaths, 80u);
}

}  // namespace
}  // namespace husk::supervisor
