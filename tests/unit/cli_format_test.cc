#include <gtest/gtest.h>

#include "base/text.h"
#include "cli/format.h"

namespace husk::cli {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
// 2026-11-22 05:12:11 UTC, 200 s after boot.
const Now kNow{{Duration(200 * kSecond)}, 1'795'324'331 * kSecond};
const Style kPlain;
const Style kTerminal{.terminal = true, .colour = false, .width = 80};

UnitView Web() {
    UnitView unit;
    unit.name = "web";
    unit.description = "serves a page";
    unit.path = "/etc/husk/units/web.container";
    unit.state = "running";
    unit.reason = "its program runs";
    unit.since = kNow.realtime - 125 * kSecond;
    unit.since_monotonic = 75 * kSecond;
    unit.main_pid = 12;
    unit.memory_current = 4'300'000;
    unit.memory_peak = 5'000'000;
    unit.memory_max = 64u << 20;
    unit.tasks_current = 3;
    unit.tasks_max = 512;
    unit.cpu_usec = 120'000;
    unit.cgroup = "/husk/units/web";
    return unit;
}

UnitView Crashing() {
    UnitView unit;
    unit.name = "sensor";
    unit.state = "backoff";
    unit.reason = "killed by SIGSEGV";
    unit.since = kNow.realtime - 5 * kSecond;
    unit.since_monotonic = 195 * kSecond;
    unit.restarts = 3;
    unit.next_try_ms = 1500;
    unit.last_exit = ExitView{"signal", 0, "SIGSEGV", "", unit.since};
    unit.history = {{unit.since, unit.since_monotonic, "killed by SIGSEGV"}};
    return unit;
}

UnitView Refused() {
    UnitView unit;
    unit.name = "bad";
    unit.state = "refused";
    unit.problems.push_back({"error", "/etc/husk/units/bad.container", "Memroy",
                             "unknown key 'Memroy' in [Container]", "did you mean 'Memory'?", 7});
    return unit;
}

TEST(CliFormat, TheTableHasALineForEachUnit) {
    EXPECT_EQ(FormatTable({Web(), Crashing(), Refused()}, kNow, kPlain),
              "NAME   STATE       FOR PID RESTARTS MEMORY REASON\n"
              "web    running 2min 5s  12        0   4.1M its program runs\n"
              "sensor backoff      5s   -        3      - killed by SIGSEGV\n"
              "bad    refused       -   -        0      - bad.container:7: unknown key 'Memroy' in "
              "[Container]\n"
              "\n1 refused: 'husk why bad' tells more\n");
}

TEST(CliFormat, OnATerminalTheTableHasDotsAndNoLineIsTooLong) {
    UnitView unit = Web();
    unit.name = "a-name-that-is-longer-than-twenty-characters";
    unit.reason = std::string(200, 'r');
    const std::string text = FormatTable({unit, Refused()}, kNow, kTerminal);
    EXPECT_NE(text.find("● a-name-that-is-long… running"), std::string::npos) << text;
    for (auto line : Split(text, '\n')) EXPECT_LE(Columns(line), 80u) << line;
    EXPECT_NE(text.find("rrr…"), std::string::npos);
}

TEST(CliFormat, ANarrowTerminalLosesTheReason) {
    UnitView unit = Web();
    Style narrow = kTerminal;
    narrow.width = 40;
    EXPECT_EQ(FormatTable({unit}, kNow, narrow).find("its program"), std::string::npos);
}

TEST(CliFormat, AnEmptyTableSaysWhatToDo) {
    EXPECT_NE(FormatTable({}, kNow, kPlain).find("/etc/husk/units"), std::string::npos);
}

TEST(CliFormat, ColourStandsOnlyWhereItIsWanted) {
    Style colour = kTerminal;
    colour.colour = true;
    EXPECT_EQ(FormatTable({Web()}, kNow, kTerminal).find('\x1b'), std::string::npos);
    EXPECT_NE(FormatTable({Web()}, kNow, colour).find("\x1b[32m●"), std::string::npos);
}

TEST(CliFormat, TheUnitPageReadsLikeSystemctls) {
    EXPECT_EQ(FormatUnit(Web(), kNow, kPlain),
              "web - serves a page\n"
              "     Loaded: /etc/husk/units/web.container\n"
              "     Active: running since Sun 2026-11-22 05:10:06 UTC; 2min 5s ago\n"
              "     Reason: its program runs\n"
              "   Main PID: 12\n"
              "   Restarts: 0\n"
              "      Tasks: 3 (limit: 512)\n"
              "     Memory: 4.1M (peak: 4.8M, max: 64.0M)\n"
              "        CPU: 120ms\n"
              "     CGroup: /husk/units/web\n");
}

TEST(CliFormat, LimitsThatAreNoneAreLeftOut) {
    UnitView unit = Web();
    unit.memory_max = UINT64_MAX;
    unit.memory_peak.reset();
    unit.tasks_max.reset();
    const std::string text = FormatUnit(unit, kNow, kPlain);
    EXPECT_NE(text.find("Memory: 4.1M\n"), std::string::npos) << text;
    EXPECT_NE(text.find("Tasks: 3\n"), std::string::npos);
}

TEST(CliFormat, WhyTellsCauseHistoryNextTryAndWhatToDo) {
    EXPECT_EQ(FormatWhy(Crashing(), kNow, kPlain),
              "sensor waits to be started again, since 05:12:06 (5s ago)\n"
              "     Reason: killed by SIGSEGV\n"
              "  Last exit: killed by SIGSEGV at 05:12:06\n"
              "   Restarts: 3\n"
              "   Next try: in 1.5s\n"
              "\nWhat happened:\n"
              "  05:12:06 (5s ago): killed by SIGSEGV\n"
              "\nWhat to do:\n"
              "  see its last output: husk logs -n 50 sensor\n"
              "  start it now: husk restart sensor\n"
              "  leave it down: husk stop sensor\n");
}

TEST(CliFormat, WhyOfARefusedUnitNamesFileLineAndCure) {
    EXPECT_EQ(FormatWhy(Refused(), kNow, kPlain),
              "bad is refused\n"
              "\nProblems:\n"
              "  /etc/husk/units/bad.container:7: error: unknown key 'Memroy' in [Container] "
              "(did you mean 'Memory'?)\n"
              "\nWhat to do:\n"
              "  mend the file (husk cat bad shows it), then: husk reload\n");
}

TEST(CliFormat, AnOomKillAdvisesMoreMemory) {
    UnitView unit = Crashing();
    unit.last_exit->kind = "oom";
    EXPECT_NE(FormatWhy(unit, kNow, kPlain).find("MemoryMax="), std::string::npos);
}

TEST(CliFormat, ExitsAreToldInWords) {
    EXPECT_EQ(DescribeExit({"exited", 1, "", "", 0}), "exited with code 1");
    EXPECT_EQ(DescribeExit({"signal", 0, "SIGKILL", "", 0}), "killed by SIGKILL");
    EXPECT_EQ(DescribeExit({"oom", 0, "SIGKILL", "", 0}), "killed for memory");
    EXPECT_EQ(DescribeExit({"oom", 0, "", "killed for memory (limit 64.0M)", 0}),
              "killed for memory (limit 64.0M)");
    EXPECT_EQ(DescribeExit({"start-failed", 0, "", "mount 'x'", 0}), "start failed: mount 'x'");
}

TEST(CliFormat, AnEventFromBeforeTheClockWasSetIsShownAsItMustHaveBeen) {
    EXPECT_EQ(WallClock(10 * kSecond, 100 * kSecond, kNow), kNow.realtime - 100 * kSecond);
    EXPECT_EQ(WallClock(kNow.realtime - 1, 100 * kSecond, kNow), kNow.realtime - 1);
    const Now unset{{Duration(200 * kSecond)}, 200 * kSecond};
    EXPECT_EQ(WallClock(10 * kSecond, 100 * kSecond, unset), 10 * kSecond);
}

TEST(CliFormat, HostileTextsAreShownHarmless) {
    UnitView unit = Web();
    unit.description = unit.reason = "\x1b[2Jx\ny";
    for (const auto& text : {FormatTable({unit}, kNow, kTerminal), FormatWhy(unit, kNow, kTerminal),
                             FormatUnit(unit, kNow, kTerminal)})
        EXPECT_EQ(text.find("\x1b["), std::string::npos) << text;
}

TEST(CliFormat, TheOutcomeOfAJobIsOneLine) {
    EXPECT_EQ(FormatOutcome(Web(), kPlain), "web: running, pid 12\n");
    EXPECT_EQ(FormatOutcome(Crashing(), kPlain), "sensor: backoff: killed by SIGSEGV\n");
}

TEST(FormatNamespaces, SaysWithWhomEachKindIsShared) {
    UnitView unit{.name = "web", .state = "running", .main_pid = 12};
    unit.namespaces = {{"mnt", "own", 4026532211, {}},
                       {"net", "units", 4026532300, {"db", "proxy"}},
                       {"ipc", "device", 4026531839, {}}};
    EXPECT_EQ(FormatNamespaces(unit, Style{}),
              "# web, pid 12\n"
              "mnt     4026532211  own\n"
              "net     4026532300  shared with 'db', 'proxy'\n"
              "ipc     4026531839  the device's\n");
    unit = {.name = "web", .state = "inactive"};
    EXPECT_EQ(FormatNamespaces(unit, Style{}),
              "web: inactive, so it has no process and no namespaces; 'husk show web' prints what "
              "it asks for\n");
}

}  // namespace
}  // namespace husk::cli
