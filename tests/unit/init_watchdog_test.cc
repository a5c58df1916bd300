#include <gtest/gtest.h>

#include "init/watchdog.h"

namespace husk::init {
namespace {

using namespace std::chrono_literals;
using Act = WatchdogFeed::Act;

constexpr Instant At(Duration since_boot) { return {since_boot}; }

TEST(WatchdogFeed, DoesNothingWhileNobodyVouches) {
    WatchdogFeed feed;
    EXPECT_EQ(feed.next().since_boot, kInfinite);
    EXPECT_EQ(feed.Due(At(1h)), Act::kNothing);
    feed.TrustMyself();
    EXPECT_EQ(feed.Due(At(2h)), Act::kNothing) << "nothing is kept that could be fed";
}

TEST(WatchdogFeed, FeedsAtOnceAndInEachInterval) {
    WatchdogFeed feed;
    feed.Trust(30s, 10s, At(100s));
    EXPECT_EQ(feed.next(), At(100s));
    EXPECT_EQ(feed.Due(At(100s)), Act::kFeed);
    EXPECT_EQ(feed.next(), At(110s));
    EXPECT_EQ(feed.Due(At(109s)), Act::kNothing);
    EXPECT_EQ(feed.Due(At(112s)), Act::kFeed);
    EXPECT_EQ(feed.next(), At(122s));
}

TEST(WatchdogFeed, GivesUpOnceWhenTheWordIsTooOld) {
    WatchdogFeed feed;
    feed.Trust(25s, 10s, At(100s));
    for (auto at : {100s, 110s, 120s}) EXPECT_EQ(feed.Due(At(at)), Act::kFeed);
    EXPECT_EQ(feed.next(), At(125s)) << "when it has to say so";
    EXPECT_EQ(feed.Due(At(125s)), Act::kGiveUp);
    EXPECT_EQ(feed.trusted(), 25s);
    EXPECT_TRUE(feed.given_up());
    EXPECT_EQ(feed.Due(At(500s)), Act::kNothing);
    EXPECT_EQ(feed.next().since_boot, kInfinite);
    feed.Trust(25s, 10s, At(600s));
    EXPECT_EQ(feed.Due(At(600s)), Act::kFeed) << "a supervisor that comes back in time";
    EXPECT_FALSE(feed.given_up());
}

TEST(WatchdogFeed, BearsTheSilenceOfASupervisorThatIsReplaced) {
    WatchdogFeed feed;
    feed.Bear(60s, At(100s));
    EXPECT_FALSE(feed.active()) << "nobody has vouched";
    feed.Trust(12s, 4s, At(100s));
    feed.Bear(60s, At(101s));
    for (auto at = 100s; at < 173s; at += 4s) EXPECT_EQ(feed.Due(At(at)), Act::kFeed) << at.count();
    EXPECT_EQ(feed.Due(At(173s)), Act::kGiveUp);
    feed.Trust(12s, 4s, At(200s));
    feed.Bear(60s, At(201s));
    feed.Bear(0s, At(205s));  // it is over early
    EXPECT_EQ(feed.Due(At(216s)), Act::kFeed);
    EXPECT_EQ(feed.Due(At(217s)), Act::kGiveUp);
}

TEST(WatchdogFeed, IsFedNoMoreWhereSomethingSpeaksAgainstIt) {
    WatchdogFeed feed;
    feed.Trust(30s, 10s, At(100s));
    EXPECT_EQ(feed.Due(At(100s)), Act::kFeed);
    feed.Trust(0s, 10s, At(101s));
    EXPECT_EQ(feed.Due(At(200s)), Act::kNothing);
    feed.TrustMyself();
    EXPECT_EQ(feed.Due(At(200s)), Act::kNothing) << "nor at the end of the system";
}

TEST(WatchdogFeed, IsFedToTheEndOfTheSystem) {
    WatchdogFeed feed;
    feed.Trust(30s, 10s, At(100s));
    feed.TrustMyself();
    EXPECT_EQ(feed.Due(At(101s)), Act::kFeed);
    EXPECT_EQ(feed.Due(At(1h)), Act::kFeed);
    EXPECT_EQ(feed.next(), At(1h + 10s));
}

}  // namespace
}  // namespace husk::init
