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
    UnitView web = Web();
    web.networks = {{.network = "lan", .received_bytes = 1 << 20, .sent_bytes = 3 << 20},
                    {.network = "dmz", .received_bytes = 1 << 18}};
    EXPECT_EQ(FormatUnit(web, kNow, kPlain),
              "web - serves a page\n"
              "     Loaded: /etc/husk/units/web.container\n"
              "     Active: running since Sun 2026-11-22 05:10:06 UTC; 2min 5s ago\n"
              "     Reason: its program runs\n"
              "   Main PID: 12\n"
              "   Restarts: 0\n"
              "      Tasks: 3 (limit: 512)\n"
              "     Memory: 4.1M (peak: 4.8M, max: 64.0M)\n"
              "        CPU: 120ms\n"
              "         IP: 1.2M in, 3.0M out\n"
              "     CGroup: /husk/units/web\n");
}

TEST(CliFormat, TheUnitPageHasItsTimerAndWhatItListensTo) {
    UnitView unit = Web();
    unit.armed = true;
    unit.timer =
        TimerView{.next = kNow.realtime + 60 * kSecond,
                  .next_monotonic = (kNow.monotonic.since_boot + Duration(60 * kSecond)).count(),
                  .last = kNow.realtime - 120 * kSecond,
                  .cause = "OnBootSec=5min"};
    unit.listen = {{"ListenStream", "8080", true, true, 3},
                   {"ListenFIFO", "/run/in", true, true, {}},
                   {"ListenDatagram", "@log", true, false, {}},
                   {"ListenStream", "80", false, false, {}}};
    const std::string text = FormatUnit(unit, kNow, kPlain);
    for (const char* line :
         {"    Trigger: Sun 2026-11-22 05:13:11 UTC, in 1min (OnBootSec=5min)\n",
          "  Triggered: Sun 2026-11-22 05:10:11 UTC; 2min ago\n",
          "     Listen: 8080 (Stream), 3 connections wait\n",
          "     Listen: /run/in (FIFO), something waits\n", "     Listen: @log (Datagram)\n",
          "     Listen: 80 (Stream), not open\n"})
        EXPECT_TRUE(text.contains(line)) << line << text;
    unit.timer->last = 0;
    EXPECT_TRUE(FormatUnit(unit, kNow, kPlain).contains("  Triggered: never\n"));
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

LinkView Cable() {
    return {.name = "eth0",
            .kind = "",
            .mac = "52:54:00:12:34:56",
            .up = true,
            .carrier = true,
            .configured = true,
            .mtu = 1500,
            .addresses = {{"192.0.2.7/24", "system.conf"},
                          {"2001:db8:1234:5678:5054:ff:fe12:3456/64", "lease"},
                          {"fe80::5054:ff:fe12:3456/64", "kernel"}},
            .traffic = {.received_bytes = 2048, .received_packets = 20, .sent_bytes = 10}};
}

TEST(FormatNetwork, ALineForEachUnitAndForEachFurtherAddressAndPort) {
    NetworkView network{.name = "demo",
                        .bridge = "hk-demo",
                        .up = true,
                        .addresses = {"10.89.43.1/24", "fd00::1/64"}};
    network.members = {{.unit = "mosquitto",
                        .link = "hv-mosquitto",
                        .up = true,
                        .addresses = {"10.89.43.189/24", "fd0d:76fe:8070:1d2b::9ebd/64"}},
                       {.unit = "web",
                        .addresses = {"10.89.43.177/24"},
                        .ports = {"8080 -> 80/tcp", "8443 -> 443/tcp"}}};
    EXPECT_EQ(
        FormatNetwork(network, Style{}),
        "demo: up, bridge hk-demo, the device is 10.89.43.1/24 fd00::1/64\n"
        "UNIT       STATE  LINK          RECEIVED  SENT  ADDRESSES                     PORTS\n"
        "mosquitto  up     hv-mosquitto  0B        0B    10.89.43.189/24               -\n"
        "                                                fd0d:76fe:8070:1d2b::9ebd/64\n"
        "web        down   -             -         -     10.89.43.177/24               "
        "8080 -> 80/tcp\n"
        "                                                                              "
        "8443 -> 443/tcp\n");
    EXPECT_EQ(FormatNetworks({network}, Style{}),
              "NETWORK  STATE  UNITS   ADDRESSES\n"
              "demo     up     1 of 2  10.89.43.1/24\n"
              "                        fd00::1/64\n");
}

TEST(FormatLinks, ALineForEachAndForEachFurtherAddress) {
    LinkView bare{.name = "wlan0", .up = true};
    LinkView down{.name = "eth1", .addresses = {{"fe80::1/64", "kernel"}}};
    const std::string text = FormatLinks({Cable(), bare, down}, Style{});
    EXPECT_EQ(text,
              "LINK   STATE       RECEIVED  SENT  ADDRESSES\n"
              "eth0   up          2.0K      10B   192.0.2.7/24\n"
              "                                   2001:db8:1234:5678:5054:ff:fe12:3456/64\n"
              "wlan0  no carrier  0B        0B    -\n"
              "eth1   down        0B        0B    fe80::1/64\n");
    EXPECT_EQ(FormatLinks({}, Style{}), "the device has no link of its own\n");
}

TEST(FormatLinks, OneSaysWhoGaveItItsAddresses) {
    EXPECT_EQ(FormatLink(Cable(), Style{}),
              "eth0: up, MAC 52:54:00:12:34:56, MTU 1500\n"
              "set up by [Network] of system.conf\n"
              "received 2.0K in 20 packets, 0 dropped\n"
              "sent 10B in 0 packets, 0 dropped\n"
              "ADDRESS                                  BY\n"
              "192.0.2.7/24                             system.conf\n"
              "2001:db8:1234:5678:5054:ff:fe12:3456/64  lease\n"
              "fe80::5054:ff:fe12:3456/64               kernel\n");
}

}  // namespace
}  // namespace husk::cli
