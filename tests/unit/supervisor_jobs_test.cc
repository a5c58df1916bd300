#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "supervisor/transaction.h"

namespace husk::supervisor {
namespace {

using Index = Order::Index;
using Kinds = std::vector<std::pair<std::string, std::string>>;

TEST(JobKinds, TwoAskingsBecomeTheOneThatDoesBoth) {
    using enum JobKind;
    const JobKind kinds[] = {kVerifyActive, kStart, kReload, kReloadOrStart, kRestart, kStop};
    // kNone: they contradict each other. As the table of systemd's job.c, completed.
    const JobKind wanted[6][6] = {
        {kVerifyActive, kStart, kReload, kReloadOrStart, kRestart, kNone},
        {kStart, kStart, kReloadOrStart, kReloadOrStart, kRestart, kNone},
        {kReload, kReloadOrStart, kReload, kReloadOrStart, kRestart, kNone},
        {kReloadOrStart, kReloadOrStart, kReloadOrStart, kReloadOrStart, kRestart, kNone},
        {kRestart, kRestart, kRestart, kRestart, kRestart, kNone},
        {kNone, kNone, kNone, kNone, kNone, kStop},
    };
    for (size_t i = 0; i < 6; ++i) {
        EXPECT_EQ(MergeJobs(kinds[i], kNone), kinds[i]);
        for (size_t j = 0; j < 6; ++j) {
            const auto merged = MergeJobs(kinds[i], kinds[j]);
            EXPECT_EQ(merged.value_or(kNone), wanted[i][j])
                << JobName(kinds[i]) << " and " << JobName(kinds[j]);
            // What contradicts the old takes its place: a stop cancels a start.
            EXPECT_EQ(ReplaceOrMerge(kinds[i], kinds[j]), merged.value_or(kinds[j]));
        }
    }
    EXPECT_EQ(ReplaceOrMerge(kStart, kStop), kStop);
    EXPECT_EQ(ReplaceOrMerge(kStop, kStart), kStart);
}

TEST(JobKinds, ComeToWhatIsLeftToDo) {
    EXPECT_EQ(Collapse(JobKind::kStart, State::kRunning), JobKind::kVerifyActive);
    EXPECT_EQ(Collapse(JobKind::kStart, State::kBackoff), JobKind::kStart);
    EXPECT_EQ(Collapse(JobKind::kReloadOrStart, State::kRunning), JobKind::kReload);
    EXPECT_EQ(Collapse(JobKind::kReloadOrStart, State::kFailed), JobKind::kStart);
    EXPECT_EQ(Collapse(JobKind::kRestart, State::kFailed), JobKind::kRestart);
}

// A graph whose units are named by letters, all running unless a test says otherwise.
struct Graph {
    explicit Graph(const std::vector<OrderUnit>& units)
        : order(units), standings(units.size(), {.state = State::kRunning, .wanted = true}) {}

    Index Of(const char* name) const { return *order.Find(name); }
    void AllAre(State state) {
        for (auto& standing : standings) standing = {.state = state};
    }
    Kinds Shown(const Plan& plan) const {
        Kinds kinds;
        for (const auto& job : plan.jobs)
            kinds.emplace_back(order.Name(job.unit), JobName(job.kind));
        return kinds;
    }
    Result<Plan> Start(std::vector<Index> roots, Asked asked = Asked::kFor) const {
        return PlanStart(order, standings, roots, "by 'husk start'", asked);
    }

