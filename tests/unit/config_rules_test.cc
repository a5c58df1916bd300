// Rules across keys of one unit, and the kinds of bad input that a file can be.
#include <gtest/gtest.h>

#include <string>

#include "base/text.h"
#include "config/load.h"
#include "config/rules.h"

namespace husk::config {
namespace {

std::string Problems(std::string_view text) {
    std::string out;
    for (const Problem& problem : ParseUnit("web", "web.container", text).problems)
        out += Cat(Describe(problem), "\n");
    return out;
}

// Of a unit with Image= on line 2 and Exec= on line 3.
std::string Of(std::string_view more) {
    return Problems(Cat("[Container]\nImage=i\nExec=/x\n", more));
}

TEST(ConfigRules, AnUnknownKeyNamesTheNearest) {
    EXPECT_EQ(
        Of("Memroy=64M\n"),
        "web.container:4: error: unknown key 'Memroy' in [Container] (did you mean 'Memory'?)\n");
    EXPECT_EQ(Of("Restrt=no\n"),
              "web.container:4: error: unknown key 'Restrt' in [Container] (did you mean 'Restart' "
              "in [Service]?)\n");
    EXPECT_EQ(Of("Zzzzzzzzz=no\n"),
              "web.container:4: error: unknown key 'Zzzzzzzzz' in [Container] (husk.units(5) lists "
              "the keys; names that begin with X- are ignored)\n");
    EXPECT_EQ(Of("exec=/y\n"),
              "web.container:4: error: unknown key 'exec' in [Container] (did you mean 'Exec'?)\n");
}

TEST(ConfigRules, AKeyInTheWrongSectionNamesItsHome) {
    EXPECT_EQ(Of("Restart=no\n"),
              "web.container:4: error: key 'Restart' is not one of [Container] (it belongs in "
              "[Service])\n");
    EXPECT_EQ(
        Of("[Service]\nUser=x\n"),
        "web.container:5: error: key 'User' is not one of [Service] (it belongs in [Container])\n");
}

TEST(ConfigRules, AnUnknownSectionIsOneErrorWhateverItHolds) {
    EXPECT_EQ(Of("[Servce]\nA=1\nB=2\n"),
              "web.container:4: error: unknown section [Servce] (did you mean [Service]?)\n");
    EXPECT_EQ(Of("[Frobnicate]\n"),
              "web.container:4: error: unknown section [Frobnicate] (the sections are [Unit], "
              "[Container], [Service], [Timer], [Socket], [Install])\n");
}

TEST(ConfigRules, NamesThatBeginWithXAreIgnored) { EXPECT_EQ(Of("X-A=%%\n[X-Mine]\nA=1\n"), ""); }

TEST(ConfigRules, EveryErrorOfAFileIsSaidInOrder) {
    EXPECT_EQ(
        Of("Foo bar\nMemroy=1\n[Service]\nNice=99\n"),
        "web.container:4: error: 'Foo bar' has no '=' (write KEY=VALUE; lines cannot be continued, "
        "comments begin with '#')\n"
        "web.container:5: error: unknown key 'Memroy' in [Container] (did you mean 'Memory'?)\n"
        "web.container:7: error: key 'Nice': '99' is out of range (a whole number from -20 to "
        "19)\n");
}

TEST(ConfigRules, TheLastScalarWinsAndListsAdd) {
    Unit unit =
        ParseUnit(
            "web", "f",
            "[Container]\nExec=/a\nExec=/b\nVolume=/a:/a\nVolume=/b:/b\nVolume=\nVolume=/c:/c\n")
            .unit;
    EXPECT_EQ(unit.container.exec, std::vector<std::string>{"/b"});
    ASSERT_EQ(unit.container.volumes.size(), 1u);
    EXPECT_EQ(unit.container.volumes[0].at.line, 7);
    EXPECT_EQ(PlaceOf(unit, "Container.Exec").line, 3);
}

TEST(ConfigRules, TwinsAreGivenOnce) {
    EXPECT_EQ(Of("Memory=1M\n[Service]\nMemoryMax=2M\n"),
              "web.container:4: error: key 'Memory' is the same as 'MemoryMax' of [Service], which "
              "is given too (give one of them)\n");
    EXPECT_NE(Of("PidsLimit=1\n[Service]\nTasksMax=2\n"), "");
    EXPECT_NE(Of("StopSignal=INT\n[Service]\nKillSignal=INT\n"), "");
    EXPECT_NE(Of("StopTimeout=1\n[Service]\nTimeoutStopSec=1\n"), "");
    EXPECT_EQ(Of("Ulimit=core=0\n[Service]\nLimitNOFILE=5\n"),
              "web.container:4: error: key 'Ulimit' is the same as 'LimitNOFILE' of [Service], "
              "which is given too (give one of them)\n");
    EXPECT_EQ(Of("Memory=1M\nMemory=\n[Service]\nMemoryMax=2M\n"), "");
}

TEST(ConfigRules, ARootIsOneThing) {
    EXPECT_EQ(Of("Rootfs=/r\n"),
              "web.container:4: error: keys 'Image' and 'Rootfs' are both given (a container has "
              "one root)\n");
    EXPECT_EQ(
        Problems("[Container]\nExec=/x\nOverlay=volatile\n"),
        "web.container:3: error: an overlay needs a root below it (give Image= or Rootfs=)\n");
    EXPECT_EQ(Of("ReadOnly=no\n"),
              "web.container:4: error: an image cannot be written to (add Overlay=volatile for a "
              "root whose changes go when it stops, or Overlay=NAME.volume or a "
              "Volume= for what stays)\n");
    EXPECT_EQ(Of("ReadOnly=no\nOverlay=volatile\n"), "");
    EXPECT_EQ(Of("Overlay=volatile\n"), "");
    EXPECT_FALSE(ParseUnit("w", "f", "[Container]\nExec=/x\nImage=i\nOverlay=volatile\n")
                     .unit.container.read_only);
    EXPECT_NE(Of("ReadOnly=yes\nOverlay=volatile\n"), "");
    EXPECT_EQ(Problems("[Container]\nExec=/x\nRootfs=/r\nReadOnly=no\n"), "");
    EXPECT_EQ(Problems("[Container]\nExec=/x\n"), "");
}

TEST(ConfigRules, ACommandIsNeeded) {
    EXPECT_EQ(Problems("[Container]\nImage=i\n"),
              "web.container:2: error: no command (give Exec= with the program and its arguments; "
              "images have none of their own)\n");
    EXPECT_EQ(Problems(""),
              "web.container: error: no command (give Exec= with the program and its arguments; "
              "images have none of their own)\n");
    EXPECT_NE(Problems("[Container]\nExec=''\n"), "");
    EXPECT_EQ(Problems("[Container]\nEntrypoint=/x\n"), "");
    // Said once, where it is.
    EXPECT_EQ(Problems("[Container]\nExce=/x\n"),
              "web.container:2: error: unknown key 'Exce' in [Container] (did you mean 'Exec'?)\n");
    // A warning about it does not stand for the error.
    EXPECT_EQ(
        Problems("[Container]\nExec=$NOTHING\n"),
        "web.container:2: warning: variable 'NOTHING' is empty: no Environment= sets it (write "
        "$$NOTHING to leave it to the program)\n"
        "web.container:2: error: no command (give Exec= with the program and its arguments; "
        "images have none of their own)\n");
}

TEST(ConfigRules, VariablesComeFromEnvironment) {
    EXPECT_EQ(
        ParseUnit("w", "f", "[Container]\nExec=/x $A ${A}\nEnvironment='A=1 2'\n").unit.Command(),
        (std::vector<std::string>{"/x", "1", "2", "1 2"}));
    EXPECT_EQ(Problems("[Container]\nExec=/x ${HOME}\n"),
              "web.container:2: warning: variable 'HOME' is empty: no Environment= sets it (write "
              "$$HOME to leave it to the program)\n");
}

TEST(ConfigRules, VariablesOfFilesAreLeftForTheStart) {
    const char* text = "[Container]\nExec=/x $A ${B}\nEnvironment=A=1\nEnvironmentFile=/e\n";
    EXPECT_EQ(ParseUnit("w", "f", text).unit.Command(),
              (std::vector<std::string>{"/x", "$A", "${B}"}));
    EXPECT_EQ(Problems(text), "");
}

TEST(ConfigRules, DestinationsAreMountedOnce) {
    EXPECT_EQ(Of("Volume=/a:/m\nTmpfs=/m/\n"),
              "web.container:5: error: destination '/m' is mounted twice (drop one of them)\n");
    EXPECT_EQ(Of("Volume=/a:/m\nVolume=/b:/m\n"),
              "web.container:5: error: destination '/m' is mounted twice (drop one of them)\n");
    EXPECT_EQ(Of("Volume=/a:/m\nVolume=/b:/m/n\n"), "");
}

TEST(ConfigRules, RestartDelaysGrowOrStay) {
    EXPECT_EQ(Of("[Service]\nRestartMaxDelaySec=5\n"),
              "web.container:5: error: key 'RestartMaxDelaySec' is given without 'RestartSteps' "
              "(add RestartSteps=, the number of restarts over which the delay grows)\n");
    EXPECT_NE(Of("[Service]\nRestartSteps=5\n"), "");
    EXPECT_EQ(Of("[Service]\nRestartSteps=0\n"), "");
    EXPECT_EQ(Of("[Service]\nRestartSteps=5\nRestartMaxDelaySec=1\nRestartSec=2\n"),
              "web.container:6: error: the longest delay is shorter than the first, RestartSec= "
              "(at least 2s)\n");
    EXPECT_EQ(ParseUnit("w", "f", "[Container]\nExec=/x\n[Service]\nRestartSec=60\n")
                  .unit.service.restart_max_delay,
              std::chrono::seconds(60));
}

TEST(ConfigRules, OneshotUnitsAreNotRestartedWhenTheyEndWell) {
    EXPECT_EQ(Of("[Service]\nType=oneshot\nRestart=always\n"),
              "web.container:6: error: a oneshot unit that ends well has done its work and is not "
              "restarted (Restart=no or on-failure, or another Type=)\n");
    EXPECT_EQ(Of("[Service]\nType=oneshot\n"), "");
}

TEST(ConfigRules, LimitsAreInOrder) {
    EXPECT_EQ(Of("[Service]\nMemoryMax=1M\nMemoryHigh=2M\n"),
              "web.container:6: error: key 'MemoryHigh' is larger than 'MemoryMax' (MemoryMin <= "
              "MemoryLow <= MemoryHigh <= MemoryMax)\n");
    EXPECT_NE(Of("Memory=1M\n[Service]\nMemoryLow=2M\n"), "");
    EXPECT_NE(Of("[Service]\nMemoryMax=10%\nMemoryMin=20%\n"), "");
    EXPECT_EQ(Of("[Service]\nMemoryMax=10%\nMemoryMin=20M\n"), "");
    EXPECT_EQ(Of("[Service]\nMemoryMax=1M\nMemoryHigh=infinity\n"), "");
}

TEST(ConfigRules, StatusesForceOrPreventNotBoth) {
    EXPECT_NE(Of("[Service]\nRestartPreventExitStatus=3\nRestartForceExitStatus=3\n"), "");
    EXPECT_NE(Of("[Service]\nRestartPreventExitStatus=KILL\nRestartForceExitStatus=KILL\n"), "");
    EXPECT_EQ(Of("[Service]\nRestartPreventExitStatus=9\nRestartForceExitStatus=KILL\n"), "");
}

TEST(ConfigRules, AUnitCannotNameItself) {
    EXPECT_EQ(Of("[Unit]\nAfter=web\n"),
              "web.container:5: error: key 'After': the unit names itself (drop it)\n");
    EXPECT_NE(Of("Network=web.container\n"), "");
}

TEST(ConfigRules, ProblemsOfOneFileHaveAnEnd) {
    std::string text = "[Container]\nExec=/x\n";
    for (int i = 0; i < 5000; ++i) text += Cat("Key", std::to_string(i), "=1\n");
    auto problems = ParseUnit("w", "f", text).problems;
    EXPECT_EQ(problems.size(), 101u);
    EXPECT_EQ(problems.back().text, "too many problems: the rest is not looked at");
}

TEST(ConfigRules, APriorityNeedsARealTimePolicy) {
    EXPECT_EQ(Of("[Service]\nCPUSchedulingPriority=5\n"),
              "web.container:5: error: key 'CPUSchedulingPriority' is given without a real-time "
              "policy (add CPUSchedulingPolicy=fifo or rr, or write Nice=)\n");
    EXPECT_NE(Of("[Service]\nCPUSchedulingPolicy=rr\nCPUSchedulingPriority=0\n"), "");
    EXPECT_EQ(Of("[Service]\nCPUSchedulingPolicy=rr\nCPUSchedulingPriority=9\n"), "");
}

TEST(ConfigRules, ATimerHasATime) {
    EXPECT_EQ(
        Of("[Timer]\nPersistent=yes\nOnBootSec=5\n"),
        "web.container:5: error: key 'Persistent' is given without 'OnCalendar' (only times of "
        "the calendar can be missed while the device is off)\n");
    EXPECT_EQ(Of("[Timer]\nRandomizedDelaySec=5\n"),
              "web.container:5: error: a [Timer] without any time (add OnCalendar=, OnBootSec=, "
              "OnUnitActiveSec= or OnUnitInactiveSec=)\n");
    EXPECT_EQ(Of("[Timer]\nOnUnitActiveSec=5\n"),
              "web.container:5: warning: nothing starts the unit for the first time (add "
              "OnBootSec=)\n");
    EXPECT_NE(Of("[Timer]\nOnUnitInactiveSec=5\n"), "");
    EXPECT_EQ(Of("[Timer]\nOnUnitActiveSec=5\nOnBootSec=5\n"), "");
    EXPECT_EQ(Of("[Timer]\nOnUnitInactiveSec=5\n[Socket]\nListenStream=5\n"), "");
    EXPECT_EQ(Of("[Timer]\nOnCalendar=daily\nPersistent=yes\nRandomizedDelaySec=1h\n"), "");
}

TEST(ConfigRules, AnAddressIsListenedOnOnce) {
    EXPECT_EQ(Of("[Socket]\nListenStream=80\nListenStream=127.0.0.1:80\n"),
              "web.container:6: error: address '127.0.0.1:80' is in use by line 5 (drop one of "
              "them)\n");
    EXPECT_NE(Of("[Socket]\nListenStream=/run/x\nListenFIFO=/run/x\n"), "");
    EXPECT_NE(Of("[Socket]\nListenStream=[::]:80\nListenStream=10.0.0.1:80\n"), "");
    EXPECT_EQ(Of("[Socket]\nListenStream=80\nListenDatagram=80\nListenStream=@80\n"), "");
    EXPECT_EQ(Of("[Socket]\nListenStream=127.0.0.1:80\nListenStream=[::1]:80\n"), "");
    EXPECT_EQ(Of("[Socket]\nListenStream=0.0.0.0:80\nListenStream=[::1]:80\n"), "");
    EXPECT_EQ(Of("[Socket]\nSocketMode=0600\n"),
              "web.container:5: error: a [Socket] without any socket (add ListenStream=, "
              "ListenDatagram= or ListenFIFO=)\n");
    std::string many = "[Socket]\n";
    for (int i = 1; i <= 65; ++i) many += Cat("ListenStream=", std::to_string(i), "\n");
    EXPECT_NE(Of(many).find("65 sockets and FIFOs (at most 64)"), std::string::npos);
}

TEST(ConfigRules, ADeviceHasAPlaceOfItsOwn) {
    EXPECT_EQ(Of("AddDevice=/dev/a:/dev/c\nAddDevice=/dev/b:/dev/c\n"),
              "web.container:5: error: '/dev/c' is given twice (drop one of them)\n");
    EXPECT_EQ(Of("AddDevice=/dev/a:/dev/shm/a\n"),
              "web.container:4: error: each container has a '/dev/shm' of its own (give another "
              "place in /dev)\n");
}

TEST(ConfigRules, AUnitIsNoPartOfItselfAndDoesNotStartWhatItStops) {
    for (const char* key : {"BindsTo", "PartOf", "Conflicts", "OnFailure", "OnSuccess"})
        EXPECT_NE(Of(Cat("[Unit]\n", key, "=web\n[Service]\nRestart=no\n"))
                      .find(Cat("error: key '", key, "': the unit names itself (drop it)")),
                  std::string::npos)
            << key;
    EXPECT_NE(Of("[Unit]\nConflicts=db\nWants=db\n")
                  .find("error: unit 'db' is to be started with this one, and conflicts with it "
                        "(drop it here, or there)"),
              std::string::npos);
}

}  // namespace
}  // namespace husk::config
