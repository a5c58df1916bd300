#include <gtest/gtest.h>

#include "supervisor/crash_log.h"

namespace husk::supervisor {
namespace {

TEST(CrashLog, ALineIsReadAsItWasWrittenAndNothingInItSteersATerminal) {
    const std::string text = FormatCrashLine({"web@1", "bye \x1b[31m now", 1795324331, 42});
    EXPECT_EQ(text, "husk 1795324331 42 web@1 bye \\x1b[31m now\n");
    const auto line = ParseCrashLine(text);
    ASSERT_TRUE(line);
    EXPECT_EQ(line->unit, "web@1");
    EXPECT_EQ(line->text, "bye \\x1b[31m now");
    EXPECT_EQ(line->realtime, 1795324331);
    EXPECT_EQ(line->monotonic, 42);
}

TEST(CrashLog, WhatOthersWroteAndACutLineAreNoLines) {
    for (const char* bad : {"", "usk 1 2 web x", "husk 1 web x", "husk", "husk 1 2",
                            "husk 1 -2 web x", "android log"})
        EXPECT_FALSE(ParseCrashLine(bad)) << bad;
    EXPECT_TRUE(ParseCrashLine("husk 1 2 web"));
}

TEST(CrashLog, ACrashLoopDoesNotFillPstore) {
    std::vector<Instant> told;
    int admitted = 0;
    for (int second = 0; second < 600; ++second)
        admitted += CrashLog::Admit(told, Instant{std::chrono::seconds(second)});
    EXPECT_GE(admitted, 50);
    EXPECT_LE(admitted, 66);
    EXPECT_LE(told.size(), 6u);
}

}  // namespace
}  // namespace husk::supervisor
