#include <gtest/gtest.h>

#include "cli/image_add.h"

namespace husk::cli {
namespace {

constexpr uint64_t kMiB = 1 << 20, kGiB = 1 << 30;

TEST(LackingSpace, SomeStaysFreeForUnits) {
    EXPECT_EQ(LackingSpace(10 * kMiB, 15 * kMiB, 100 * kMiB), 0u);  // 5 MiB stay
    EXPECT_EQ(LackingSpace(10 * kMiB, 15 * kMiB - 1, 100 * kMiB), 1u);
    EXPECT_EQ(LackingSpace(10 * kMiB, 74 * kMiB, 100 * kGiB), 0u);  // 64 MiB, of whatever disk
    EXPECT_EQ(LackingSpace(10 * kMiB, 0, 100 * kGiB), 74 * kMiB);
    EXPECT_EQ(LackingSpace(9 * kGiB, kGiB, 2 * kGiB), 8 * kGiB + 64 * kMiB);
}

}  // namespace
}  // namespace husk::cli
