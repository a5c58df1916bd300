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
                 {"app", {"db"}, {}, {"db"}}});
    const std::vector<Order::Index> roots{0};
    EXPECT_EQ(order.StopSet(roots), (std::vector<Order::Index>{0, 1, 2}));
}

TEST(Order, StoppingGoesTheOtherWayRound) {
    Order order({{"db", {}, {}, {}}, {"web", {"db"}, {}, {}}, {"app", {"db"}, {}, {}}});
    std::vector<Standing> standings(3, Wanted(State::kRunning));
    std::vector<bool> all(3, true);
    EXPECT_EQ(order.MustStopFirst(0, standings, all), (std::vector<Order::Index>{1, 2}));
    EXPECT_TRUE(order.MustStopFirst(1, standings, all).empty());
    standings[1].state = State::kCleaning;
    EXPECT_EQ(order.MustStopFirst(0, standings, all), (std::vector<Order::Index>{1, 2}));
    // What has no processes is down, whatever it is called.
    standings[1].state = State::kExited;
    standings[2].state = State::kBackoff;
    EXPECT_TRUE(order.MustStopFirst(0, standings, all).empty());
}

TEST(Order, AStopOfOneUnitDoesNotWaitForWhatKeepsRunning) {
    Order order({{"db", {}, {}, {}}, {"web", {"db"}, {}, {}}});
    const std::vector<Standing> standings(2, Wanted(State::kRunning));
    EXPECT_TRUE(order.MustStopFirst(0, standings, {true, false}).empty());
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
