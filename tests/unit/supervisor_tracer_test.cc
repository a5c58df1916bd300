#include <gtest/gtest.h>

#include "supervisor/tracer.h"

namespace husk::supervisor {
namespace {

TEST(Tracer, ItsPidIsInTheStatus) {
    constexpr std::string_view kStatus =
        "Name:\ttrue\nState:\tZ (zombie)\nTgid:\t12\nNgid:\t0\nPid:\t12\nPPid:\t1\nTracerPid:\t7\n";
    EXPECT_EQ(PidInStatus(kStatus, "TracerPid:"), 7);
    EXPECT_EQ(PidInStatus(kStatus, "Tgid:"), 12);
    EXPECT_EQ(PidInStatus(kStatus, "Other:"), 0);
    EXPECT_EQ(PidInStatus("TracerPid:\t0\n", "TracerPid:"), 0);
    EXPECT_EQ(PidInStatus("TracerPid:\t99999999999\n", "TracerPid:"), 0);
    EXPECT_EQ(PidInStatus("TracerPid:\tx\n", "TracerPid:"), 0);
    EXPECT_EQ(PidInStatus("", "TracerPid:"), 0);
    // A program's name cannot make a line of its own: the kernel escapes it.
    EXPECT_EQ(PidInStatus("Name:\tTracerPid: 5\nTracerPid:\t0\n", "TracerPid:"), 0);
}

}  // namespace
}  // namespace husk::supervisor
