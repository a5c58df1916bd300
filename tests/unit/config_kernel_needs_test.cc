// A kernel's .config: how it is read, and what husk and units lack on it.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/text.h"
#include "config/kernel_needs.h"
#include "source_file.h"

namespace husk::config {
namespace {

// Every option of the table, some of them as modules.
std::string WholeKernel() {
    std::string text = "#\n# Linux/x86 6.12.95 Kernel Configuration\n#\n";
    for (const KernelNeed& need : KernelNeeds())
        text += Cat("CONFIG_", need.option, need.alternative.empty() ? "=y\n" : "=m\n");
    return text;
}

std::string Without(std::string text, std::string_view option) {
    for (const char* value : {"=y\n", "=m\n"}) {
        const std::string line = Cat("CONFIG_", option, value);
        for (size_t at; (at = text.find(line)) != text.npos;)
            text.replace(at, line.size(), Cat("# CONFIG_", option, " is not set\n"));
    }
    return text;
}

KernelConfig Parse(std::string_view text) {
    auto kernel = ParseKernelConfig("config", text);
    EXPECT_TRUE(kernel) << Describe(kernel.error());
    return kernel.value_or(KernelConfig{});
}

std::string Refusal(std::string_view text) {
    auto kernel = ParseKernelConfig("config", text);
    return kernel ? "taken" : Describe(kernel.error());
}

std::string Describe(const Problems& problems) {
    std::string out;
    for (const Problem& problem : problems) out += Cat(config::Describe(problem), "\n");
    return out;
}

// What `kernel` lacks for a unit with a line `Exec=` and `more`, which begins on line 3.
std::string Lacks(std::string_view kernel, std::string_view more = {}) {
    std::vector<LoadedUnit> units = {
        ParseUnit("web", "web.container", Cat("[Container]\nExec=/x\n", more))};
    EXPECT_FALSE(units[0].refused) << Describe(units[0].problems);
    Problems problems;
    CheckKernel(Parse(kernel), units, problems);
    const bool lacks = HasErrors(units[0].problems);
    EXPECT_EQ(units[0].refused, lacks);
    return Describe(problems) + Describe(units[0].problems);
}

std::string LacksWithout(std::string_view option, std::string_view more = {}) {
    return Lacks(Without(WholeKernel(), option), more);
}

TEST(KernelConfig, TellsWhatIsBuiltInOrAModuleFromWhatIsNot) {
    const KernelConfig kernel = Parse(
        "# Linux/x86 6.1.192 Kernel Configuration\nCONFIG_A=y\nCONFIG_B=m\r\n\nCONFIG_C=n\n"
        "# CONFIG_D is not set\n# a remark\nCONFIG_E=\"text\"\nCONFIG_F=250\nCONFIG_A_B=y\n");
    for (const char* there : {"A", "B", "E", "F", "A_B"}) EXPECT_TRUE(kernel.Has(there)) << there;
    for (const char* not_there : {"C", "D", "Z", "CONFIG_A", ""})
        EXPECT_FALSE(kernel.Has(not_there)) << not_there;
    EXPECT_EQ(kernel.PlaceOf("D").line, 6);
    EXPECT_EQ(kernel.PlaceOf("Z").line, 0);
    EXPECT_EQ(kernel.version, "6.1.192");
}

TEST(KernelConfig, TheLastLineOfAnOptionHolds) {
    EXPECT_FALSE(Parse("CONFIG_A=y\n# CONFIG_A is not set\n").Has("A"));
    EXPECT_TRUE(Parse("# CONFIG_A is not set\nCONFIG_A=m").Has("A"));
}

TEST(KernelConfig, WhatIsNoneIsRefusedWithWhatToGive) {
    EXPECT_EQ(Refusal(std::string_view("\x1f\x8b\x08\x00\x00", 5)),
              "config: error: is compressed (zcat config >FILE, and give that FILE)");
    EXPECT_EQ(Refusal("CONFIG_A=y\nhello\n"),
              "config:2: error: is not a line of a kernel's configuration (give what the kernel's "
              "build left as .config, or /boot/config-VERSION)");
    for (const char* bad : {"A=y\n", "CONFIG_A\n", "CONFIG_=y\n", "CONFIG_A B=y\n", "MZ\x01\n"})
        EXPECT_NE(Refusal(bad).find("config:1: error: is not a line"), std::string::npos) << bad;
    for (const char* empty : {"", "\n\n", "# only remarks\n", "# CONFIG_ is not set\n"})
        EXPECT_NE(Refusal(empty).find("holds no options"), std::string::npos) << empty;
}

TEST(KernelNeeds, AKernelWithEverythingLacksNothing) {
    EXPECT_EQ(Lacks(WholeKernel()), "");
    EXPECT_EQ(Lacks(WholeKernel(), "Image=i\nOverlay=volatile\n[Service]\nCPUQuota=5%\n"), "");
}

TEST(KernelNeeds, WhatHuskItselfLacksIsAProblemOfTheKernel) {
    const std::string whole = WholeKernel();
    const auto before = whole.substr(0, whole.find("CONFIG_EPOLL"));
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    EXPECT_EQ(LacksWithout("EPOLL"),
              Cat("config:", std::to_string(line),
                  ": error: husk needs CONFIG_EPOLL, which this kernel lacks (PID 1 and the "
                  "supervisor wait for events by it)\n"));
    EXPECT_EQ(LacksWithout("INOTIFY_USER").find(": error"), std::string::npos);
    EXPECT_NE(LacksWithout("INOTIFY_USER").find("warning: husk may need"), std::string::npos);
}

TEST(KernelNeeds, AnOptionThatTheFileDoesNotNameIsNotThere) {
    EXPECT_NE(Lacks("CONFIG_A=y\n").find("config: error: husk needs CONFIG_CGROUPS, which"),
              std::string::npos);
}

TEST(KernelNeeds, AKeyIsNamedWhereItStands) {
    EXPECT_EQ(LacksWithout("OVERLAY_FS", "Image=web\nOverlay=volatile\n"),
              "web.container:4: error: key 'Overlay' needs CONFIG_OVERLAY_FS, which this kernel "
              "lacks (what is written to the root goes to an overlay)\n");
    EXPECT_EQ(LacksWithout("CPUSETS", "[Service]\nAllowedCPUs=0\n"),
              "web.container:4: error: key 'AllowedCPUs' needs CONFIG_CPUSETS, which this kernel "
              "lacks (binds to CPUs and memory nodes)\n");
}

TEST(KernelNeeds, ADefaultIsNamedByItsKey) {
    EXPECT_EQ(LacksWithout("USER_NS"),
              "web.container: error: key 'UserNS' needs CONFIG_USER_NS, which this kernel lacks (a "
              "user namespace)\n");
    EXPECT_EQ(LacksWithout("USER_NS", "UserNS=host\n"), "");
}

TEST(KernelNeeds, AnImageNeedsTheFileSystemOfItsSuffixOrOneOfTheTwo) {
    const std::string no_erofs = Without(WholeKernel(), "EROFS_FS");
    const std::string neither = Without(no_erofs, "SQUASHFS");
    EXPECT_EQ(Lacks(no_erofs, "Image=web\n"), "");
    EXPECT_EQ(Lacks(no_erofs, "Image=web.squashfs\n"), "");
    EXPECT_NE(Lacks(no_erofs, "Image=/i/web.erofs\n").find("'Image' needs CONFIG_EROFS_FS, which"),
              std::string::npos);
    EXPECT_NE(Lacks(neither, "Image=docker.io/library/nginx:1.27\n")
                  .find("web.container:3: error: key 'Image' needs CONFIG_EROFS_FS or "
                        "CONFIG_SQUASHFS, which this kernel lacks"),
              std::string::npos);
    EXPECT_EQ(Lacks(neither), "");
}

TEST(KernelNeeds, ARootMayNeedAnOverlayForWhatItLacks) {
    EXPECT_EQ(LacksWithout("OVERLAY_FS"), "");
    EXPECT_EQ(LacksWithout("OVERLAY_FS", "Image=web\n"),
              "web.container:3: warning: key 'Image' may need CONFIG_OVERLAY_FS, which this kernel "
              "lacks (a root that lacks a mount point, or a file such as /etc/hosts, gets it by an "
              "overlay)\n");
    EXPECT_EQ(LacksWithout("OVERLAY_FS", "Rootfs=/r\nReadOnly=no\n"), "");
}

// Each row on its own: the unit that has every key lacks the option of that row, and nothing else.
TEST(KernelNeeds, EachRowIsAskedForByTheKeysThatItNames) {
    struct Case {
        const char* option;
        const char* lines;
        const char* not_by;
    };
    static constexpr char kVerity[] =
        "Image=a.erofs\n"
        "ImageVerity=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n";
    constexpr Case kCases[] = {
        {"USER_NS", "UserNS=auto\n", "UserNS=host\n"},
        {"PID_NS", "PrivatePIDs=yes\n", "PrivatePIDs=no\n"},
        {"IPC_NS", "PrivateIPC=yes\n", "PrivateIPC=no\n"},
        {"POSIX_MQUEUE", "PrivateIPC=yes\n", "PrivateIPC=no\n"},
        {"USER_NS", "GIDMap=0:100000:10\n", "UserNS=host\n"},
        {"UTS_NS", "ProtectHostname=yes\n", "ProtectHostname=no\n"},
        {"BLK_DEV_DM", kVerity, "Image=a.erofs\n"},
        {"DM_VERITY", kVerity, "Image=a.erofs\n"},
        {"TIME_NS", "TimeOffset=1h\n", "TimeOffset=0\n"},
        {"PROC_SYSCTL", "Sysctl=net.core.somaxconn=1\n", ""},
        {"SECURITY_LANDLOCK", "LandlockReadPaths=/usr\n", ""},
        {"SECURITY_LANDLOCK", "LandlockWritePaths=/data\n", ""},
        {"NET_NS", "Network=db.container\n", "Network=host\n"},
        {"INET", "Network=none\n", "Network=db.container\n"},
        {"INET", "Network=lan.network\n", "Network=host\n"},
        {"MACVLAN", "Network=macvlan:eth1\n", "Network=ipvlan:eth1\n"},
        {"IPVLAN", "Network=ipvlan:eth1\n", "Network=macvlan:eth1\n"},
        {"BRIDGE", "Network=lan.network\n", "Network=macvlan:eth1\n"},
        {"VETH", "Network=lan.network\n", "Network=none\n"},
        {"NF_TABLES", "Network=lan.network\n", "Network=host\n"},
        {"NF_TABLES_INET", "Network=lan.network\n", "Network=host\n"},
        {"NF_TABLES_BRIDGE", "Network=lan.network\n", "Network=host\n"},
        {"NF_CONNTRACK", "Network=lan.network\n", "Network=host\n"},
        {"NFT_CT", "Network=lan.network\n", "Network=host\n"},
        {"NFT_NAT", "Network=lan.network\n", "Network=host\n"},
        {"NFT_MASQ", "Network=lan.network\n", "Network=host\n"},
        {"NFT_FIB_INET", "Network=lan.network\n", "Network=host\n"},
        {"NFT_REJECT_INET", "Network=lan.network\n", "Network=host\n"},
        {"NF_FLOW_TABLE_INET", "Network=lan.network\n", "Network=host\n"},
        {"NFT_FLOW_OFFLOAD", "Network=lan.network\n", "Network=host\n"},
        {"BLK_DEV_LOOP", "Image=i\n", "Rootfs=/r\n"},
        {"EROFS_FS", "Image=i.erofs\n", "Image=i.squashfs\n"},
        {"SQUASHFS", "Image=i.squashfs\n", "Image=i.erofs\n"},
        {"OVERLAY_FS", "Rootfs=/r:O\n", "Rootfs=/r\nReadOnly=no\n"},
        {"CGROUP_PIDS", "PidsLimit=5\n", "PidsLimit=-1\n"},
        {"CGROUP_PIDS", "[Service]\nTasksMax=5\n", "[Service]\nTasksMax=infinity\n"},
        {"MEMCG", "Memory=64M\n", ""},
        {"MEMCG", "[Service]\nMemoryMax=infinity\n", ""},
        {"MEMCG", "[Service]\nMemoryHigh=64M\n", ""},
        {"MEMCG", "[Service]\nMemoryLow=64M\n", ""},
        {"MEMCG", "[Service]\nMemoryMin=64M\n", ""},
        {"SWAP", "[Service]\nMemorySwapMax=0\n", ""},
        {"CFS_BANDWIDTH", "[Service]\nCPUQuota=5%\n", ""},
        {"FAIR_GROUP_SCHED", "[Service]\nCPUWeight=5\n", ""},
        {"CPUSETS", "[Service]\nAllowedCPUs=0\n", ""},
        {"CPUSETS", "[Service]\nAllowedMemoryNodes=0\n", ""},
        {"ZSWAP", "[Service]\nMemoryZSwapMax=0\n", ""},
        {"BLK_CGROUP", "[Service]\nIOWeight=5\n", ""},
        {"BLK_CGROUP", "[Service]\nIOWriteIOPSMax=/ 5\n", ""},
        {"BLK_DEV_THROTTLING", "[Service]\nIOReadBandwidthMax=/ 5\n", ""},
        {"BLK_DEV_THROTTLING", "[Service]\nIOWriteBandwidthMax=/ 5\n", "[Service]\nIOWeight=5\n"},
        {"BLK_DEV_THROTTLING", "[Service]\nIOReadIOPSMax=/ 5\n", ""},
        {"BLK_DEV_THROTTLING", "[Service]\nIOWriteIOPSMax=/ 5\n", ""},
    };
    for (const auto& [option, lines, not_by] : kCases) {
        SCOPED_TRACE(Cat(option, " ", lines));
        const std::string lacks = LacksWithout(option, lines);
        EXPECT_NE(lacks.find(Cat(" CONFIG_", option, ", which")), std::string::npos) << lacks;
        EXPECT_EQ(std::count(lacks.begin(), lacks.end(), '\n'), 1) << lacks;
        EXPECT_EQ(LacksWithout(option, not_by), "");
    }
    for (const KernelNeed& need : KernelNeeds()) {
        // One of two is enough: those have a test of their own.
        if (need.asked_by == nullptr || !need.alternative.empty()) continue;
        auto is_its = [&](const Case& one) { return need.option == one.option; };
        EXPECT_TRUE(std::ranges::any_of(kCases, is_its)) << "no case for " << need.option;
    }
}

TEST(KernelNeeds, AWeightOfDisksNeedsOneOfTheTwoThatWeigh) {
    constexpr char kUnit[] = "[Service]\nIOWeight=5\n";
    const std::string without = Without(WholeKernel(), "BLK_CGROUP_IOCOST");
    EXPECT_EQ(Lacks(without + "CONFIG_BFQ_GROUP_IOSCHED=y\n", kUnit), "");
    EXPECT_EQ(Lacks(without, kUnit),
              "web.container:4: error: key 'IOWeight' needs CONFIG_BLK_CGROUP_IOCOST or "
              "CONFIG_BFQ_GROUP_IOSCHED, which this kernel lacks (weighs the use of disks)\n");
}

TEST(KernelNeeds, WhatAnOldKernelHasOnlyInPartIsSaidWithItsVersion) {
    constexpr char kPorts[] = "LandlockBindPorts=80\n";
    const std::string whole = WholeKernel();
    EXPECT_EQ(Lacks(whole, kPorts), "");
    EXPECT_EQ(Lacks(std::string(whole).replace(whole.find("6.12.95"), 7, "6.1.192"), kPorts),
              "web.container:3: error: key 'LandlockBindPorts' needs CONFIG_SECURITY_LANDLOCK of "
              "kernel 6.7 or later, which this kernel lacks (says which ports may be bound, from "
              "kernel 6.7 on)\n");
    EXPECT_NE(LacksWithout("SECURITY_LANDLOCK", kPorts), "");
}

TEST(KernelNeeds, ProblemsOfAUnitStayInTheOrderOfItsLines) {
    std::vector<LoadedUnit> units = {
        ParseUnit("web", "f", "[Container]\nExec=/x ${A}\nOverlay=volatile\nImage=i\nBad=1\n")};
    Problems problems;
    CheckKernel(Parse(Without(WholeKernel(), "OVERLAY_FS")), units, problems);
    std::vector<int> lines;
    for (const Problem& problem : units[0].problems) lines.push_back(problem.at.line);
    EXPECT_EQ(lines, (std::vector<int>{2, 3, 5}));
}

TEST(KernelNeeds, WhoRequiresAUnitThatTheKernelRefusesIsRefusedToo) {
    std::vector<LoadedUnit> units = {
        ParseUnit("db", "db.container", "[Container]\nExec=/x\nMemory=64M\n"),
        ParseUnit("web", "web.container", "[Container]\nExec=/x\n[Unit]\nRequires=db\n")};
    Problems problems;
    CheckKernel(Parse(Without(WholeKernel(), "MEMCG")), units, problems);
    EXPECT_TRUE(units[1].refused);
    EXPECT_EQ(Describe(units[1].problems),
              "web.container:4: error: unit 'db', which this one needs, is refused (mend "
              "db.container)\n");
}

TEST(KernelNeeds, AnOldKernelIsSaidToBeOld) {
    auto of = [](std::string_view version) {
        return Lacks(WholeKernel().replace(WholeKernel().find("6.12.95"), 7, version));
    };
    EXPECT_EQ(of("5.15.1"),
              "config:2: error: kernel '5.15.1' is too old (husk is tested on 6.1 and later)\n");
    for (const char* good : {"6.1.0", "6.12", "7.0-rc1", "10.0.1", "strange"})
        EXPECT_EQ(of(good), "") << good;
}

// The kernels that the boot tests run, where they have been fetched (images/run --kernel 6.1).
class RealKernel : public ::testing::TestWithParam<const char*> {
  protected:
    void SetUp() override {
        auto text =
            ReadFile(SourcePath(Cat("build/images/kernel/", GetParam(), "/config")), 1 << 20);
        if (!text) GTEST_SKIP() << text.error().text();
        text_ = *text;
        units_ = LoadUnits({SourcePath("images/demo/units")}).units;
        ASSERT_GE(units_.size(), 6u);
    }
    // Problems of husk and of all units on the kernel of that .config.
    Problems Check(std::string_view text) {
        Problems all;
        std::vector<LoadedUnit> units = units_;
        CheckKernel(Parse(text), units, all);
        for (const LoadedUnit& unit : units)
            all.insert(all.end(), unit.problems.begin(), unit.problems.end());
        return all;
    }
    std::string text_;
    std::vector<LoadedUnit> units_;
};

TEST_P(RealKernel, HasAllThatTheDemoNeeds) { EXPECT_EQ(Describe(Check(text_)), ""); }

TEST_P(RealKernel, WithoutOneOptionLacksJustThat) {
    for (const KernelNeed& need : KernelNeeds()) {
        SCOPED_TRACE(need.option);
        std::string text = Without(text_, need.option);
        if (need.option == "ZSWAP") continue;  // Debian's cloud kernels have none
        ASSERT_NE(text, text_) << "the kernel does not have it";
        if (!need.alternative.empty()) text = Without(text, need.alternative);
        const Problems problems = Check(text);
        if (need.asked_by == nullptr) {
            EXPECT_EQ(problems.size(), 1u);
        }
        // Of who requires a unit that lacks it, it is said that the other one is refused.
        for (const Problem& problem : problems)
            EXPECT_TRUE(problem.text.contains(Cat("CONFIG_", need.option)) ||
                        problem.text.contains("which this one needs, is refused"))
                << config::Describe(problem);
    }
    for (const char* asked : {"USER_NS", "BLK_DEV_LOOP", "MEMCG", "CFS_BANDWIDTH", "CGROUP_PIDS"})
        EXPECT_TRUE(HasErrors(Check(Without(text_, asked)))) << asked;
}

INSTANTIATE_TEST_SUITE_P(Kernels, RealKernel, ::testing::Values("6.1", "6.12"),
                         [](const auto& info) {
                             std::string name = info.param;
                             std::replace(name.begin(), name.end(), '.', '_');
                             return name;
                         });

}  // namespace
}  // namespace husk::config