    Order order;
    std::vector<Standing> standings;
};

TEST(Transaction, AStartTakesAlongWhatIsNeededAndWantedInTheOrderOfStarts) {
    Graph graph({{.name = "app", .after = {"db"}, .requires_ = {"db"}, .wants = {"log"}},
                 {.name = "db", .after = {"disk"}, .binds_to = {"disk"}},
                 {.name = "disk"},
                 {.name = "log"},
                 {.name = "other", .part_of = {"app"}}});
    graph.AllAre(State::kInactive);
    auto plan = graph.Start({graph.Of("app")});
    ASSERT_TRUE(plan);
    EXPECT_EQ(graph.Shown(*plan),
              (Kinds{{"disk", "start"}, {"log", "start"}, {"db", "start"}, {"app", "start"}}));
    EXPECT_EQ(plan->jobs[3].why, "by 'husk start'");
    EXPECT_EQ(plan->jobs[0].why, "as a requirement, by 'husk start'");
}

TEST(Transaction, ARequirementThatHasDoneItsWorkIsNotDoneAgain) {
    Graph graph({{.name = "app", .requires_ = {"setup"}}, {.name = "setup"}});
    graph.AllAre(State::kInactive);
    graph.standings[1].done = true;
    EXPECT_EQ(graph.Shown(*graph.Start({0})),
              (Kinds{{"app", "start"}, {"setup", "verify-active"}}));
    EXPECT_EQ(graph.Shown(*graph.Start({1})), (Kinds{{"setup", "start"}}));
}

TEST(Transaction, AStartStopsWhatConflictsInBothDirectionsWithWhatDependsOnThat) {
    Graph graph({{.name = "day", .conflicts = {"night"}},
                 {.name = "guard", .requires_ = {"night"}},
                 {.name = "idle", .requires_ = {"night"}},
                 {.name = "lamp", .part_of = {"night"}},
                 {.name = "night"}});
    graph.standings[0] = graph.standings[2] = {.state = State::kInactive};
    auto plan = graph.Start({0});
    ASSERT_TRUE(plan);
    EXPECT_EQ(graph.Shown(*plan),
              (Kinds{{"day", "start"}, {"guard", "stop"}, {"lamp", "stop"}, {"night", "stop"}}));
    EXPECT_EQ(plan->jobs[3].why,
              "since 'day', which it conflicts with, is started by 'husk start'");
    graph.AllAre(State::kInactive);
    graph.standings[0].state = State::kRunning;
    EXPECT_EQ(graph.Shown(*graph.Start({4})), (Kinds{{"day", "stop"}, {"night", "start"}}));
}

TEST(Transaction, AStartWhoseRequirementsConflictIsRefusedWithTheirNames) {
    Graph graph({{.name = "app", .requires_ = {"left", "right"}},
                 {.name = "left", .conflicts = {"right"}},
                 {.name = "right"}});
    graph.AllAre(State::kInactive);
    auto plan = graph.Start({0});
    ASSERT_FALSE(plan);
    EXPECT_EQ(plan.error().text(), "'left' and 'right' conflict with each other (Conflicts=)");
    EXPECT_FALSE(graph.Start({1, 2}));
    EXPECT_TRUE(graph.Start({1}));
}

TEST(Transaction, AStartThatWouldStopWhatItStartsIsRefused) {
    Graph graph({{.name = "app", .requires_ = {"lamp"}, .conflicts = {"night"}},
                 {.name = "lamp", .part_of = {"night"}},
                 {.name = "night"}});
    graph.standings[0] = {.state = State::kInactive};
    auto plan = graph.Start({0});
    ASSERT_FALSE(plan);
    EXPECT_EQ(plan.error().text(),
              "'app' conflicts with 'night' (Conflicts=), and 'lamp' would stop with that");
    graph.standings[2] = {.state = State::kInactive};  // then nothing stops
    EXPECT_TRUE(graph.Start({0}));
}

TEST(Transaction, WhatIsOnlyWantedIsLeftOutWithAWord) {
    Graph graph({{.name = "app", .wants = {"left", "right"}},
                 {.name = "left", .conflicts = {"right"}},
                 {.name = "right", .requires_ = {"sub"}},
                 {.name = "sub"}});
    graph.AllAre(State::kInactive);
    auto plan = graph.Start({0});
    ASSERT_TRUE(plan);
    EXPECT_EQ(graph.Shown(*plan), (Kinds{{"app", "start"}, {"left", "start"}}));
    ASSERT_EQ(plan->left_out.size(), 1u);
    EXPECT_EQ(plan->left_out[0].unit, 2u);
    EXPECT_EQ(plan->left_out[0].text, "'left' and 'right' conflict with each other (Conflicts=)");
    // As at boot.
    plan = graph.Start({1, 2}, Asked::kWanted);
    ASSERT_TRUE(plan);
    EXPECT_EQ(graph.Shown(*plan), (Kinds{{"left", "start"}}));
    EXPECT_EQ(plan->left_out.size(), 1u);
}

TEST(Transaction, AStopTakesAlongWhatDependsOnItAndRuns) {
    Graph graph({{.name = "bound", .binds_to = {"db"}},
                 {.name = "db"},
                 {.name = "idle", .requires_ = {"db"}},
                 {.name = "part", .part_of = {"db"}},
                 {.name = "tries", .requires_ = {"db"}},
                 {.name = "wants", .wants = {"db"}},
                 {.name = "web", .requires_ = {"bound"}}});
    graph.standings[2].state = State::kFailed;
    graph.standings[4].state = State::kBackoff;
    const Index roots[] = {1};
    const Plan plan = PlanStop(graph.order, graph.standings, roots, "by 'husk stop'");
    EXPECT_EQ(graph.Shown(plan), (Kinds{{"bound", "stop"},
                                        {"db", "stop"},
                                        {"part", "stop"},
                                        {"tries", "stop"},
                                        {"web", "stop"}}));
    EXPECT_EQ(plan.jobs[0].why, "with what it requires, by 'husk stop'");
}

TEST(Transaction, ARestartLeavesWhoMerelySharesANetwork) {
    Graph graph(
        {{.name = "app", .after = {"vpn"}, .requires_ = {"vpn"}, .joins = "vpn"}, {.name = "vpn"}});
    const Index roots[] = {1};
    auto plan = PlanRestart(graph.order, graph.standings, roots, "by 'husk restart'");
    ASSERT_TRUE(plan);
    EXPECT_EQ(graph.Shown(*plan), (Kinds{{"vpn", "restart"}}));
    EXPECT_EQ(graph.Shown(PlanStop(graph.order, graph.standings, roots, "x", true)),
              (Kinds{{"vpn", "stop"}}));
    EXPECT_EQ(graph.Shown(PlanStop(graph.order, graph.standings, roots, "x")),
              (Kinds{{"vpn", "stop"}, {"app", "stop"}}));
}

TEST(Transaction, ARestartTakesAlongWhatRunsAndStartsWhatIsNeeded) {
    Graph graph({{.name = "db", .requires_ = {"disk"}},
                 {.name = "disk"},
                 {.name = "idle", .requires_ = {"db"}},
                 {.name = "part", .part_of = {"db"}},
                 {.name = "web", .requires_ = {"db"}}});
    graph.standings[1].state = graph.standings[2].state = State::kInactive;
    const Index roots[] = {0};
    auto plan = PlanRestart(graph.order, graph.standings, roots, "by 'husk restart'");
    ASSERT_TRUE(plan);
    EXPECT_EQ(
        graph.Shown(*plan),
        (Kinds{{"db", "restart"}, {"disk", "start"}, {"part", "restart"}, {"web", "restart"}}));
    EXPECT_EQ(plan->jobs[1].why, "as a requirement, by 'husk restart'");
}

TEST(Binding, FollowsWhateverTheOtherOneDoes) {
    Graph graph({{.name = "db"}, {.name = "web", .binds_to = {"db"}}});
    Standing& db = graph.standings[0];
    graph.standings[1].started_at = {Duration(10)};
    auto follow = [&](Standing now) {
        db = now;
        return FollowBinding(graph.order, graph.standings, 1);
    };
    EXPECT_EQ(follow({.state = State::kRunning}).kind, JobKind::kNone);
    EXPECT_EQ(follow({.state = State::kExited}).kind, JobKind::kNone);
    EXPECT_EQ(follow({.state = State::kStarting}).kind, JobKind::kNone);
    EXPECT_EQ(follow({.state = State::kReloading}).kind, JobKind::kNone);
    EXPECT_EQ(follow({.state = State::kFailed, .wanted = true}).why,
              "since 'db', which it is bound to, has failed");
    EXPECT_EQ(follow({.state = State::kInactive}).kind, JobKind::kStop);
    EXPECT_EQ(follow({.state = State::kInactive, .wanted = true, .done = true}).why,
              "since 'db', which it is bound to, is not up any more");
    EXPECT_EQ(follow({.state = State::kInactive, .wanted = true}).kind, JobKind::kNone);
    EXPECT_EQ(follow({.state = State::kStopping, .after = AfterCleaning::kStayDown}).why,
              "since 'db', which it is bound to, is stopped");
    EXPECT_EQ(follow({.state = State::kCleaning, .after = AfterCleaning::kFail}).kind,
              JobKind::kStop);
    // Those that it was planned with have their own part in that plan.
    EXPECT_EQ(follow({.state = State::kStopping, .after = AfterCleaning::kStartAgain}).kind,
              JobKind::kNone);
    EXPECT_EQ(follow({.state = State::kRunning, .job = JobKind::kStop}).kind, JobKind::kNone);
}

TEST(Binding, SeesAnAutomaticRestartOnceUnlessItIsDirect) {
    Graph graph({{.name = "db"}, {.name = "web", .binds_to = {"db"}}});
    Standing& db = graph.standings[0];
    Standing& web = graph.standings[1];
    web.started_at = {Duration(10)};
    db = {.state = State::kCleaning,
          .after = AfterCleaning::kBackoff,
          .started_at = {Duration(5)},
          .ended_at = {Duration(20)}};
    auto follow = [&] { return FollowBinding(graph.order, graph.standings, 1); };
    EXPECT_EQ(follow().kind, JobKind::kRestart);
    EXPECT_EQ(follow().why, "since 'db', which it is bound to, is restarted");
    db.state = State::kBackoff;
    EXPECT_EQ(follow().kind, JobKind::kRestart);
    db.direct = true;
    EXPECT_EQ(follow().kind, JobKind::kNone);
    db.direct = false;
    web.job = JobKind::kRestart;  // it knows
    EXPECT_EQ(follow().kind, JobKind::kNone);
    web = {.state = State::kRunning, .started_at = {Duration(21)}};  // and did so
    EXPECT_EQ(follow().kind, JobKind::kNone);
    web = {.state = State::kWaiting};
    EXPECT_EQ(follow().kind, JobKind::kNone);
}

}  // namespace
}  // namespace husk::supervisor
