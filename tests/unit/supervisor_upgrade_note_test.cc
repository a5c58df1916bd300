#include <gtest/gtest.h>

#include "supervisor/upgrade_note.h"

namespace husk::supervisor {
namespace {

using namespace std::chrono_literals;

UpgradeNote Note() {
    return {.outcome = UpgradeNote::Outcome::kFailed,
            .begun = 1'800'000'000'000'000'001,
            .ended = {77s},
            .ended_realtime = 5,
            .version = "0.2.0",
            .build = "1a2b3c4d5e6f7a8b",
            .from_version = "0.1.0",
            .from_build = "9a",
            .why = "it stood still",
            .units = {{"web", 12}, {"data@a b", 2147483647}}};
}

TEST(UpgradeNoteFile, KeepsAll) {
    EXPECT_EQ(ParseUpgradeNote(WriteUpgradeNote(Note())), Note());
    UpgradeNote lines = Note();
    lines.why = "one\nunit fake 1";
    const auto read = ParseUpgradeNote(WriteUpgradeNote(lines));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->units, Note().units);
    EXPECT_EQ(read->why, "one unit fake 1");
}

TEST(UpgradeNoteFile, IsNoneWhereItIsOdd) {
    for (const char* odd :
         {"", "\n", "begun x\n", "begun 0\n", "begun 1\nunit web\n", "begun 1\nunit web x\n",
          "begun 1\noutcome perhaps\n", "begun 1\nodd 1\n", "begun 1\nunit web 99999999999\n"})
        EXPECT_FALSE(ParseUpgradeNote(odd)) << odd;
    EXPECT_TRUE(ParseUpgradeNote("begun 1\n"));
}

TEST(UpgradeNoteFile, SaysWhatHappenedInWords) {
    EXPECT_EQ(Describe(Note()),
              "upgrade from husk 0.1.0 (build 9a) to husk 0.2.0 (build 1a2b3c4d5e6f) failed, the "
              "old one goes on: "
              "it stood still");
    EXPECT_EQ(DescribeFailure(UpgradeFailure::kSupervisorEnded, 9),
              "the new supervisor was killed by SIGKILL");
    EXPECT_EQ(DescribeFailure(UpgradeFailure::kSupervisorEnded, 3 << 8),
              "the new supervisor ended with status 3");
    EXPECT_EQ(DescribeFailure(UpgradeFailure::kInitCrashed, 11), "the new PID 1 crashed: SIGSEGV");
}

TEST(FindLostUnit, IsOneThatLivesAndWasNotTakenOver) {
    const auto lives = [](pid_t pid) { return pid != 13; };
    EXPECT_EQ(FindLost({{"a", 11}, {"b", 12}}, {{"b", 12}, {"a", 11}}, lives), "");
    EXPECT_EQ(FindLost({{"a", 11}, {"b", 12}}, {{"a", 11}}, lives), "b");
    EXPECT_EQ(FindLost({{"a", 11}, {"b", 12}}, {{"a", 11}, {"b", 99}}, lives), "b");
    EXPECT_EQ(FindLost({{"gone", 13}}, {}, lives), "");  // it ended meanwhile
}

}  // namespace
}  // namespace husk::supervisor
