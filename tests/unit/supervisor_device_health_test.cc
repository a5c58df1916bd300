#include <cerrno>
#include <gtest/gtest.h>

#include "supervisor/device_health.h"
#include "supervisor/last_end.h"

namespace husk::supervisor {
namespace {

using namespace std::chrono_literals;

constexpr Instant At(Duration since_boot) { return {since_boot}; }

Life In(State state, int failures = 0, AfterCleaning after = AfterCleaning::kStayDown) {
    Life life;
    life.state = state;
    life.failures_in_row = failures;
    life.after = after;
    return life;
}

TEST(DeviceHealth, AUnitIsDownThatFailedOrComesUpInVain) {
    EXPECT_EQ(WhyDown(In(State::kFailed), HealthState::kNone), "failed");
    EXPECT_EQ(WhyDown(In(State::kBackoff, 1), HealthState::kNone), "waits to be started again");
    EXPECT_EQ(WhyDown(In(State::kRunning), HealthState::kUnhealthy), "unhealthy");
    EXPECT_EQ(WhyDown(In(State::kStarting, 2, AfterCleaning::kByExit), HealthState::kNone),
              "does not come up");
}

TEST(DeviceHealth, AUnitIsNotDownThatRunsOrWasStopped) {
    EXPECT_EQ(WhyDown(In(State::kRunning, 3), HealthState::kHealthy), "");
    EXPECT_EQ(WhyDown(In(State::kExited), HealthState::kNone), "");
    EXPECT_EQ(WhyDown(In(State::kInactive, 3), HealthState::kNone), "");
    EXPECT_EQ(WhyDown(In(State::kStarting), HealthState::kNone), "") << "for the first time";
    EXPECT_EQ(WhyDown(In(State::kStopping, 3), HealthState::kNone), "") << "for good";
}

std::vector<Veto> JudgeAt(CriticalUnits& units, Instant now, const char* down) {
    return units.Judge({{.name = "web", .down = down, .allowance = 10s}}, now);
}

TEST(CriticalUnits, ACriticalUnitMayBeDownForItsAllowance) {
    CriticalUnits units;
    EXPECT_TRUE(JudgeAt(units, At(100s), "failed").empty());
    EXPECT_TRUE(JudgeAt(units, At(105s), "failed").empty());
    EXPECT_TRUE(JudgeAt(units, At(110s), "failed").empty());
    const auto vetoes = JudgeAt(units, At(111s), "failed");
    ASSERT_EQ(vetoes.size(), 1u);
    EXPECT_EQ(vetoes[0].about, "web");
    EXPECT_EQ(vetoes[0].text,
              "the critical unit 'web' failed and has been down for longer than CriticalSec=10s");
    EXPECT_TRUE(JudgeAt(units, At(112s), "").empty()) << "up: fed again at once";
}

TEST(CriticalUnits, MomentsOfBeingUpMakeGoodForMomentsOnly) {
    CriticalUnits units;
    Duration now = 100s;
    (void)JudgeAt(units, At(now), "failed");
    int rounds = 0;
    // Five seconds down, one up.
    while (rounds < 10) {
        ++rounds;
        if (!JudgeAt(units, At(now += 5s), "failed").empty()) break;
        (void)JudgeAt(units, At(now += 1s), "");
    }
    EXPECT_EQ(rounds, 3);
}

TEST(CriticalUnits, ALongTimeDownIsMadeGoodByTheAllowance) {
    CriticalUnits units;
    (void)JudgeAt(units, At(100s), "failed");
    EXPECT_FALSE(JudgeAt(units, At(10000s), "failed").empty());
    EXPECT_TRUE(JudgeAt(units, At(30000s), "").empty());
    EXPECT_TRUE(JudgeAt(units, At(30005s), "failed").empty());
}

TEST(DeviceHealth, StorageMayTakeItsTimeAndBeFull) {
    EXPECT_FALSE(JudgeStorage({}, 30s));
    EXPECT_FALSE(JudgeStorage({.unanswered = 30s}, 30s));
    EXPECT_EQ(JudgeStorage({.unanswered = 31500ms}, 30s)->text,
              "state storage has not answered a write for 31s");
    EXPECT_EQ(JudgeStorage({.error = EIO}, 30s)->text,
              "state storage refuses a write: Input/output error");
    EXPECT_TRUE(JudgeStorage({.error = EROFS}, 30s));
    for (int error : {ENOSPC, EDQUOT, ENOENT, EACCES, 255})
        EXPECT_FALSE(JudgeStorage({.error = error}, 30s)) << error << ": no reset mends it";
}

TEST(DeviceHealth, MemoryHasToBeUsedUpAndEverythingToStandStill) {
    constexpr MemoryState kBad{.stalled = 9500, .available = 10, .total = 1000};
    EXPECT_EQ(JudgeMemory(kBad, 9000)->text,
              "memory is used up: everything stood still for 95% of the last minute, and 1% is "
              "available");
    EXPECT_FALSE(JudgeMemory(kBad, 0)) << "off";
    EXPECT_FALSE(JudgeMemory({.stalled = 8900, .available = 10, .total = 1000}, 9000));
    EXPECT_FALSE(JudgeMemory({.stalled = 9500, .available = 50, .total = 1000}, 9000))
        << "a unit that reached its own limit";
    EXPECT_FALSE(JudgeMemory({}, 9000)) << "a kernel that does not say";
}

TEST(DeviceHealth, ReadsWhatTheKernelSaysOfMemory) {
    const MemoryState state = ParseMemoryState(
        "some avg10=0.00 avg60=1.00 avg300=0.00 total=5\n"
        "full avg10=0.00 avg60=93.21 avg300=0.00 total=5\n",
        "MemTotal:         498880 kB\nMemFree:          1 kB\nMemAvailable:     425000 kB\n");
    EXPECT_EQ(state.stalled, 9321u);
    EXPECT_EQ(state.total, 498880u * 1024);
    EXPECT_EQ(state.available, 425000u * 1024);
    EXPECT_EQ(ParseMemoryState("", "").total, 0u);
}

TEST(LastEnd, SaysWhatIsKnown) {
    EXPECT_EQ(DescribeLastEnd(std::nullopt, false), "") << "in order, or the first boot";
    EXPECT_EQ(DescribeLastEnd("", false),
              "without a shutdown: power was cut, the device was reset, or the kernel crashed");
    EXPECT_EQ(DescribeLastEnd("why", true),
              "the hardware watchdog was not fed any more: why");
    EXPECT_TRUE(DescribeLastEnd("", true).starts_with("the hardware watchdog reset the device"));
}

TEST(LastEnd, FindsTheReasonInWhatPstoreKept) {
    EXPECT_EQ(FindReason("<6>[    1.0] husk: boot has settled\n"), "");
    EXPECT_EQ(FindReason("<3>[   12.345678] husk: memory is used up: the hardware watchdog is not "
                         "fed any more, and resets the device in 30s\n<0>[ 40.1] Kernel panic\n"),
              "memory is used up");
    EXPECT_EQ(FindReason("husk 17 18 (watchdog) -- state storage refuses a write: EIO: the "
                         "hardware watchdog is not fed any more --\n"),
              "state storage refuses a write: EIO");
    EXPECT_EQ(FindReason(": the hardware watchdog is not fed any more"), "");
}

}  // namespace
}  // namespace husk::supervisor
