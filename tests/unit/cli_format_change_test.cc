#include <gtest/gtest.h>

#include "base/text.h"
#include "cli/format.h"

namespace husk::cli {
namespace {

const Style kPlain;
// 2026-11-22 05:10:06 UTC
constexpr int64_t kRealtime = 1'795'324'206'000'000'000;
const Now kNow{Instant{std::chrono::seconds(1000)}, kRealtime};

const std::vector<ChangeView> kChanges = {
    {.name = "cache", .change = "start", .because = "new"},
    {.name = "db",
     .change = "reload",
     .keys = {{"Service.MemoryMax", "changed", "/etc/husk/units/db.container", 9}}},
    {.name = "mosquitto", .change = "untouched"},
    {.name = "old", .change = "stop", .because = "its file is gone"},
    {.name = "sleepy",
     .change = "untouched",
     .because = "it was stopped, and stays so",
     .keys = {{"Container.User", "gone", "", 0}}},
    {.name = "web",
     .change = "restart",
     .keys = {{"Container.Exec", "changed", "/etc/husk/units/web.container", 4},
              {"Container.User", "new", "/etc/husk/units/web.container", 5},
              {"unknown", "gone", "", 0}}},
};

TEST(FormatChanges, NamesUnitChangeAndKeyOnALineEach) {
    EXPECT_EQ(FormatChanges(kChanges, kPlain),
              "cache   start      new\n"
              "db      reload     MemoryMax= changed (/etc/husk/units/db.container:9)\n"
              "old     stop       its file is gone\n"
              "sleepy  untouched  it was stopped, and stays so\n"
              "                   User= no longer given\n"
              "web     restart    Exec= changed (/etc/husk/units/web.container:4)\n"
              "                   User= new (/etc/husk/units/web.container:5)\n"
              "                   a key of another version of husk\n"
              "2 units untouched\n");
}

TEST(FormatChanges, FitsOnAConsoleOfEightyColumns) {
    const std::string text = FormatChanges(kChanges, kPlain);
    for (auto line : Split(text, '\n')) EXPECT_LE(Columns(line), 80u);
}

TEST(FormatChanges, SaysWhereNothingChanges) {
    EXPECT_EQ(FormatChanges({{.name = "web", .change = "untouched"}}, kPlain),
              "nothing changes\n1 unit untouched\n");
    EXPECT_EQ(FormatChanges({}, kPlain), "nothing changes\n");
}

TEST(FormatChanges, ShowsNoControlBytes) {
    const Style terminal{.terminal = true, .width = 80};
    const std::string text = FormatChanges({{.name = "w\x1b",
                                             .change = "start",
                                             .because = "\x1b[2J",
                                             .keys = {{"\x1b", "\x1b", "\x1b", 1}}}},
                                           terminal);
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

TEST(FormatConfirmation, SaysHowLongThereIsOrThatItWasReverted) {
    Answer answer;
    EXPECT_EQ(FormatConfirmation(answer, kNow, kPlain), "");
    answer.reverted_at = kRealtime;
    answer.reverted_to = "/etc/husk/units.reverted";
    EXPECT_EQ(FormatConfirmation(answer, kNow, kPlain),
              Cat("reverted at ", FormatClock(kRealtime, kNow),
                  ", since it was not confirmed: what was applied lies in\n"
                  "/etc/husk/units.reverted\n"));
    answer.confirm_within_ms = 42'100;
    EXPECT_EQ(FormatConfirmation(answer, kNow, kPlain),
              "applied, to be confirmed within 43s: husk confirm\n");
}

TEST(FormatUpdate, SaysHowLongItHolds) {
    Answer answer{.ok = true, .settings = {"MemoryMax=64M"}, .applied = "now"};
    EXPECT_EQ(FormatUpdate("web", answer, kPlain),
              "web: MemoryMax=64M holds now and until the device restarts; --persist keeps it\n");
    answer.persistent = true;
    answer.file = "/etc/husk/units/web.container.d/update.conf";
    EXPECT_EQ(FormatUpdate("web", answer, kPlain),
              "web: MemoryMax=64M holds now and is kept in "
              "/etc/husk/units/web.container.d/update.conf\n");
    answer = {.ok = true,
              .settings = {"MemoryMax=64M", "CPUWeight="},
              .notes = {"it uses 80.0M, more than MemoryMax=64.0M"},
              .applied = "next-start"};
    EXPECT_EQ(FormatUpdate("web", answer, kPlain),
              "web: MemoryMax=64M CPUWeight= hold from its next start on and until the device "
              "restarts; --persist keeps it\n"
              "web: it uses 80.0M, more than MemoryMax=64.0M\n");
    EXPECT_EQ(FormatUpdate("web", {.ok = false}, kPlain), "") << "the error says it all";
}

}  // namespace
}  // namespace husk::cli
