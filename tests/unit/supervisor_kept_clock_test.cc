#include <gtest/gtest.h>

#include "supervisor/kept_clock.h"

namespace husk::supervisor {
namespace {

TEST(KeptClock, OfADeviceThatKnowsTheTimeIsLeftAlone) {
    EXPECT_EQ(WhatClockIsBehind(1000, 0, 0), std::nullopt);
    EXPECT_EQ(WhatClockIsBehind(1000, 1000, 999), std::nullopt);
    EXPECT_EQ(WhatClockIsBehind(1000, 999, 1000), std::nullopt);
}

TEST(KeptClock, IsTheNewestThatIsKnown) {
    EXPECT_EQ(WhatClockIsBehind(5, 1000, 900), (ClockFloor{1000, true}));
    EXPECT_EQ(WhatClockIsBehind(5, 900, 1000), (ClockFloor{1000, false}));
    EXPECT_EQ(WhatClockIsBehind(5, 0, 1000), (ClockFloor{1000, false}));
    EXPECT_EQ(WhatClockIsBehind(-5, 0, 0), (ClockFloor{0, true})) << "before 1970";
}

}  // namespace
}  // namespace husk::supervisor
