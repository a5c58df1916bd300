// When calendar times come next: as systemd says, whatever the zone's clocks do.
#include <cstdlib>
#include <gtest/gtest.h>
#include <time.h>

#include <chrono>
#include <string>

#include "base/text.h"
#include "base/zone.h"
#include "config/calendar.h"
#include "config/calendar_next.h"
#include "source_file.h"

namespace husk::config {
namespace {

constexpr int64_t kSecond = 1'000'000;

// "2024-03-31 02:30:00", of UTC, in microseconds since 1970.
int64_t At(const std::string& text) {
    std::tm time{};
    EXPECT_NE(::strptime(text.c_str(), "%Y-%m-%d %H:%M:%S", &time), nullptr) << text;
    return int64_t{::timegm(&time)} * kSecond;
}

std::string Text(int64_t microseconds) {
    const time_t seconds = microseconds / kSecond;
    std::tm time{};
    char text[64];
    ::gmtime_r(&seconds, &time);
    ::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &time);
    return text;
}

// The six that follow `base`, as the data file has them.
std::string NextSix(const CalendarSpec& spec, int64_t base, ZoneOffset offset) {
    std::string text;
    for (int i = 0; i < 6; ++i) {
        const auto next = NextCalendarTime(spec, base + 1, offset);
        text += Cat(text.empty() ? "" : ",", next ? Text(*next) : "never");
        if (!next) break;
        base = *next;
    }
    return text;
}

std::string ReadData() { return ReadSource("tests/unit/data/calendar/next"); }

TEST(NextCalendarTime, IsWhatSystemdSays) {
    int lines = 0;
    const std::string data = ReadData();
    for (std::string_view line : Split(data, '\n')) {
        if (line.empty() || line.starts_with('#')) continue;
        const auto parts = Split(line, '|');
        ASSERT_EQ(parts.size(), 4u) << line;
        auto spec = ParseCalendar(parts[2]);
        ASSERT_TRUE(spec) << line;
        auto zone = ZoneScope::Enter(spec->zone.empty() ? std::string(parts[0]) : spec->zone);
        if (!zone) GTEST_SKIP() << zone.error().text() << "; install tzdata";
        EXPECT_EQ(NextSix(*spec, At(std::string(parts[1])), OffsetInZone), parts[3]) << line;
        ++lines;
    }
    EXPECT_GT(lines, 50);
}

TEST(NextCalendarTime, TheTimeItselfCounts) {
    const auto spec = ParseCalendar("daily");
    const int64_t midnight = At("2023-01-16 00:00:00");
    EXPECT_EQ(NextCalendarTime(*spec, midnight, UtcOffset), midnight);
    EXPECT_EQ(NextCalendarTime(*spec, midnight - 1, UtcOffset), midnight);
    EXPECT_EQ(NextCalendarTime(*spec, midnight + 1, UtcOffset), midnight + 86400 * kSecond);
}

TEST(NextCalendarTime, SecondsHaveMicroseconds) {
    const auto spec = ParseCalendar("05:40:23.4200004/3.1700005");
    int64_t at = At("2023-01-16 05:40:00");
    for (int64_t expected : {23'420'000, 26'590'001, 29'760'002}) {
        at = *NextCalendarTime(*spec, at + 1, UtcOffset);
        EXPECT_EQ(at, At("2023-01-16 05:40:00") + expected);
    }
    const auto last = ParseCalendar("23:59:59.999999");
    EXPECT_EQ(NextCalendarTime(*last, At("2023-12-31 23:59:59") + 999'999, UtcOffset),
              At("2023-12-31 23:59:59") + 999'999);
    EXPECT_EQ(NextCalendarTime(*last, At("2024-01-01 00:00:00"), UtcOffset),
              At("2024-01-01 23:59:59") + 999'999);
}

// systemd 252 passes midnight over here: its minute 68 becomes 00:08 of the next day.
TEST(NextCalendarTime, AStepOverMidnightDoesNotPassItOver) {
    EXPECT_EQ(NextCalendarTime(*ParseCalendar("*:0/17"), At("2023-01-15 23:58:30"), UtcOffset),
              At("2023-01-16 00:00:00"));
    EXPECT_EQ(NextCalendarTime(*ParseCalendar("*:*:0/25"), At("2023-12-31 23:59:51"), UtcOffset),
              At("2024-01-01 00:00:00"));
}

TEST(NextCalendarTime, ATimeBeforeNineteenSeventyIsNoTrap) {
    EXPECT_EQ(NextCalendarTime(*ParseCalendar("daily"), -5 * kSecond, UtcOffset), 0);
    EXPECT_EQ(NextCalendarTime(*ParseCalendar("*-1-1"), -400 * 86400 * kSecond, UtcOffset), 0);
}

// Clocks that are set back by an hour at the start of every day.
int64_t Mad(int64_t seconds) { return -seconds / 86400 % 24 * 3600; }

TEST(NextCalendarTime, ImpossibleTimesAreNeverInBoundedTime) {
    for (const char* text : {"*-02-30", "*-04,06,09,11-31", "*-02~29", "2020-02-30 1:2:3.4/0.1",
                             "1970-1-1", "Mon 2023-01-15", "2199-02-29"}) {
        const auto spec = ParseCalendar(text);
        if (!spec) continue;
        EXPECT_EQ(NextCalendarTime(*spec, At("2023-01-15 10:20:30"), UtcOffset), std::nullopt)
            << text;
        EXPECT_EQ(NextCalendarTime(*spec, At("2023-01-15 10:20:30"), Mad), std::nullopt) << text;
    }
    EXPECT_EQ(NextCalendarTime(*ParseCalendar("daily"), At("2199-12-31 00:00:01"), UtcOffset),
              std::nullopt);
}

TEST(ZoneScope, AnUnknownZoneIsAnError) {
    auto zone = ZoneScope::Enter("Europe/Nowhere");
    ASSERT_FALSE(zone);
    EXPECT_EQ(zone.error().text(),
              "time zone 'Europe/Nowhere': '/usr/share/zoneinfo/Europe/Nowhere': No such file or "
              "directory");
    EXPECT_TRUE(ZoneScope::Enter(""));
    EXPECT_EQ(OffsetInZone(0), 0);
}

}  // namespace
}  // namespace husk::config
