// `husk security`: what a unit's score is made of.
#include <gtest/gtest.h>
#include <linux/capability.h>

#include <algorithm>
#include <set>

#include "base/capabilities.h"
#include "base/syscalls.h"
#include "base/text.h"
#include "config/keys.h"
#include "config/load.h"
#include "supervisor/security.h"
#include "supervisor/security_checks.h"

namespace husk::supervisor {
namespace {

SecurityReport Of(std::string_view lines) {
    const auto loaded =
        config::ParseUnit("web", "web.container", Cat("[Container]\nExec=/x\n", lines));
    EXPECT_FALSE(loaded.refused) << config::Describe(loaded.problems.front());
    auto report = AssessFiles(loaded.unit, {});
    EXPECT_TRUE(report) << (report ? "" : report.error().text());
    return report.value_or(SecurityReport{});
}

// Texts of what is bad about a key, the worst first.
std::vector<std::string> BadOf(const SecurityReport& report, std::string_view key) {
    std::vector<std::string> texts;
    for (const auto& finding : report.findings)
        if (finding.key == key && !finding.good) texts.push_back(finding.text);
    return texts;
}

bool IsGood(const SecurityReport& report, std::string_view key) {
    return BadOf(report, key).empty() &&
           std::ranges::any_of(report.findings, [key](const auto& f) { return f.key == key; });
}

std::string AllCapabilitiesLine() {
    std::string line = "AddCapability=";
    for (std::string_view name : CapabilityNames()) line += Cat("CAP_", name, " ");
    return line + "\n";
}

TEST(Security, OfAUnitThatSaysNothingIsGood) {
    const auto report = Of("");
    EXPECT_LT(report.score, 10u);
    EXPECT_STREQ(SecurityWord(report.score), "SAFE");
    for (const char* key : {"UserNS", "AddCapability", "PrivateMounts", "PrivatePIDs", "Network",
                            "NoNewPrivileges", "ReadOnly", "Volume", "TasksMax", "Environment"})
        EXPECT_TRUE(IsGood(report, key)) << key;
    EXPECT_EQ(BadOf(report, "User"),
              std::vector<std::string>{"runs as root: of its own user namespace only"});
    EXPECT_TRUE(IsGood(report, "MemoryMax")) << "there is a default";
}

TEST(Security, OfAUnitThatIsTheDeviceIsNearTen) {
    const auto report = Of(Cat("UserNS=host\nPrivateMounts=no\n", AllCapabilitiesLine()));
    EXPECT_GE(report.score, 98u);
    EXPECT_LE(report.score, 100u);
    EXPECT_STREQ(SecurityWord(100), "DANGEROUS");
}

TEST(Security, HasOneFindingForEachCapability) {
    const auto report = Of("AddCapability=NET_BIND_SERVICE SYS_TIME\n");
    EXPECT_EQ(BadOf(report, "AddCapability"),
              (std::vector<std::string>{
                  "CAP_SYS_TIME sets the clock (inside of its own namespaces)",
                  "CAP_NET_BIND_SERVICE binds ports below 1024 (inside of its own namespaces)"}));
    EXPECT_EQ(BadOf(Of("UserNS=host\nNetwork=host\nAddCapability=NET_ADMIN\n"), "AddCapability"),
              std::vector<std::string>{
                  "CAP_NET_ADMIN configures the network: addresses, routes, firewall (of the "
                  "device)"});
    EXPECT_NE(BadOf(Of("UserNS=host\nAddCapability=NET_ADMIN\n"), "AddCapability")
                  .at(0)
                  .find("inside of its own"),
              std::string::npos)
        << "its network is its own";
}

TEST(Security, KnowsEveryCapabilityOnce) {
    std::set<int> known;
    for (const auto& risk : CapabilityRisks())
        EXPECT_TRUE(known.insert(risk.capability).second) << risk.capability;
    EXPECT_EQ(known.size(), CapabilityNames().size());
}

TEST(Security, NamesKeysAndCallsThatThereAre) {
    for (const auto& check : SecurityChecks())
        EXPECT_TRUE(config::KeyIndex(Cat("Container.", check.key)) ||
                    config::KeyIndex(Cat("Service.", check.key)))
            << check.key;
    for (const auto& risk : CallRisks())
        for (std::string_view call : SplitWords(risk.calls))
            EXPECT_TRUE(SyscallNumber(call)) << call;
}

TEST(Security, AsksTheFilterItself) {
    const auto calls = [](const SecurityReport& report) {
        return Join(BadOf(report, "SystemCallFilter"), "; ");
    };
    EXPECT_EQ(calls(Of("")), "");
    EXPECT_EQ(calls(Of("AddCapability=SYS_PTRACE\n")),
              "debugs other processes of its own: ptrace, process_vm_readv, process_vm_writev");
    const std::string with = calls(Of("AddCapability=SYS_ADMIN SYS_BOOT\n"));
    EXPECT_NE(with.find("changes mounts: mount, umount2"), std::string::npos) << with;
    EXPECT_NE(with.find("reboots or loads another kernel: reboot"), std::string::npos) << with;
    EXPECT_NE(with.find("makes and enters namespaces: unshare, setns"), std::string::npos) << with;
}

TEST(Security, AsksTheFilterOfTheUnitsOwnList) {
    const auto report = Of("SystemCallFilter=@system-service ptrace keyctl\n");
    const auto bad = BadOf(report, "SystemCallFilter");
    EXPECT_TRUE(std::ranges::find(
                    bad, "uses keyrings of the kernel: add_key, request_key, keyctl") != bad.end())
        << Join(bad, "; ");
    EXPECT_GT(report.score, Of("").score);
}

TEST(Security, OfAProfileThatIsNotThereIsAnError) {
    const auto loaded = config::ParseUnit(
        "web", "web.container", "[Container]\nExec=/x\nSeccompProfile=/nonexistent.json\n");
    const auto report = AssessFiles(loaded.unit, {});
    ASSERT_FALSE(report);
    EXPECT_NE(report.error().text().find("SeccompProfile"), std::string::npos);
}

TEST(Security, WithoutAFilterLetsAllThrough) {
    container::ContainerSpec spec;
    const auto report = Assess({}, spec);
    EXPECT_EQ(BadOf(report, "SystemCallFilter").size(), CallRisks().size() + 1);
}

TEST(Security, SaysWhatOfTheDeviceIsOpen) {
    EXPECT_EQ(BadOf(Of("Volume=/etc:/e\nVolume=/var/log:/l\n"), "Volume"),
              std::vector<std::string>{"has sensitive paths of the device: /etc"});
    EXPECT_GE(Of("Volume=/:/host\n").score, 90u);
    EXPECT_GE(Of("Volume=/run:/r:ro\nUserNS=host\n").score, 90u) << "the control socket is in it";
    EXPECT_LT(Of("Volume=/run:/r:ro\n").score, 30u) << "it does not answer other users";
    EXPECT_LT(Of("Volume=/etc:/e:ro\n").score, 20u);
    EXPECT_LT(Of("Volume=/etc:/e:noidmap\n").score, 50u) << "it is nobody there";
    EXPECT_FALSE(IsGood(Of("Mount=type=bind,source=/etc,destination=/e\n"), "Volume"));
    EXPECT_TRUE(IsGood(Of("Mount=type=image,source=tools,destination=/tools\n"), "Volume"));
    EXPECT_TRUE(IsGood(Of("Volume=/usr/bin/app:/app:ro\nVolume=data:/data\n"), "Volume"));
    EXPECT_EQ(BadOf(Of("Volume=/proc/sys:/p:ro\n"), "Volume"),
              std::vector<std::string>{"has sensitive paths of the device: /proc/sys (read-only)"});
}

TEST(Security, ScoresSharedNamespaces) {
    const unsigned alone = Of("").score;
    for (const char* line : {"PrivatePIDs=no", "PrivateIPC=no", "PrivateMounts=no", "UserNS=host",
                             "Network=host", "UIDMap=0:0:1", "Unmask=ALL"})
        EXPECT_GT(Of(Cat(line, "\n")).score, alone) << line;
    EXPECT_GE(Of("ProtectHostname=no\n").score, alone);
    EXPECT_GT(Of("UserNS=host\nPrivateMounts=no\n").score, 85u);
    EXPECT_GT(Of("UserNS=host\n").score, Of("UserNS=host\nUser=1000\n").score);
    EXPECT_EQ(BadOf(Of("Network=db.container\n"), "Network"),
              std::vector<std::string>{"is on a network that is not its own: that of unit 'db'"});
}

TEST(Security, KnowsDevicesAndDelegation) {
    EXPECT_EQ(BadOf(Of("AddDevice=/dev/ttyUSB0\n[Service]\nDeviceAllow=char-rtc r\n"), "AddDevice"),
              std::vector<std::string>{"opens devices: /dev/ttyUSB0, rtc"});
    EXPECT_GE(Of("AddDevice=/dev/vda\n").score, 80u);
    EXPECT_LT(Of("[Service]\nDeviceAllow=/dev/null rw\n").score, 20u);
    EXPECT_FALSE(IsGood(Of("[Service]\nDelegate=yes\n"), "Delegate"));
    EXPECT_FALSE(
        IsGood(Of("[Service]\nCPUSchedulingPolicy=fifo\nCPUSchedulingPriority=5\n"), "Nice"));
}

TEST(Security, FindsSecretsInTheEnvironment) {
    EXPECT_EQ(BadOf(Of("Environment=DB_PASSWORD=x MODE=y api_token=z POSTGRES_PASSWORD_FILE=/s\n"),
                    "Environment"),
              std::vector<std::string>{"variables look like secrets: DB_PASSWORD, api_token"});
}

TEST(Security, KnowsLimitsAndLandlock) {
    EXPECT_TRUE(IsGood(Of("Memory=64M\n"), "MemoryMax"));
    EXPECT_FALSE(IsGood(Of("[Service]\nMemoryMax=infinity\n"), "MemoryMax"));
    EXPECT_FALSE(IsGood(Of("PidsLimit=-1\n"), "TasksMax"));
    EXPECT_TRUE(IsGood(Of("LandlockWritePaths=/data\n"), "LandlockWritePaths"));
    EXPECT_FALSE(IsGood(Of("[Service]\nNice=-5\n"), "Nice"));
}

TEST(Security, TakesANameForSomebodyWhoIsMapped) {
    EXPECT_TRUE(IsGood(Of("User=web\n"), "User"));
    EXPECT_TRUE(IsGood(Of("User=web\nUIDMap=0:100000:1\nUIDMap=33:100033:1\n"), "User"));
    EXPECT_FALSE(IsGood(Of("User=root\n"), "User"));
}

TEST(Security, HasTheWorstFirst) {
    const auto report = Of("UserNS=host\nAddCapability=SYS_ADMIN\n");
    EXPECT_STREQ(report.findings.front().key, "AddCapability");
    EXPECT_TRUE(std::ranges::is_sorted(
        report.findings, [](const auto& a, const auto& b) { return a.exposure > b.exposure; }));
    EXPECT_TRUE(report.findings.back().good);
}

TEST(Security, HasSystemdsWords) {
    EXPECT_STREQ(SecurityWord(0), "PERFECT");
    EXPECT_STREQ(SecurityWord(9), "SAFE");
    EXPECT_STREQ(SecurityWord(10), "OK");
    EXPECT_STREQ(SecurityWord(50), "MEDIUM");
    EXPECT_STREQ(SecurityWord(75), "EXPOSED");
    EXPECT_STREQ(SecurityWord(90), "UNSAFE");
}

}  // namespace
}  // namespace husk::supervisor
