#include <gtest/gtest.h>

#include <random>

#include "supervisor/health.h"

namespace husk::supervisor {
namespace {

using config::HealthAction;
using config::HealthSection;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Instant kBegin{seconds(1000)};

HealthSection Section() {
    HealthSection section;
    section.command = {"/bin/sh", "-c", "wget -q localhost"};
    section.interval = seconds(10);
    section.timeout = seconds(3);
    return section;
}

// A unit under checks that take no time.
struct Checked {
    HealthSection section = Section();
    Health health = BeginHealth(section, kBegin);

    HealthChange Check(bool good) {
        return TakeResult(health, section,
                          {.good = good,
                           .text = good ? "exited with code 0" : "exited with code 1",
                           .realtime = 5},
                          health.next);
    }
    explicit Checked(HealthSection of = Section()) : section(std::move(of)) {}
};

TEST(Health, WithoutKeysNothingIsChecked) {
    EXPECT_EQ(BeginHealth({}, kBegin).state, HealthState::kNone);
}

TEST(Health, TheFirstCheckIsMadeAtOnceAndTheNextAnIntervalAfterItsEnd) {
    Checked unit;
    EXPECT_EQ(unit.health.state, HealthState::kStarting);
    EXPECT_EQ(unit.health.next, kBegin);
    const Instant end = kBegin + milliseconds(700);
    TakeResult(unit.health, unit.section, {.good = true}, end);
    EXPECT_EQ(unit.health.next, end + seconds(10));
}

TEST(Health, WithoutAnIntervalItIsCheckedOnRequestOnly) {
    HealthSection section = Section();
    section.interval = kInfinite;
    Checked unit(section);
    EXPECT_EQ(unit.health.next, kNever);
    EXPECT_EQ(TakeResult(unit.health, section, {.good = true}, kBegin).after,
              HealthState::kHealthy);
    EXPECT_EQ(unit.health.next, kNever);
}

TEST(Health, OneSuccessMakesHealthy) {
    Checked unit;
    const auto change = unit.Check(true);
    EXPECT_EQ(change.before, HealthState::kStarting);
    EXPECT_EQ(change.after, HealthState::kHealthy);
    EXPECT_EQ(change.reason, "healthy: 'wget -q localhost' exited with code 0");
    EXPECT_EQ(unit.Check(true).reason, "");
    EXPECT_EQ(unit.health.last_realtime, 5);
}

TEST(Health, RetriesInARowMakeUnhealthyAndTheActionComesOnce) {
    HealthSection section = Section();
    section.on_failure = HealthAction::kKill;
    Checked unit(section);
    unit.Check(true);
    for (int i = 0; i < 2; ++i) {
        EXPECT_EQ(unit.Check(false).after, HealthState::kHealthy);
    }
    unit.Check(true);
    EXPECT_EQ(unit.health.failing_streak, 0);
    for (int i = 0; i < 2; ++i) EXPECT_EQ(unit.Check(false).action, HealthAction::kNone);
    const auto change = unit.Check(false);
    EXPECT_EQ(change.after, HealthState::kUnhealthy);
    EXPECT_EQ(change.action, HealthAction::kKill);
    EXPECT_EQ(change.reason, "unhealthy: 'wget -q localhost' exited with code 1 (3 in a row)");
    const auto next = unit.Check(false);
    EXPECT_EQ(next.action, HealthAction::kNone);
    EXPECT_EQ(next.reason, "");
    EXPECT_EQ(unit.health.failing_streak, 4);
    EXPECT_EQ(unit.Check(true).after, HealthState::kHealthy);
    EXPECT_EQ(unit.health.failing_streak, 0);
}

TEST(Health, FailuresInTheStartPeriodDoNotCountAndASuccessDoes) {
    HealthSection section = Section();
    section.start_period = seconds(25);
    section.retries = 1;
    Checked unit(section);
    for (int i = 0; i < 3; ++i) {  // after 0, 10 and 20 seconds
        EXPECT_EQ(unit.Check(false).after, HealthState::kStarting);
        EXPECT_EQ(unit.health.failing_streak, 0);
    }
    EXPECT_EQ(unit.Check(false).after, HealthState::kUnhealthy);
    Checked quick(section);
    EXPECT_EQ(quick.Check(true).after, HealthState::kHealthy);
    EXPECT_EQ(quick.Check(false).after, HealthState::kHealthy);
}

HealthSection WithStartup() {
    HealthSection section = Section();
    section.startup_command = {"/bin/ready"};
    section.startup_interval = seconds(1);
    section.startup_timeout = seconds(2);
    section.startup_success = 2;
    section.startup_retries = 4;
    return section;
}

TEST(Health, TheStartupCheckComesFirstWithItsOwnNumbers) {
    Checked unit(WithStartup());
    EXPECT_TRUE(IsStartupCheck(unit.health, unit.section));
    EXPECT_EQ(CheckTimeout(unit.health, unit.section), seconds(2));
    EXPECT_EQ(DescribeCheck(unit.health, unit.section), "'/bin/ready'");
    EXPECT_EQ(unit.Check(false).after, HealthState::kStarting);
    EXPECT_EQ(unit.health.next, kBegin + seconds(1));
    EXPECT_EQ(unit.Check(true).after, HealthState::kStarting);
    EXPECT_EQ(unit.Check(true).reason, "healthy: '/bin/ready' exited with code 0");
    EXPECT_FALSE(IsStartupCheck(unit.health, unit.section));
    EXPECT_EQ(unit.health.next, kBegin + seconds(2) + seconds(10));
    EXPECT_EQ(CheckTimeout(unit.health, unit.section), seconds(3));
    EXPECT_EQ(unit.health.failing_streak, 0);
}

TEST(Health, StartupFailuresRestartWhateverTheActionIs) {
    Checked unit(WithStartup());
    for (int i = 0; i < 3; ++i) EXPECT_EQ(unit.Check(false).action, HealthAction::kNone);
    const auto change = unit.Check(false);
    EXPECT_EQ(change.action, HealthAction::kRestart);
    EXPECT_EQ(change.reason, "unhealthy: '/bin/ready' exited with code 1 (4 startup checks)");
}

TEST(Health, WithoutStartupRetriesItIsTriedForEver) {
    HealthSection section = WithStartup();
    section.startup_retries = 0;
    Checked unit(section);
    for (int i = 0; i < 1000; ++i) EXPECT_EQ(unit.Check(false).after, HealthState::kStarting);
}

TEST(Health, WhatIsCheckedIsNamed) {
    HealthSection section;
    section.http = config::HealthTarget{.host = "::1", .port = 8080, .path = "/health"};
    EXPECT_EQ(DescribeCheck({}, section), "'http://[::1]:8080/health'");
    section.http.reset();
    section.tcp = config::HealthTarget{.host = "localhost", .port = 5432};
    EXPECT_EQ(DescribeCheck({}, section), "'localhost:5432'");
}

TEST(Health, ALongCommandOrResultIsCut) {
    HealthSection section = Section();
    section.command[2] = std::string(5000, 'x');
    Checked unit(section);
    unit.section.retries = 1;
    const auto change =
        TakeResult(unit.health, unit.section, {.text = std::string(9000, 'y')}, kBegin);
    EXPECT_LT(change.reason.size(), 900u);
    EXPECT_EQ(std::string(unit.health.last_text).size(), kMaxHealthText);
}

TEST(Health, NewKeysHoldFromTheNextCheckOn) {
    Checked unit;
    unit.Check(true);
    HealthSection shorter = Section();
    shorter.interval = seconds(1);
    AdjustHealth(unit.health, shorter, kBegin + seconds(2));
    EXPECT_EQ(unit.health.next, kBegin + seconds(3));
    EXPECT_EQ(unit.health.state, HealthState::kHealthy);
    AdjustHealth(unit.health, {}, kBegin);
    EXPECT_EQ(unit.health.state, HealthState::kNone);
    AdjustHealth(unit.health, shorter, kBegin + seconds(9));
    EXPECT_EQ(unit.health.state, HealthState::kStarting);
    EXPECT_EQ(unit.health.next, kBegin + seconds(9));
    HealthSection on_request = Section();
    on_request.interval = kInfinite;
    AdjustHealth(unit.health, on_request, kBegin);
    EXPECT_EQ(unit.health.next, kNever);
}

// Thousands of schedules: what must hold after every check, whatever came before.
TEST(Health, InvariantsHoldOverAnySchedule) {
    std::mt19937 random(11);
    for (int round = 0; round < 3000; ++round) {
        HealthSection section = Section();
        section.interval = seconds(random() % 60);
        section.start_period = seconds(random() % 100);
        section.retries = 1 + static_cast<int>(random() % 4);
        section.on_failure = static_cast<HealthAction>(random() % 4);
        if (random() % 2 == 0) {
            section.startup_command = {"/bin/ready"};
            section.startup_success = static_cast<int>(random() % 3);
            section.startup_retries = static_cast<int>(random() % 4);
        }
        Health health = BeginHealth(section, kBegin);
        Instant now = kBegin;
        int failures_in_row = 0;
        for (int step = 0; step < 40; ++step) {
            ASSERT_GE(health.next, now);
            now = health.next + milliseconds(random() % 5000);
            const bool good = random() % 3 != 0, startup = IsStartupCheck(health, section);
            const bool counts = !startup && now - kBegin >= section.start_period;
            failures_in_row = good ? 0 : failures_in_row + (counts ? 1 : 0);
            const Health before = health;
            const auto change = TakeResult(health, section, {.good = good, .text = "x"}, now);
            ASSERT_EQ(change.before, before.state);
            ASSERT_EQ(change.after, health.state);
            ASSERT_EQ(change.reason.empty(), before.state == health.state);
            if (good && !startup) {
                ASSERT_EQ(health.state, HealthState::kHealthy);
            }
            if (!startup) {
                ASSERT_EQ(health.failing_streak, failures_in_row);
                ASSERT_EQ(change.action != HealthAction::kNone,
                          change.after == HealthState::kUnhealthy &&
                              change.before != HealthState::kUnhealthy &&
                              section.on_failure != HealthAction::kNone);
                if (failures_in_row >= section.retries) {
                    ASSERT_EQ(health.state, HealthState::kUnhealthy);
                }
            }
            ASSERT_GT(kNever, health.next);
            if (change.action != HealthAction::kNone) health = BeginHealth(section, now);
            if (change.action != HealthAction::kNone) break;
        }
    }
}

}  // namespace
}  // namespace husk::supervisor
