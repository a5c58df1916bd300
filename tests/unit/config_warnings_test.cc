// What is legal and surely not meant: warnings of one unit, and of two that write to the same
// place.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "config/warnings.h"
#include "init/shutdown_state.h"

namespace husk::config {
namespace {

// Units "a", "b", … with these lines behind `Exec=`, which is line 2.
std::string Warnings(const std::vector<std::string>& texts) {
    std::vector<LoadedUnit> units;
    for (size_t i = 0; i < texts.size(); ++i) {
        const std::string name(1, static_cast<char>('a' + i));
        units.push_back(ParseUnit(name, name, Cat("[Container]\nExec=/x\n", texts[i])));
        EXPECT_TRUE(units.back().problems.empty()) << Describe(units.back().problems[0]);
    }
    WarnOfOddities(units);
    std::string out;
    for (const LoadedUnit& unit : units) {
        EXPECT_FALSE(HasErrors(unit.problems));
        for (const Problem& problem : unit.problems) out += Cat(Describe(problem), "\n");
    }
    return out;
}

TEST(ConfigWarnings, AnOrdinaryUnitHasNone) {
    EXPECT_EQ(Warnings({"Memory=256K\nStopTimeout=100\nVolume=/a:/a\n"}), "");
}

TEST(ConfigWarnings, ALimitThatHardlyLetsAProgramStartIsSaid) {
    EXPECT_EQ(Warnings({"Memory=64\n"}),
              "a:3: warning: key 'Memory': 64B are hardly enough for a program to start (sizes are "
              "bytes, or have K, M or G behind them)\n");
    EXPECT_EQ(Warnings({"[Service]\nMemoryMax=255K\n"}),
              "a:4: warning: key 'MemoryMax': 255.0K are hardly enough for a program to start "
              "(sizes are bytes, or have K, M or G behind them)\n");
    EXPECT_EQ(Warnings({"[Service]\nMemoryMax=1%\n"}), "");
}

TEST(ConfigWarnings, AShutdownWaitsForNobodyLongerThanItsLimit) {
    static_assert(kLongestShutdown == init::kShutdownLimit);
    EXPECT_EQ(Warnings({"[Service]\nTimeoutStopSec=101\n"}),
              "a:4: warning: key 'TimeoutStopSec': when the machine goes down, all is killed after "
              "1min 40s (do not count on more)\n");
    EXPECT_NE(Warnings({"StopTimeout=200\n"}).find("a:3: warning: key 'StopTimeout'"),
              std::string::npos);
    EXPECT_NE(Warnings({"[Service]\nTimeoutStopSec=infinity\n"}), "");
}

TEST(ConfigWarnings, WhatPreventsARestartNeedsOneToPrevent) {
    EXPECT_EQ(Warnings({"[Service]\nRestart=no\nRestartPreventExitStatus=3\n"}),
              "a:5: warning: key 'RestartPreventExitStatus' does nothing with Restart=no (drop it, "
              "or give another Restart=)\n");
    EXPECT_EQ(Warnings({"[Service]\nRestartPreventExitStatus=3\n"}), "");
}

TEST(ConfigWarnings, AVolumeThatTwoUnitsWriteToIsSaidInBoth) {
    EXPECT_EQ(Warnings({"Volume=/data:/d\n", "Volume=/data:/e\n"}),
              "a:3: warning: volume '/data' is written to by unit 'b' too (b:3) (add :ro where it "
              "is only read)\n"
              "b:3: warning: volume '/data' is written to by unit 'a' too (a:3) (add :ro where it "
              "is only read)\n");
    EXPECT_NE(Warnings({"Volume=db.volume:/d\n", "Volume=db:/e\n"}), "");
}

TEST(ConfigWarnings, AVolumeInAnotherIsTheSameData) {
    const std::string text = Warnings({"Volume=/srv:/d\n", "Volume=/srv/web/log:/e\n"});
    EXPECT_NE(text.find("a:3: warning: volume '/srv' is written to by unit 'b' too, as "
                        "'/srv/web/log' (b:3)"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("b:3: warning: volume '/srv/web/log' is written to by unit 'a' too, as "
                        "'/srv' (a:3)"),
              std::string::npos);
    EXPECT_NE(Warnings({"Volume=/var/lib/husk/volumes/db:/d\n", "Volume=db.volume:/e\n"}), "");
    EXPECT_NE(Warnings({"Volume=/:/d\n", "Volume=/srv:/e\n"}), "");
}

TEST(ConfigWarnings, WhatOneUnitOnlyReadsIsNoMatter) {
    EXPECT_EQ(Warnings({"Volume=/data:/d:ro\n", "Volume=/data:/e\n"}), "");
    EXPECT_EQ(Warnings({"Volume=/data:/d\nVolume=/data/x:/y\n", "Volume=/data:/e:ro\n"}), "");
}

TEST(ConfigWarnings, NamesThatOnlyBeginAlikeAreOtherPlaces) {
    EXPECT_EQ(Warnings({"Volume=/data:/d\n", "Volume=/data-2:/e\n"}), "");
    EXPECT_EQ(Warnings({"Volume=/data:/d\n", "Volume=/data0/x:/e\n"}), "");
    EXPECT_EQ(Warnings({"Volume=db:/d\n", "Volume=db2:/e\n"}), "");
}

TEST(ConfigWarnings, ThousandsOfUnitsThatShareAVolumeAreNoMoreWork) {
    std::vector<std::string> texts(5000, "Volume=/data:/d\n");
    std::vector<LoadedUnit> units;
    for (size_t i = 0; i < texts.size(); ++i)
        units.push_back(
            ParseUnit(Cat("u", std::to_string(i)), "f", Cat("[Container]\nExec=/x\n", texts[i])));
    WarnOfOddities(units);
    for (const LoadedUnit& unit : units) EXPECT_EQ(unit.problems.size(), 1u);
}

TEST(ConfigWarnings, AnAddressThatTwoListenOnIsSaidInBoth) {
    EXPECT_EQ(
        Warnings({"[Socket]\nListenStream=80\n", "[Socket]\nListenStream=127.0.0.1:80\n"}),
        "a:4: warning: address '80' is listened on by unit 'b' too (b:4) (give each its own)\n"
        "b:4: warning: address '127.0.0.1:80' is listened on by unit 'a' too (a:4) (give each "
        "its own)\n");
    EXPECT_NE(Warnings({"[Socket]\nListenFIFO=/run/x\n", "[Socket]\nListenStream=/run/x\n"}), "");
    EXPECT_EQ(Warnings({"[Socket]\nListenStream=80\n", "[Socket]\nListenDatagram=80\n"}), "");
    EXPECT_EQ(Warnings({"[Socket]\nListenStream=[::1]:80\n", "[Socket]\nListenStream=[::2]:80\n"}),
              "");
}

TEST(DescribeFirst, IsOfAnErrorWhereThereIsOne) {
    const Problem warning{.severity = Severity::kWarning, .text = "shared"};
    const Problem error{.text = "unknown key"};
    EXPECT_EQ(DescribeFirst({warning, error}), Describe(error));
    EXPECT_EQ(DescribeFirst({warning, warning}), Describe(warning));
    EXPECT_EQ(DescribeFirst({}), "");
}

}  // namespace
}  // namespace husk::config
