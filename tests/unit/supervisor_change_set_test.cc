#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/text.h"
#include "config/keys.h"
#include "config/rules.h"
#include "supervisor/change_set.h"

namespace husk::supervisor {
namespace {

constexpr const char* kExec = "[Container]\nExec=/bin/a\n";

config::LoadedUnit Parsed(const std::string& name, const std::string& text) {
    return config::ParseUnit(name, Cat("/u/", name, ".container"), text);
}

// Units as they stand, and as their files are then.
class World {
  public:
    World& Now(const std::string& name, Life life, const std::string& text = kExec) {
        units_.push_back(Parsed(name, text).unit);
        now_.push_back({name, nullptr, std::move(life), DigestsOf(units_.back())});
        return *this;
    }
    World& NowRefused(const std::string& name) {
        units_.emplace_back();
        now_.push_back({.name = name});
        return *this;
    }
    World& Then(const std::string& name, const std::string& text = kExec) {
        then_.units.push_back(Parsed(name, text));
        EXPECT_FALSE(then_.units.back().refused) << text;
        return *this;
    }
    World& ThenRefused(const std::string& name) {
        then_.units.push_back(Parsed(name, "[Container]\nBogus=1\n"));
        EXPECT_TRUE(then_.units.back().refused);
        return *this;
    }
    World& ThenMasked(const std::string& name) {
        then_.masked.push_back({name, "/u"});
        return *this;
    }
    // The last one names the unit whose network it shares nowhere else.
    World& SharesOnly(bool only) {
        then_.units.back().unit.container.network.requires_only_here = only;
        return *this;
    }
    World& WithOtherImage() {
        now_.back().other_image = true;
        return *this;
    }
    World& WithKey(uint16_t key) {
        now_.back().keys.push_back({key, 1});
        return *this;
    }

    // "restart: Exec= changed (/u/web.container:2)"
    std::map<std::string, std::string> Plan() const {
        std::map<std::string, std::string> said;
        for (const auto& change : Changes()) {
            const std::string reason = Reason(change);
            said[change.name] = Cat(ChangeName(change.change), reason.empty() ? "" : ": ", reason);
        }
        return said;
    }
    std::string PlanOf(const std::string& name) const { return Plan()[name]; }
    ChangeSet Changes() const {
        std::vector<UnitNow> now = now_;
        for (size_t i = 0; i < now.size(); ++i)
            if (!units_[i].name.empty()) now[i].unit = &units_[i];
        return PlanChanges(now, then_);
    }

