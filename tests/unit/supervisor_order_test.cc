#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "supervisor/order.h"

namespace husk::supervisor {
namespace {

using Kind = OrderVerdict::Kind;

Standing Wanted(State state) { return {.state = state, .wanted = true}; }

TEST(Order, AUnitWithoutRelationsIsReady) {
    Order order({{"web", {}, {}, {}}});
    std::vector<Standing> standings{Wanted(State::kWaiting)};
    EXPECT_EQ(order.Verdict(0, standings).kind, Kind::kReady);
    EXPECT_EQ(order.Find("web"), 0u);
    EXPECT_FALSE(order.Find("wep"));
}

TEST(Order, AfterWaitsUntilTheOtherIsSettledAndDoesNotMindHow) {
    Order order({{"net", {}, {}, {}}, {"web", {"net"}, {}, {}}});
    const std::pair<Standing, bool> cases[] = {
        {Wanted(State::kInactive), false},  // about to be started
        {Wanted(State::kWaiting), false},
        {Wanted(State::kStarting), false},
        {Wanted(State::kRunning), true},
        {Wanted(State::kExited), true},
        {Wanted(State::kStopping), false},
        {Wanted(State::kCleaning), false},
        {Wanted(State::kBackoff), true},
        {Wanted(State::kFailed), true},
        {{.state = State::kInactive}, true},
        {{.state = State::kInactive, .wanted = true, .done = true}, true},
        {{.state = State::kInactive, .wanted = true, .refused = true}, true},
    };
    for (const auto& [standing, ready] : cases) {
        const std::vector<Standing> standings{standing, Wanted(State::kWaiting)};
        EXPECT_EQ(order.Verdict(1, standings).kind == Kind::kReady, ready)
            << StateName(standing.state);
    }
}

TEST(Order, SaysWhatItWaitsFor) {
    Order order({{"a", {}, {}, {}},
                 {"b", {}, {}, {}},
                 {"c", {}, {}, {}},
                 {"d", {}, {}, {}},
                 {"web", {"d", "c", "b", "a"}, {}, {}}});
    std::vector<Standing> standings(5, Wanted(State::kStarting));
    EXPECT_EQ(order.Verdict(4, standings).text,
              "'a' (starting), 'b' (starting), 'c' (starting) and 1 more");
    standings[0] = standings[2] = standings[3] = Wanted(State::kRunning);
    EXPECT_EQ(order.Verdict(4, standings).text, "'b' (starting)");
}

TEST(Order, ARequirementMustBeUp) {
    Order order({{"db", {}, {}, {}}, {"web", {"db"}, {"db"}, {}}});
    auto verdict = [&](Standing db) {
        return order.Verdict(1, std::vector<Standing>{db, Wanted(State::kWaiting)});
    };
    EXPECT_EQ(verdict(Wanted(State::kRunning)).kind, Kind::kReady);
    EXPECT_EQ(verdict(Wanted(State::kInactive)).kind, Kind::kWait);
    EXPECT_EQ(verdict({.state = State::kInactive, .wanted = true, .done = true}).kind,
              Kind::kReady);
    EXPECT_EQ(verdict(Wanted(State::kBackoff)).text, "'db' (backoff)");
    EXPECT_EQ(verdict(Wanted(State::kBackoff)).kind, Kind::kWait);
    EXPECT_EQ(verdict(Wanted(State::kFailed)).kind, Kind::kLost);
    EXPECT_EQ(verdict(Wanted(State::kFailed)).text, "requires 'db', which has failed");
    EXPECT_EQ(verdict({.state = State::kInactive}).text, "requires 'db', which is stopped");
    EXPECT_EQ(verdict({.state = State::kInactive, .refused = true}).text,
              "requires 'db', which is refused for errors in its file");
}

TEST(Order, ARequirementWithoutAnOrderOnlyHasToExist) {
    Order order({{"db", {}, {}, {}}, {"web", {}, {"db"}, {}}});
    std::vector<Standing> standings{Wanted(State::kFailed), Wanted(State::kWaiting)};
    EXPECT_EQ(order.Verdict(1, standings).kind, Kind::kReady);
    standings[0].refused = true;
    EXPECT_EQ(order.Verdict(1, standings).kind, Kind::kLost);
}

TEST(Order, AMissingRequirementIsLostAndOtherMissingNamesAreNothing) {
    Order order({{"web", {"gone"}, {"nowhere"}, {"away"}}, {"app", {"gone"}, {}, {"away"}}});
    std::vector<Standing> standings(2, Wanted(State::kWaiting));
    EXPECT_EQ(order.Verdict(0, standings).text, "requires 'nowhere', which does not exist");
    EXPECT_EQ(order.Verdict(1, standings).kind, Kind::kReady);
}

TEST(Order, WantsNeitherWaitNorMind) {
    Order order({{"db", {}, {}, {}}, {"web", {}, {}, {"db"}}});
    std::vector<Standing> standings{Wanted(State::kFailed), Wanted(State::kWaiting)};
    EXPECT_EQ(order.Verdict(1, standings).kind, Kind::kReady);
}

TEST(Order, KnowsWhoseVerdictMayChange) {
    Order order({{"db", {}, {}, {}},
                 {"web", {"db"}, {"db"}, {}},
                 {"app", {}, {"db"}, {}},
                 {"log", {"db"}, {}, {}},
                 {"other", {}, {}, {"db"}}});
    EXPECT_EQ(order.Dependents(0), (std::vector<Order::Index>{1, 2, 3}));
}

TEST(Order, AStartTakesAlongWhatIsWantedAndRequired) {
    Order order({{"a", {}, {"b"}, {"c"}},
                 {"b", {}, {"d"}, {}},
                 {"c", {}, {}, {"a"}},
                 {"d", {}, {}, {}},
                 {"e", {"a"}, {}, {}}});
    const std::vector<Order::Index> roots{0};
    EXPECT_EQ(order.StartSet(roots), (std::vector<Order::Index>{0, 1, 2, 3}));
}

TEST(Order, AStopTakesAlongWhatRequiresIt) {
    Order order({{"db", {}, {}, {}},
                 {"web", {"db"}, {"db"}, {}},
                 {"proxy", {}, {"web"}, {}},
                 {"app", {"db"}, {}, {"db"}},
                 {.name = "bound", .binds_to = {"web"}},
                 {.name = "part", .part_of = {"bound"}}});
    const std::vector<Order::Index> roots{0};
    EXPECT_EQ(order.StopSet(roots), (std::vector<Order::Index>{0, 1, 2, 4, 5}));
}

TEST(Order, ARestartLeavesWhoMerelySharesANetwork) {
    Order order({{.name = "vpn"},
                 {.name = "app", .after = {"vpn"}, .requires_ = {"vpn"}, .joins = "vpn"},
                 {.name = "web", .requires_ = {"vpn"}},
                 {.name = "cron", .requires_ = {"app"}}});
    const std::vector<Order::Index> roots{0}, guest{1};
    EXPECT_EQ(order.StopSet(roots), (std::vector<Order::Index>{0, 1, 2, 3}));
    EXPECT_EQ(order.RestartSet(roots), (std::vector<Order::Index>{0, 2}));
    EXPECT_EQ(order.RestartSet(guest), (std::vector<Order::Index>{1, 3}));
}

TEST(Order, StoppingGoesTheOtherWayRound) {
    Order order({{"db", {}, {}, {}}, {"web", {"db"}, {}, {}}, {"app", {"db"}, {}, {}}});
    std::vector<Standing> standings(3, Wanted(State::kRunning));
    for (auto& standing : standings) standing.job = JobKind::kStop;
    EXPECT_EQ(order.MustStopFirst(0, standings), (std::vector<Order::Index>{1, 2}));
    EXPECT_TRUE(order.MustStopFirst(1, standings).empty());
    standings[1] = {.state = State::kCleaning};
    EXPECT_EQ(order.MustStopFirst(0, standings), (std::vector<Order::Index>{1, 2}));
    standings[1] = {.state = State::kInactive};
    standings[2] = {.state = State::kBackoff};
    EXPECT_TRUE(order.MustStopFirst(0, standings).empty());
}

TEST(Order, AStopOfOneUnitDoesNotWaitForWhatKeepsRunning) {
    Order order({{"db", {}, {}, {}}, {"web", {"db"}, {}, {}}});
    std::vector<Standing> standings(2, Wanted(State::kRunning));
    standings[0].job = JobKind::kStop;
    EXPECT_TRUE(order.MustStopFirst(0, standings).empty());
}

TEST(Order, WhereOneStopsAndTheOtherStartsTheStopIsFirstWhicheverIsNamed) {
    // web after db; and log before db.
    Order order({{"db", {"log"}, {}, {}}, {"web", {"db"}, {}, {}}, {"log", {}, {}, {}}});
    std::vector<Standing> standings{
        {.state = State::kStopping}, Wanted(State::kWaiting), Wanted(State::kWaiting)};
    EXPECT_EQ(order.Verdict(1, standings).text, "'db' (stopping)");
    EXPECT_EQ(order.Verdict(2, standings).text, "'db' (stopping)");
    standings[0] = Wanted(State::kRunning);
    standings[0].job = JobKind::kRestart;
    EXPECT_EQ(order.Verdict(1, standings).text, "'db' (to be restarted)");
    EXPECT_EQ(order.Verdict(2, standings).text, "'db' (to be restarted)");
    standings[0] = {.state = State::kInactive};
    EXPECT_EQ(order.Verdict(1, standings).kind, Kind::kReady);
    EXPECT_EQ(order.Verdict(2, standings).kind, Kind::kReady);
}

TEST(Order, AStartWaitsUntilWhatItConflictsWithIsDown) {
    Order order({{.name = "day", .conflicts = {"night"}}, {.name = "night"}});
    for (Order::Index unit : {0u, 1u}) {
        std::vector<Standing> standings(2, Wanted(State::kWaiting));
        Standing& other = standings[1 - unit];
        EXPECT_EQ(order.Verdict(unit, standings).kind, Kind::kReady);
        for (State state : {State::kStarting, State::kRunning, State::kExited, State::kCleaning}) {
            other = {.state = state};
            EXPECT_EQ(order.Verdict(unit, standings).kind, Kind::kWait) << StateName(state);
        }
        other = {.state = State::kRunning, .job = JobKind::kStop};
        EXPECT_EQ(order.WaitsFor(unit, standings), (Order::Units{1 - unit}));
        other = {.state = State::kBackoff};
        EXPECT_EQ(order.Verdict(unit, standings).kind, Kind::kReady);
    }
}

TEST(Order, WhatAUnitIsBoundToHasToBeUpIndeed) {
    Order order({{.name = "db"},
                 {.name = "web", .after = {"db"}, .binds_to = {"db"}},
                 {.name = "app", .binds_to = {"db"}},
                 {.name = "lost", .binds_to = {"gone"}}});
    std::vector<Standing> standings(4, Wanted(State::kWaiting));
    standings[0] = {.state = State::kInactive, .wanted = true, .done = true};
    EXPECT_EQ(order.Verdict(1, standings).text, "is bound to 'db', which is not up");
    EXPECT_EQ(order.Verdict(2, standings).kind, Kind::kReady);
    standings[0] = Wanted(State::kBackoff);
    EXPECT_EQ(order.Verdict(1, standings).kind, Kind::kWait);
    standings[0] = Wanted(State::kExited);
    EXPECT_EQ(order.Verdict(1, standings).kind, Kind::kReady);
    EXPECT_EQ(order.Verdict(3, standings).text, "requires 'gone', which does not exist");
}

TEST(Order, KnowsTheOneUnitWhoseEndMayStartAnother) {
    std::vector<OrderUnit> units{
        {.name = "alarm"}, {.name = "both"}, {.name = "db"}, {.name = "none"}, {.name = "web"}};
    units[2].on_success = {"both"};
    units[4].on_failure = {"alarm", "both"};
    units[4].on_success = {"alarm"};
    const Order order(units);
    EXPECT_EQ(order.MonitoredBy(0), 4u) << "by both of its keys";
    EXPECT_EQ(order.MonitoredBy(1), std::nullopt) << "two units";
    EXPECT_EQ(order.MonitoredBy(3), std::nullopt);
}

TEST(Order, SortsAndPutsCyclesLast) {
    Order order({{"c", {"b"}, {}, {}},
                 {"x", {"y"}, {}, {}},
                 {"y", {"x"}, {}, {}},
                 {"b", {"a"}, {}, {}},
                 {"a", {}, {}, {}},
                 {"self", {"self"}, {}, {}}});
    EXPECT_EQ(order.Sorted(), (std::vector<Order::Index>{4, 5, 3, 0, 1, 2}));
}

TEST(Order, TenThousandUnitsComeUpOneAfterTheOther) {
    constexpr size_t kUnits = 10'000;
    std::mt19937 random(1);
    std::vector<OrderUnit> units(kUnits);
    for (size_t i = 0; i < kUnits; ++i) {
        units[i].name = "unit-" + std::to_string(i);
        for (int k = 0; k < 3 && i > 0; ++k) {
            const std::string other = "unit-" + std::to_string(k == 0 ? i - 1 : random() % i);
            units[i].after.push_back(other);
            units[i].requires_.push_back(other);
        }
    }
    const Order order(units);
    std::vector<Standing> standings(kUnits, Wanted(State::kWaiting));
    // As the supervisor does: only those are looked at whose verdict may have changed.
    std::vector<Order::Index> look{0};
    size_t up = 0;
    for (size_t next = 0; next < look.size(); ++next) {
        const Order::Index unit = look[next];
        if (standings[unit].state != State::kWaiting) continue;
        if (order.Verdict(unit, standings).kind != Kind::kReady) continue;
        standings[unit].state = State::kRunning;
        ++up;
        for (Order::Index other : order.Dependents(unit)) look.push_back(other);
    }
    EXPECT_EQ(up, kUnits);
    EXPECT_LE(look.size(), 3 * kUnits);
}

}  // namespace
}  // namespace husk::supervisor
