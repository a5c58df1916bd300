#include <gtest/gtest.h>

#include "base/text.h"
#include "cli/boot_report.h"
#include "cli/doctor.h"
#include "cli/figures.h"
#include "cli/top.h"
#include "config/kernel_needs.h"

namespace husk::cli {
namespace {

TEST(Figures, ReadPressure) {
    const Pressure pressure = ParsePressure(
        "some avg10=12.34 avg60=0.05 avg300=100.00 total=123456\n"
        "full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n");
    ASSERT_TRUE(pressure.some && pressure.full);
    EXPECT_EQ(pressure.some->avg10, 1234u);
    EXPECT_EQ(pressure.some->avg60, 5u);
    EXPECT_EQ(pressure.some->avg300, 10'000u);
    EXPECT_EQ(pressure.some->total, 123'456u);
    EXPECT_EQ(pressure.full->total, 7u);
    for (const char* text : {"", "some", "what avg10=1 avg60=1 avg300=1 total=1"})
        EXPECT_FALSE(ParsePressure(text).some) << text;
}

TEST(Figures, SumTheDisks) {
    const IoCounts io = ParseIoStat(
        "8:0 rbytes=100 wbytes=20 rios=3 wios=4 dbytes=0 dios=0\n"
        "259:0 rbytes=1 wbytes=2 rios=3 wios=4\n7:0\n");
    EXPECT_EQ(io.read_bytes, 101u);
    EXPECT_EQ(io.written_bytes, 22u);
    EXPECT_EQ(io.reads, 6u);
    EXPECT_EQ(io.writes, 8u);
}

TEST(Figures, ReadAProcessWhateverItIsCalled) {
    auto process = ParseProcessStat("12 (a) b) (c) S 7 12 12 0 -1\n");
    ASSERT_TRUE(process);
    EXPECT_EQ(process->pid, 12);
    EXPECT_EQ(process->parent, 7);
    EXPECT_EQ(process->command, "[a) b) (c]");
    for (const char* text : {"", "12", "12 (x", "12 (x) S", "x (y) S 1", "1 )y( S 1"})
        EXPECT_FALSE(ParseProcessStat(text)) << text;
    using namespace std::string_view_literals;
    EXPECT_EQ(CommandLine("sh\0-c\0x y\0"sv), "sh -c x y");
    EXPECT_EQ(CommandLine(""), "");
    EXPECT_EQ(CommandLine(std::string(1000, 'x')).size(), 256 + std::string_view("…").size());
}

TEST(Figures, DrawTheTreeOfProcesses) {
    const std::vector<ProcessView> processes{
        {10, 1, "init"}, {11, 10, "worker"}, {12, 11, "child"}, {13, 10, "other"}, {20, 2, "exec"}};
    EXPECT_EQ(FormatProcessTree(processes, 0),
              (std::vector<std::string>{"├─10 init", "│ ├─11 worker", "│ │ └─12 child",
                                        "│ └─13 other", "└─20 exec"}));
    // Its own parent, or two that are each other's: read while pids were used again.
    EXPECT_EQ(FormatProcessTree({{5, 5, "x"}}, 0).size(), 1u);
    EXPECT_LE(FormatProcessTree({{5, 6, "x"}, {6, 5, "y"}}, 0).size(), 2u);
    EXPECT_EQ(FormatProcessTree({{1, 0, "a\x1b[2Jb"}}, 0)[0].find('\x1b'), std::string::npos);
    EXPECT_LE(Columns(FormatProcessTree({{1, 0, std::string(200, 'x')}}, 40)[0]), 40u);
}

Sample At(int64_t seconds, std::vector<std::pair<UnitView, Figures>> units) {
    Sample sample{.at = {.since_boot = std::chrono::seconds(seconds)},
                  .state = "running",
                  .units = {},
                  .figures = {}};
    for (auto& [unit, figures] : units) {
        sample.units.push_back(unit);
        sample.figures.push_back(figures);
    }
    return sample;
}

UnitView Unit(const char* name, int64_t pid) {
    UnitView unit;
    unit.name = name;
    unit.state = pid == 0 ? "failed" : "running";
    unit.main_pid = pid;
    return unit;
}

Figures Used(uint64_t cpu, uint64_t memory, uint64_t read) {
    Figures figures;
    figures.cpu_usec = cpu;
    figures.memory = memory;
    figures.tasks = 1;
    figures.io = IoCounts{.read_bytes = read};
    figures.memory_pressure.some = Pressure::Line{.avg10 = 250};
    return figures;
}

TEST(Top, CountsWhatWasUsedInBetween) {
    const auto rows =
        TopRows(At(10, {{Unit("a", 1), Used(1'000'000, 5, 100)}, {Unit("c", 3), Used(500, 5, 0)}}),
                At(12, {{Unit("a", 1), Used(2'000'000, 7, 4196)},
                        {Unit("b", 2), Used(9, 1, 1)},
                        {Unit("c", 4), Used(100, 5, 0)},
                        {Unit("d", 0), Figures()}}));
    ASSERT_EQ(rows.size(), 3u) << "what does not run uses nothing";
    EXPECT_EQ(rows[0].cpu, 5000u) << "a second of two";
    EXPECT_EQ(rows[0].memory, 7u);
    EXPECT_EQ(rows[0].read_rate, 2048u);
    EXPECT_EQ(rows[0].pressure, 250u);
    EXPECT_FALSE(rows[1].cpu) << "seen for the first time";
    EXPECT_FALSE(rows[2].cpu) << "another process";
}

TEST(Top, SortsAndFitsASerialConsole) {
    std::vector<std::pair<UnitView, Figures>> before, after;
    std::vector<std::string> names;
    for (int i = 0; i < 50; ++i)
        names.push_back(Cat("unit-with-a-long-name-", std::to_string(10 + i)));
    for (uint64_t i = 0; i < names.size(); ++i) {
        before.push_back({Unit(names[i].c_str(), 5), Used(0, i << 20, 0)});
        after.push_back({Unit(names[i].c_str(), 5), Used(i * 10'000, i << 20, i << 30)});
    }
    const Sample now = At(2, after);
    auto rows = TopRows(At(0, before), now);
    SortRows(rows, TopKey::kMemory);
    EXPECT_EQ(rows.front().memory, 49u << 20);
    const Style console{.terminal = true, .colour = false, .width = 80};
    const auto lines = FormatTop(now, rows, TopKey::kMemory, console, 24);
    EXPECT_EQ(lines.size(), 24u);
    for (const auto& line : lines) EXPECT_LE(Columns(line), 80u) << line;
    EXPECT_EQ(FormatTop(now, rows, TopKey::kCpu, Style{}, 0).size(), 53u) << "batch: all of them";
}

TEST(Top, ShowsNetworksInThePlaceOfDisksWhereThereIsNoRoomForBoth) {
    auto with = [](int64_t pid, uint64_t in, uint64_t out) {
        UnitView unit = Unit("web", pid);
        unit.networks = {{.network = "lan", .received_bytes = in, .sent_bytes = out},
                         {.network = "dmz", .received_bytes = 1024, .sent_bytes = in}};
        return unit;
    };
    UnitView alone = Unit("alone", 3);
    const Sample before = At(10, {{alone, Used(0, 1, 0)}, {with(1, 0, 5), Used(0, 1, 0)}});
    // Another process, and the same links.
    const Sample now =
        At(12, {{alone, Used(0, 1, 8192)}, {with(2, 6 * 1024, 5 + 2048), Used(0, 1, 0)}});
    auto rows = TopRows(before, now);
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_FALSE(rows[0].receive_rate) << "it is in no network";
    EXPECT_EQ(rows[1].receive_rate, 3u * 1024);
    EXPECT_EQ(rows[1].send_rate, 4u * 1024);
    SortRows(rows, TopKey::kNetwork);
    EXPECT_EQ(rows[0].name, "web");
    auto head = [&](TopKey key, size_t width) {
        const Style console{.terminal = true, .colour = false, .width = width};
        const auto lines = FormatTop(now, rows, key, console, 24);
        for (const auto& line : lines) EXPECT_LE(Columns(line), width) << line;
        return lines[2] + "\n" + lines[3];
    };
    EXPECT_TRUE(head(TopKey::kIo, 80).contains(" READ/s ") &&
                !head(TopKey::kIo, 80).contains(" IN/s "));
    EXPECT_TRUE(head(TopKey::kNetwork, 80).contains(" IN/s    OUT/s ") &&
                !head(TopKey::kNetwork, 80).contains(" READ/s "));
    EXPECT_TRUE(head(TopKey::kNetwork, 80).contains(" 3.0K     4.0K "))
        << head(TopKey::kNetwork, 80);
    EXPECT_TRUE(head(TopKey::kCpu, 98).contains(" READ/s  WRITE/s     IN/s    OUT/s "));
    EXPECT_TRUE(TopJson(now, rows).contains("\"receive_rate\":3072,\"send_rate\":4096"));
    EXPECT_TRUE(TopJson(now, rows).contains("\"receive_rate\":null"));
}

TEST(Top, WritesOnlyLinesThatDiffer) {
    EXPECT_EQ(RedrawScreen({"a", "b", "c"}, {"a", "x", "c"}), "\x1b[2;1H\x1b[Kx");
    EXPECT_EQ(RedrawScreen({"a", "b"}, {"a"}), "\x1b[2;1H\x1b[K");
    EXPECT_EQ(RedrawScreen({"a"}, {"a"}), "");
}

Answer Boot() {
    Answer answer;
    answer.ok = true;
    answer.boot_init = 800;
    answer.boot_supervisor = 900;
    answer.boot_settled = 5000;
    auto add = [&](const char* name, int64_t wanted, int64_t launched, int64_t up,
                   std::vector<std::string> after) {
        UnitView unit;
        unit.name = name;
        unit.state = up == 0 ? "failed" : "running";
        unit.wanted = wanted;
        unit.launched = launched;
        unit.up = up;
        unit.after = std::move(after);
        answer.units.push_back(unit);
    };
    add("app", 1000, 4000, 4500, {"db", "net", "late", "gone"});
    add("broken", 1000, 1100, 0, {});
    add("db", 1000, 2000, 4000, {"net"});
    add("late", 9000, 9000, 9500, {});
    add("net", 1000, 1000, 2000, {"app"});
    return answer;
}

std::vector<std::string> Names(const std::vector<const UnitView*>& units) {
    std::vector<std::string> names;
    for (const auto* unit : units) names.push_back(unit->name);
    return names;
}

TEST(BootReport, BlamesTheSlowestFirst) {
    EXPECT_EQ(Names(Blame(Boot())), (std::vector<std::string>{"db", "net", "app", "broken"}))
        << "what was started later is not of the boot";
    EXPECT_TRUE(FormatBlame(Boot(), Style{}).contains("did not come up"));
}

TEST(BootReport, FollowsWhatWasWaitedForLongest) {
    const Answer boot = Boot();
    EXPECT_EQ(Names(CriticalChain(boot, "")), (std::vector<std::string>{"app", "db", "net"}));
    EXPECT_EQ(Names(CriticalChain(boot, "db")), (std::vector<std::string>{"db", "net"}));
    EXPECT_TRUE(CriticalChain(boot, "broken").empty());
    EXPECT_TRUE(CriticalChain(boot, "nobody").empty());
}

Probe Nothing(std::string_view, unsigned) { return Probe::kAbsent; }
Probe Everything(std::string_view, unsigned) { return Probe::kThere; }
Probe NoLandlockPorts(std::string_view option, unsigned since) {
    return option == "SECURITY_LANDLOCK" && since > 0 ? Probe::kAbsent : Probe::kThere;
}

TEST(Doctor, HasALineForEachNeedOfTheKernel) {
    EXPECT_EQ(JudgeKernel({}, Everything).size(), config::KernelNeeds().size());
    EXPECT_TRUE(IsHealthy(JudgeKernel({}, Everything)));
}

TEST(Doctor, TellsWhatIsNeededFromWhatWouldBeNice) {
    config::LoadedUnit unit;
    unit.unit.name = "web";
    unit.unit.container.landlock_bind_ports.push_back({});
    auto missing = [](const std::vector<Finding>& findings) {
        std::vector<std::string> names;
        for (const auto& finding : findings)
            if (finding.verdict == Verdict::kMissing) names.push_back(finding.name);
        return names;
    };
    std::vector<config::LoadedUnit> units;
    EXPECT_TRUE(missing(JudgeKernel(units, NoLandlockPorts)).empty()) << "no unit asks for it";
    units.push_back(std::move(unit));
    const auto findings = JudgeKernel(units, NoLandlockPorts);
    EXPECT_EQ(missing(findings), (std::vector<std::string>{"CONFIG_SECURITY_LANDLOCK"}));
    const std::string text = FormatFindings(findings, false, Style{});
    EXPECT_TRUE(text.contains("needed by web")) << text;
    EXPECT_TRUE(text.contains("kernel 6.7 or later")) << text;
    EXPECT_FALSE(IsHealthy(findings));
    EXPECT_FALSE(IsHealthy(JudgeKernel({}, Nothing))) << "husk itself needs some";
}

TEST(Doctor, KnowsHowToLookForEachOption) {
    for (const auto& need : config::KernelNeeds()) {
        if (need.option == "CGROUP_BPF") continue;  // only root can tell
        const bool by_units = need.option == "CFS_BANDWIDTH" || need.option == "FAIR_GROUP_SCHED" ||
                              need.option == "ZSWAP" || need.option == "BLK_DEV_THROTTLING" ||
                              need.option == "CPUSETS" || need.option == "CGROUP_PIDS" ||
                              need.option == "MEMCG" || need.option == "BLK_CGROUP" ||
                              need.option == "BLK_CGROUP_IOCOST";
        // Where this machine has no cgroup v2 of husk's, what hangs on it cannot be told.
        if (by_units) continue;
        EXPECT_NE(ProbeOption(need.option, need.since_minor), Probe::kUnknown) << need.option;
    }
    EXPECT_EQ(ProbeOption("PROC_FS", 0), Probe::kThere);
    EXPECT_EQ(ProbeOption("NO_SUCH_OPTION", 0), Probe::kUnknown);
}

TEST(Doctor, JudgesTheBoard) {
    EXPECT_EQ(JudgeMemory(50, 100).verdict, Verdict::kOk);
    EXPECT_EQ(JudgeMemory(5, 100).verdict, Verdict::kAdvice);
    EXPECT_EQ(JudgeStorage("/x", 50, 100, true).verdict, Verdict::kOk);
    EXPECT_EQ(JudgeStorage("/x", 1, 100, true).verdict, Verdict::kAdvice);
    EXPECT_EQ(JudgeStorage("/x", 50, 100, false).verdict, Verdict::kMissing);
    EXPECT_EQ(JudgeClock(0, true).verdict, Verdict::kAdvice);
    EXPECT_EQ(JudgeClock(1'763'000'000'000'000'000, false).verdict, Verdict::kAdvice);
    EXPECT_EQ(JudgeClock(1'763'000'000'000'000'000, true).verdict, Verdict::kOk);
}

}  // namespace
}  // namespace husk::cli
