#include <gtest/gtest.h>

#include "init/supervisor_process.h"

namespace husk::init {
namespace {

using namespace std::chrono_literals;

constexpr Instant At(Duration since_boot) { return {since_boot}; }

TEST(RestartPause, TheFirstDeathCostsNothing) {
    RestartPause pause;
    EXPECT_EQ(pause.AfterDeath(At(10s), At(10s + 5ms)), At(10s + 5ms));
}

TEST(RestartPause, GrowsWithEachEarlyDeathUpToOneSecondBetweenStarts) {
    RestartPause pause;
    Instant start = At(10s);
    Duration between{};
    for (int death = 0; death < 20; ++death) {
        const Instant next = pause.AfterDeath(start, start + 1ms);
        EXPECT_GE(next - start, between) << death;
        EXPECT_LE(next - start, 1s) << death;
        between = next - start;
        start = next;
    }
    EXPECT_EQ(between, 1s);
}

TEST(RestartPause, StartsAgainFromNothingAfterALifeOfASecond) {
    RestartPause pause;
    for (int death = 0; death < 20; ++death) (void)pause.AfterDeath(At(1s), At(1s));
    EXPECT_EQ(pause.AfterDeath(At(5s), At(7s)), At(7s));
    EXPECT_EQ(pause.AfterDeath(At(8s), At(8s)), At(8s));
}

TEST(RestartPause, NeverLiesBeforeTheDeath) {
    RestartPause pause;
    for (int death = 0; death < 5; ++death) (void)pause.AfterDeath(At(1s), At(1s));
    EXPECT_EQ(pause.AfterDeath(At(1s), At(1s + 900ms)), At(1s + 900ms));
}

}  // namespace
}  // namespace husk::init
