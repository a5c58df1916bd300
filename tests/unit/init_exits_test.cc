#include <gtest/gtest.h>

#include "init/exits.h"

namespace husk::init {
namespace {

Instant At(int64_t nanoseconds) { return {Duration(nanoseconds)}; }

TEST(ExitRing, IsEmptyAtFirst) {
    const ExitRing ring;
    EXPECT_EQ(ring.newest(), 0u);
    EXPECT_FALSE(ring.FirstFrom(0));
    EXPECT_FALSE(ring.FirstFrom(1));
}

TEST(ExitRing, GivesEachExitInTurn) {
    ExitRing ring;
    ring.Add(100, 0x100, At(5));
    ring.Add(101, 9, At(6));
    const auto first = ring.FirstFrom(0);
    ASSERT_TRUE(first);
    EXPECT_EQ(first->sequence, 1u);
    EXPECT_EQ(first->pid, 100);
    EXPECT_EQ(first->status, 0x100);
    EXPECT_EQ(first->time, At(5));
    const auto second = ring.FirstFrom(first->sequence + 1);
    ASSERT_TRUE(second);
    EXPECT_EQ(second->pid, 101);
    EXPECT_FALSE(ring.FirstFrom(second->sequence + 1));
}

TEST(ExitRing, ForgetsTheOldestFirst) {
    ExitRing ring;
    for (int pid = 1; pid <= static_cast<int>(kRememberedExits) + 10; ++pid)
        ring.Add(pid, 0, At(pid));
    const auto oldest = ring.FirstFrom(0);
    ASSERT_TRUE(oldest);
    EXPECT_EQ(oldest->sequence, 11u);
    EXPECT_EQ(oldest->pid, 11);
    EXPECT_EQ(ring.FirstFrom(3)->pid, 11);
    EXPECT_EQ(ring.FirstFrom(12)->pid, 12);
    EXPECT_EQ(ring.FirstFrom(ring.newest())->pid, static_cast<int>(kRememberedExits) + 10);
    EXPECT_FALSE(ring.FirstFrom(UINT64_MAX));
}

TEST(ExitRing, HoldsAsManyAsItPromises) {
    ExitRing ring;
    for (int pid = 1; pid <= static_cast<int>(kRememberedExits); ++pid) ring.Add(pid, 0, At(pid));
    EXPECT_EQ(ring.FirstFrom(0)->pid, 1);
}

}  // namespace
}  // namespace husk::init