  private:
    std::vector<config::Unit> units_;  // beside now_; without a name: refused
    std::vector<UnitNow> now_;
    config::LoadedFolder then_;
};

Life In(State state, AfterCleaning after = AfterCleaning::kStayDown) {
    return {.state = state, .reason = "for a reason", .after = after};
}
const Life kIdle{};
const Life kUp = In(State::kRunning);
const Life kStopped = In(State::kInactive);
const Life kDone{.state = State::kInactive, .reason = "finished", .done = true};

const std::string kOtherExec = "[Container]\nExec=/bin/b\n";
const std::string kLessMemory = "[Container]\nExec=/bin/a\n[Service]\nMemoryMax=1M\n";
const std::string kOnDemand = "[Install]\nEnabled=no\n";

struct Row {
    const char* name;
    Life life;
    const char *unchanged, *live, *other, *gone, *refused;
};

// The table of change_set.h, row by row.
const Row kRows[] = {
    {"idle", kIdle, "start: it was not started yet", "start: it was not started yet",
     "start: it was not started yet", "untouched: its file is gone",
     "untouched: its file has errors"},
    {"waiting", In(State::kWaiting), "untouched", "reload: MemoryMax= new (/u/web.container:4)",
     "reload: Exec= changed (/u/web.container:2)", "stop: its file is gone",
     "stop: its file has errors"},
    {"up", kUp, "untouched", "reload: MemoryMax= new (/u/web.container:4)",
     "restart: Exec= changed (/u/web.container:2)", "stop: its file is gone",
     "untouched: its file has errors"},
    {"trying", In(State::kFailed), "untouched", "start: MemoryMax= new (/u/web.container:4)",
     "start: Exec= changed (/u/web.container:2)", "stop: its file is gone",
     "stop: its file has errors"},
    {"done", kDone, "untouched", "untouched: it has done its work",
     "start: Exec= changed (/u/web.container:2)", "untouched: its file is gone",
     "untouched: its file has errors"},
    {"down", kStopped, "untouched", "untouched: it was stopped, and stays so",
     "untouched: it was stopped, and stays so", "untouched: its file is gone",
     "untouched: its file has errors"},
};

TEST(ChangeSet, EachPhaseMeetsEachChangeAsTheTableSays) {
    for (const Row& row : kRows) {
        SCOPED_TRACE(row.name);
        auto world = [&] { return World().Now("web", row.life); };
        EXPECT_EQ(world().Then("web").PlanOf("web"), row.unchanged);
        EXPECT_EQ(world().Then("web", kLessMemory).PlanOf("web"), row.live);
        EXPECT_EQ(world().Then("web", kOtherExec).PlanOf("web"), row.other);
        EXPECT_EQ(world().PlanOf("web"), row.gone);
        EXPECT_EQ(world().ThenRefused("web").PlanOf("web"), row.refused);
    }
}

TEST(ChangeSet, WhatIsStartedOnDemandIsNotStartedByItsFile) {
    const std::string before = kExec + kOnDemand, after = kOtherExec + kOnDemand;
    EXPECT_EQ(World().Now("web", kIdle, before).Then("web", before).PlanOf("web"), "untouched");
    EXPECT_EQ(World().Now("web", kIdle, before).Then("web", after).PlanOf("web"),
              "untouched: it is started on demand");
    EXPECT_EQ(World().Now("web", kDone, before).Then("web", after).PlanOf("web"),
              "untouched: it has done its work");
    EXPECT_EQ(World().Then("web", before).PlanOf("web"), "untouched: new; it is started on demand");
    // But what failed is tried anew: that is what its file was mended for.
    EXPECT_EQ(World().Now("web", In(State::kFailed), before).Then("web", after).PlanOf("web"),
              "start: Exec= changed (/u/web.container:2)");
}

TEST(ChangeSet, EnablingAUnitThatWasNeverStartedStartsIt) {
    EXPECT_EQ(World().Now("web", kIdle, kExec + kOnDemand).Then("web").PlanOf("web"),
              "start: it was not started yet");
}

TEST(ChangeSet, ANewUnitStartsAndOneThatWasRefusedToo) {
    EXPECT_EQ(World().Then("web").PlanOf("web"), "start: new");
    EXPECT_EQ(World().NowRefused("web").Then("web").PlanOf("web"), "start: its file is good now");
    EXPECT_EQ(World().NowRefused("web").ThenRefused("web").PlanOf("web"),
              "untouched: its file has errors");
}

TEST(ChangeSet, AMaskIsNamed) {
    EXPECT_EQ(World().Now("web", kUp).ThenMasked("web").PlanOf("web"), "stop: it is masked");
    EXPECT_EQ(World().ThenMasked("web").Plan().count("web"), 0u);
}

TEST(ChangeSet, EachStateIsInItsPhase) {
    const std::pair<Life, const char*> cases[] = {
        {In(State::kStarting), "restart"},
        {In(State::kExited), "restart"},
        {In(State::kBackoff), "start"},
        {In(State::kStopping, AfterCleaning::kStartAgain), "restart"},
        {In(State::kCleaning, AfterCleaning::kExitedWell), "restart"},
        {In(State::kStopping, AfterCleaning::kBackoff), "start"},
        {In(State::kCleaning, AfterCleaning::kFail), "start"},
        {In(State::kCleaning, AfterCleaning::kDone), "start"},
        {In(State::kStopping, AfterCleaning::kStayDown), "untouched"},
        {In(State::kCleaning, AfterCleaning::kStayDown), "untouched"},
    };
    for (const auto& [life, expected] : cases) {
        const std::string said = World().Now("web", life).Then("web", kOtherExec).PlanOf("web");
        EXPECT_TRUE(said.starts_with(Cat(expected, ": ")))
            << StateName(life.state) << " " << static_cast<int>(life.after) << ": " << said;
    }
}

// --- keys ----------------------------------------------------------------------------------------

TEST(ChangeSet, EveryKeyThatChangedIsListedWithItsPlace) {
    const auto changes = World()
                             .Now("web", kUp, "[Container]\nExec=/bin/a\nUser=7\nHostName=x\n")
                             .Then("web", "[Container]\nHostName=y\nExec=/bin/a\nWorkingDir=/\n")
                             .Changes();
    std::vector<std::string> said;
    for (const auto& key : changes.front().keys) said.push_back(Describe(key));
    std::sort(said.begin(), said.end());
    EXPECT_EQ(said, (std::vector<std::string>{"HostName= changed (/u/web.container:2)",
                                              "User= no longer given",
                                              "WorkingDir= new (/u/web.container:4)"}));
    EXPECT_TRUE(Reason(changes.front()).ends_with(" and 2 more"));
}

TEST(ChangeSet, OtherLinesAndCommentsChangeNothing) {
    EXPECT_EQ(World()
                  .Now("web", kUp, "[Container]\nExec=/bin/a\nUser=7\n")
                  .Then("web", "# why\n[Container]\n\nUser=7\nExec=/bin/a\n")
                  .PlanOf("web"),
              "untouched");
}

TEST(ChangeSet, AKeyOfAnotherVersionRestarts) {
    EXPECT_EQ(World().Now("web", kUp).WithKey(kUnknownKey).Then("web").PlanOf("web"),
              "restart: it has a key of another version of husk");
}

TEST(ChangeSet, AnotherFileForItsImageRestartsWhatIsUp) {
    auto plan = [](const Life& life, const std::string& then) {
        return World().Now("web", life).WithOtherImage().Then("web", then).PlanOf("web");
    };
    EXPECT_EQ(plan(kUp, kExec), "restart: its image is another file");
    EXPECT_EQ(plan(kUp, kLessMemory), "restart: its image is another file");
    EXPECT_EQ(plan(kDone, kExec), "untouched");
    EXPECT_EQ(plan(kStopped, kExec), "untouched");
}

TEST(ChangeSet, WhatAUnitWasStartedWithCountsNotWhatWasLoadedSince) {
    auto loaded = Parsed("web", kOtherExec);
    const UnitNow now{"web", &loaded.unit, kUp, DigestsOf(Parsed("web", kExec).unit)};
    config::LoadedFolder then;
    then.units.push_back(Parsed("web", kOtherExec));
    EXPECT_EQ(PlanChanges({now}, then).front().change, Change::kRestart);
}

// --- one leads to another ------------------------------------------------------------------------

const std::string kGuest = "[Unit]\nRequires=db\nAfter=db\n[Container]\nExec=/bin/a\n";

TEST(ChangeSet, ARestartTakesAlongWhatRequiresIt) {
    const auto plan = World()
                          .Now("db", kUp)
                          .Now("web", kUp, kGuest)
                          .Now("cron", kUp, "[Unit]\nRequires=web\n[Container]\nExec=/bin/a\n")
                          .Now("idle", kStopped, kGuest)
                          .Then("db", kOtherExec)
                          .Then("web", kGuest)
                          .Then("cron", "[Unit]\nRequires=web\n[Container]\nExec=/bin/a\n")
                          .Then("idle", kGuest)
                          .Plan();
    EXPECT_EQ(plan.at("web"), "restart: requires 'db', which is restarted");
    EXPECT_EQ(plan.at("cron"), "restart: requires 'web', which is restarted");
    EXPECT_EQ(plan.at("idle"), "untouched");
}

TEST(ChangeSet, AReloadTakesNothingAlong) {
    const auto plan = World()
                          .Now("db", kUp)
                          .Now("web", kUp, kGuest)
                          .Then("db", kLessMemory)
                          .Then("web", kGuest)
                          .Plan();
    EXPECT_EQ(plan.at("web"), "untouched");
}

// config::CheckAcrossUnits() adds the requirement that the network implies.
World SharedNetwork(Life owner, const std::string& before = kExec,
                    const std::string& after = kOtherExec, bool requires_it = false) {
    const std::string guest =
        "[Unit]\nRequires=db\nAfter=db\n[Container]\nExec=/bin/a\nNetwork=db.container\n";
    return World()
        .Now("db", std::move(owner), before)
        .Now("web", kUp, guest)
        .Then("db", after)
        .Then("web", guest)
        .SharesOnly(!requires_it);
}

TEST(ChangeSet, WhatSharesTheNetworkOfARestartedUnitIsRestarted) {
    EXPECT_EQ(SharedNetwork(kUp).PlanOf("web"), "restart: shares the network of 'db'");
    EXPECT_EQ(SharedNetwork(In(State::kFailed)).PlanOf("web"),
              "restart: shares the network of 'db'");
}

TEST(ChangeSet, WhatSharesANetworkThatOutlivesARestartGoesOn) {
    const std::string lan = Cat(kExec, "Network=lan.network\n");
    const std::string other = Cat(kOtherExec, "Network=lan.network\n");
    EXPECT_EQ(SharedNetwork(kUp, lan, other).PlanOf("web"), "untouched");
    EXPECT_EQ(SharedNetwork(kUp, lan, Cat(lan, "HostName=x\n")).PlanOf("web"),
              "restart: shares the network of 'db'");
    EXPECT_EQ(SharedNetwork(kUp, lan, kExec).PlanOf("web"), "restart: shares the network of 'db'");
    EXPECT_EQ(SharedNetwork(kUp, lan, other, true).PlanOf("web"),
              "restart: shares the network of 'db'");
    EXPECT_EQ(SharedNetwork(In(State::kFailed), lan, other).PlanOf("web"),
              "restart: shares the network of 'db'");
}

TEST(ChangeSet, WhatRequiresAStoppedUnitIsStopped) {
    // Its file is refused for requiring what is gone, and it runs on, but for this.
    const auto plan = World().Now("db", kUp).Now("web", kUp, kGuest).ThenRefused("web").Plan();
    EXPECT_EQ(plan.at("db"), "stop: its file is gone");
    EXPECT_EQ(plan.at("web"), "stop: requires 'db', which is stopped");
}

TEST(ChangeSet, WhatDoesNotRequireItAnyMoreGoesOn) {
    EXPECT_EQ(World().Now("db", kUp).Now("web", kUp, kGuest).Then("web").PlanOf("web"),
              "reload: After= no longer given and 1 more");
}

TEST(ChangeSet, WhatAStartedUnitRequiresIsStartedEvenWhereItWasStopped) {
    const auto plan = World()
                          .Now("db", kStopped)
                          .Now("old", kUp)
                          .Then("db")
                          .Then("web", kGuest)
                          .Then("old", kGuest)
                          .Plan();
    EXPECT_EQ(plan.at("db"), "start: required by 'web'");
    // That its requirement is new holds at once.
    EXPECT_TRUE(plan.at("old").starts_with("reload: "));
}

TEST(ChangeSet, WhatAStartedUnitWantsIsStartedWhereItNeverWas) {
    const std::string web = "[Unit]\nWants=a b c\n[Container]\nExec=/bin/a\n";
    const auto plan = World()
                          .Now("a", kIdle, kExec + kOnDemand)
                          .Now("b", kStopped)
                          .Now("c", In(State::kFailed))
                          .Then("a", kExec + kOnDemand)
                          .Then("b")
                          .Then("c")
                          .Then("web", web)
                          .Plan();
    EXPECT_EQ(plan.at("a"), "start: wanted by 'web'");
    EXPECT_EQ(plan.at("b"), "untouched");
    EXPECT_EQ(plan.at("c"), "untouched");
}

TEST(ChangeSet, ARefusedUnitIsNeitherStartedNorAsked) {
    const auto plan = World().ThenRefused("db").Then("web", kGuest).Plan();
    EXPECT_EQ(plan.at("db"), "untouched: its file has errors");
}

TEST(ChangeSet, WhatIsBoundOrPartGoesAlong) {
    const std::string bound = Cat("[Unit]\nBindsTo=db\n", kExec),
                      part = Cat("[Unit]\nPartOf=db\n", kExec);
    auto plan = World()
                    .Now("db", kUp)
                    .Now("web", kUp, bound)
                    .Now("log", kUp, part)
                    .Then("db", kOtherExec)
                    .Then("web", bound)
                    .Then("log", part)
                    .Plan();
    EXPECT_EQ(plan["web"], "restart: is bound to 'db', which is restarted");
    EXPECT_EQ(plan["log"], "restart: is part of 'db', which is restarted");
    plan = World().Now("db", kUp).Now("web", kUp, bound).Then("web", bound).Plan();
    EXPECT_EQ(plan["web"], "stop: is bound to 'db', which is stopped");
}

TEST(ChangeSet, WhatComesUpStopsWhatItConflictsWith) {
    const std::string rival = Cat("[Unit]\nConflicts=day\n", kExec);
    EXPECT_EQ(World().Now("day", kUp).Then("day").Then("night", rival).PlanOf("day"),
              "stop: conflicts with 'night', which is started");
    // Of two that are new, the first.
    auto plan = World().Then("day").Then("night", rival).Plan();
    EXPECT_EQ(plan["day"], "start: new");
    EXPECT_EQ(plan["night"], "untouched: conflicts with 'day', which is started");
    // What is down stays as it is.
    EXPECT_EQ(World().Now("day", kStopped).Then("day").Then("night", rival).PlanOf("day"),
              "untouched");
}

}  // namespace
}  // namespace husk::supervisor
