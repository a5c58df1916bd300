// Calendar times: the documented examples and their normal forms, and what is none.
#include <gtest/gtest.h>

#include <string>

#include "config/calendar.h"

namespace husk::config {
namespace {

std::string Normal(std::string_view text) {
    auto spec = ParseCalendar(text);
    return spec ? CalendarText(*spec) : spec.error()->text;
}

// The examples of systemd.time(7).
TEST(Calendar, ExamplesHaveTheirDocumentedNormalForm) {
    const std::pair<const char*, const char*> kExamples[] = {
        {"Sat,Thu,Mon..Wed,Sat..Sun", "Mon..Thu,Sat,Sun *-*-* 00:00:00"},
        {"Mon,Sun 12-*-* 2,1:23", "Mon,Sun 2012-*-* 01,02:23:00"},
        {"Wed *-1", "Wed *-*-01 00:00:00"},
        {"Wed..Wed,Wed *-1", "Wed *-*-01 00:00:00"},
        {"Wed, 17:48", "Wed *-*-* 17:48:00"},
        {"Wed..Sat,Tue 12-10-15 1:2:3", "Tue..Sat 2012-10-15 01:02:03"},
        {"*-*-7 0:0:0", "*-*-07 00:00:00"},
        {"10-15", "*-10-15 00:00:00"},
        {"monday *-12-* 17:00", "Mon *-12-* 17:00:00"},
        {"Mon,Fri *-*-3,1,2 *:30:45", "Mon,Fri *-*-01,02,03 *:30:45"},
        {"12,14,13,12:20,10,30", "*-*-* 12,13,14:10,20,30:00"},
        {"12..14:10,20,30", "*-*-* 12..14:10,20,30:00"},
        {"mon,fri *-1/2-1,3 *:30:45", "Mon,Fri *-01/2-01,03 *:30:45"},
        {"03-05 08:05:40", "*-03-05 08:05:40"},
        {"08:05:40", "*-*-* 08:05:40"},
        {"05:40", "*-*-* 05:40:00"},
        {"Sat,Sun 12-05 08:05:40", "Sat,Sun *-12-05 08:05:40"},
        {"2003-03-05 05:40", "2003-03-05 05:40:00"},
        {"05:40:23.4200004/3.1700005", "*-*-* 05:40:23.420000/3.170001"},
        {"2003-02..04-05", "2003-02..04-05 00:00:00"},
        {"2003-03-05 05:40 UTC", "2003-03-05 05:40:00 UTC"},
        {"hourly", "*-*-* *:00:00"},
        {"minutely", "*-*-* *:*:00"},
        {"daily UTC", "*-*-* 00:00:00 UTC"},
        {"monthly", "*-*-01 00:00:00"},
        {"weekly Pacific/Auckland", "Mon *-*-* 00:00:00 Pacific/Auckland"},
        {"annually", "*-01-01 00:00:00"},
        {"quarterly", "*-01,04,07,10-01 00:00:00"},
        {"semiannually", "*-01,07-01 00:00:00"},
        {"*:2/3", "*-*-* *:02/3:00"},
        {"*-02~03", "*-02~03 00:00:00"},
        {"Mon *-05~07/1", "Mon *-05~07/1 00:00:00"},
        {"Thu,Fri 2012-*-1,5 11:12:13", "Thu,Fri 2012-*-01,05 11:12:13"},
    };
    for (auto [text, normal] : kExamples) EXPECT_EQ(Normal(text), normal) << text;
}

TEST(Calendar, ANormalFormIsItsOwnNormalForm) {
    for (const char* text : {"Fri..Mon 8:0", "*:*:*", "*:0:0..30", "*:0:0..30/5", "*:0:0.5", "*~1",
                             "2030-*~1..3", "70..99-1-1", "Mon, Tue 1:00 CET", "DAILY utc",
                             "1:2:59.999999", "*-*~28/2 3:4:5.25/10"}) {
        auto spec = ParseCalendar(text);
        ASSERT_TRUE(spec) << text;
        auto again = ParseCalendar(CalendarText(*spec));
        ASSERT_TRUE(again) << CalendarText(*spec);
        EXPECT_EQ(*again, *spec) << text;
    }
}

TEST(Calendar, FieldsSayWhatMatches) {
    const CalendarSpec spec = ParseCalendar("Sat..Mon 2030-1/3-* 8..17/2:30").value();
    EXPECT_EQ(spec.weekdays, 0b1100001);
    EXPECT_EQ(spec.years, (CalendarField{{2030, 2030, 0}}));
    EXPECT_EQ(spec.months, (CalendarField{{1, CalendarRange::kOpen, 3}}));
    EXPECT_TRUE(spec.days.empty());
    EXPECT_EQ(spec.hours, (CalendarField{{8, 17, 2}}));
    EXPECT_EQ(spec.microseconds, (CalendarField{{0, 0, 0}}));
    EXPECT_EQ(spec.zone, "");
    EXPECT_EQ(ParseCalendar("Mon..Sun 1:00")->weekdays, CalendarSpec::kEveryDay);
}

TEST(Calendar, WhatIsNoneIsSaid) {
    EXPECT_EQ(Normal("noon"), "'noon' is not a calendar time");
    for (const char* bad : {"",          " ",
                            "8",         "25:00",
                            "8:60",      "8:0:60",
                            "13-1",      "*-32",
                            "1969-1-1",  "2200-1-1",
                            "*-0",       "*-*~29",
                            "*/5:00",    "*:0/0",
                            "*:0/60",    "*:9..3",
                            "*:1..2/5",  "Mon Tue",
                            "Mondy",     "Mon..",
                            ",",         "daily 8:00",
                            "8:00 9:00", "1-2-3-4",
                            "1:2:3:4",   "8:00 Europe/",
                            "8:00 ../x", "999999999999:0",
                            "1..:0",     "@0",
                            "UTC",       "8:00 UTC UTC",
                            "*-*-~1"})
        EXPECT_FALSE(ParseCalendar(bad)) << bad;
}

}  // namespace
}  // namespace husk::config
