#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sched.h>

#include <algorithm>
#include <set>

#include "base/capabilities.h"
#include "base/sys.h"
#include "container/cgroup.h"
#include "container/id_map.h"
#include "container/plan.h"
#include "tests/lib/temporary_folder.h"

namespace husk::container {
namespace {

ContainerSpec Spec(std::vector<std::string> argv) {
    ContainerSpec spec;
    spec.argv = std::move(argv);
    spec.root.staging = "/s";
    return spec;
}

// --- plan
// ------------------------------------------------------------------------------------------

TEST(Plan, WithoutACommandIsRefused) {
    EXPECT_EQ(MakePlan(Spec({}), nullptr).error().text(), "no command; write Exec=");
}

TEST(Plan, TriesAPathAsItIsAndANameInEveryFolderOfPath) {
    EXPECT_EQ((*MakePlan(Spec({"/bin/app"}), nullptr))->program.paths,
              std::vector<std::string>{"/bin/app"});
    EXPECT_EQ((*MakePlan(Spec({"./app"}), nullptr))->program.paths,
              std::vector<std::string>{"./app"});
    ContainerSpec spec = Spec({"app"});
    spec.environment = {"HOME=/", "PATH=/a::relative:/b/c"};
    EXPECT_EQ((*MakePlan(std::move(spec), nullptr))->program.paths,
              (std::vector<std::string>{"/a/app", "/b/c/app"}))
        << "relative folders would depend on the working directory";
    EXPECT_EQ((*MakePlan(Spec({"app"}), nullptr))->program.paths.size(), 6u) << "the usual PATH";
    spec = Spec({"app"});
    spec.environment = {"PATH="};
    EXPECT_EQ(MakePlan(std::move(spec), nullptr).error().text(),
              "command 'app': PATH has no absolute folder; write the program's full path");
}

TEST(Plan, PointsIntoItsOwnStrings) {
    ContainerSpec spec = Spec({"/app", "", "a b"});
    spec.environment = {"A=1"};
    auto plan = std::move(*MakePlan(std::move(spec), nullptr));
    ASSERT_EQ(plan->program.argv.size(), 4u);
    EXPECT_STREQ(plan->program.argv[0], "/app");
    EXPECT_STREQ(plan->program.argv[1], "");
    EXPECT_STREQ(plan->program.argv[2], "a b");
    EXPECT_EQ(plan->program.argv[3], nullptr);
    EXPECT_STREQ(plan->program.envp[0], "A=1");
    EXPECT_EQ(plan->program.envp[1], nullptr);
    EXPECT_EQ(plan->program.argv[0], plan->program.arguments[0].c_str());
}

TEST(Program, CanBeToldAnotherNameThanItsPath) {
    auto program = MakeProgram({.path = "tool", .arguments = {"-sh"}, .environment = {"PATH=/a"}});
    ASSERT_TRUE(program);
    EXPECT_EQ(program->paths, std::vector<std::string>{"/a/tool"});
    EXPECT_TRUE(program->searched);
    EXPECT_STREQ(program->argv[0], "-sh");
    const Program moved = std::move(*program);
    EXPECT_STREQ(moved.argv[0], "-sh") << "short strings lie in the vector that moved";
    EXPECT_EQ(moved.envp[0], moved.environment[0].c_str());
    EXPECT_FALSE(MakeProgram({}));
}

TEST(Program, EnvironmentIsReplacedByName) {
    std::vector<std::string> environment = {"A=1", "AB=2", "C=3"};
    Overlay(environment, {"A=9", "D="});
    EXPECT_EQ(environment, (std::vector<std::string>{"AB=2", "C=3", "A=9", "D="}));
}

TEST(Plan, MakesANewNamespaceForWhateverIsPrivate) {
    ContainerSpec spec = Spec({"/app"});
    spec.user_namespace = MapOf({.base = 1 << 20});
    EXPECT_EQ((*MakePlan(spec, nullptr))->clone_flags,
              uint64_t{CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWPID | CLONE_NEWIPC} |
                  uint64_t{CLONE_NEWNET} | uint64_t{CLONE_NEWUSER});
    spec.user_namespace.reset();
    spec.private_pids = spec.private_ipc = false;
    for (auto network : {NetworkKind::kHost, NetworkKind::kJoin}) {
        spec.network = network;
        EXPECT_EQ((*MakePlan(spec, nullptr))->clone_flags, uint64_t{CLONE_NEWNS | CLONE_NEWUTS})
            << "mounts and host name are its own unless it is said";
    }
    spec.private_mounts = spec.private_host_name = false;
    EXPECT_EQ((*MakePlan(spec, nullptr))->clone_flags, 0u);
    EXPECT_EQ((*MakePlan(spec, nullptr))->clone_flags & sys::kCloneNewCgroup, 0u)
        << "the child unshares it, or it would be rooted at the parent's group";
}

TEST(Plan, OfTheDevicesMountsBuildsNoRoot) {
    ContainerSpec spec = Spec({"/app"});
    spec.private_mounts = false;
    auto plan = std::move(*MakePlan(std::move(spec), nullptr));
    EXPECT_TRUE(plan->steps->empty() && plan->root.attachments.empty());
}

TEST(Plan, LooksAtTheTreeForItsRoot) {
    testing::TemporaryFolder folder;
    for (const char* name : {"proc", "dev", "sys"}) folder.MakeFolder(name);
    auto tree = rootfs::Tree::Open(folder.path());
    ASSERT_TRUE(tree);
    ContainerSpec spec = Spec({"/app"});
    spec.root.kind = rootfs::RootKind::kTree;
    spec.root.tree = folder.path();
    EXPECT_FALSE((*MakePlan(spec, &*tree))->root.layered);
    spec.root.tmpfs = {{.destination = "/gone"}};
    EXPECT_TRUE((*MakePlan(spec, &*tree))->root.layered);
    spec.root.read_only = false;
    EXPECT_NE(MakePlan(spec, &*tree).error().text().find("'/gone'"), std::string::npos);
}

// --- capabilities
// ----------------------------------------------------------------------------------

TEST(Capabilities, AreKnownByNameInAnyCase) {
    EXPECT_EQ(CapabilityNumber("CAP_NET_BIND_SERVICE"), CAP_NET_BIND_SERVICE);
    EXPECT_EQ(CapabilityNumber("net_bind_service"), CAP_NET_BIND_SERVICE);
    EXPECT_EQ(CapabilityNumber("cap_chown"), CAP_CHOWN);
    EXPECT_EQ(CapabilityNumber("CAP_CHECKPOINT_RESTORE"), CAP_CHECKPOINT_RESTORE);
    EXPECT_EQ(CapabilityNumber("CAP_SYS_ADMIN"), CAP_SYS_ADMIN);
    EXPECT_EQ(AllCapabilities(), (uint64_t{1} << (CAP_LAST_CAP + 1)) - 1);
}

TEST(Capabilities, ThatAreNotThereGetAProposal) {
    EXPECT_EQ(CapabilityNumber("CAP_NET_BINDSERVICE").error().text(),
              "no capability 'CAP_NET_BINDSERVICE' (did you mean 'CAP_NET_BIND_SERVICE'?)");
    for (const char* bad : {"", "CAP_", "CAP_CAP_CHOWN", "CHOWNX", "0"})
        EXPECT_FALSE(CapabilityNumber(bad)) << bad;
}

// --- id ranges
// -------------------------------------------------------------------------------------

std::vector<std::string> Names(int count) {
    std::vector<std::string> names;
    for (int i = 0; i < count; ++i) names.push_back("unit-" + std::to_string(i));
    return names;
}

TEST(IdRanges, OfTenThousandUnitsDoNotOverlapAndStayInTheReservedRange) {
    const auto ranges = AssignIdRanges(Names(10'000), {});
    ASSERT_EQ(ranges.size(), 10'000u);
    std::set<uint32_t> bases;
    for (const auto& [name, range] : ranges) {
        EXPECT_EQ(range.count, 65536u);
        EXPECT_EQ(range.base % 65536, 0u);
        EXPECT_GE(range.base, 524288u);
        EXPECT_LE(range.base, 1878982656u);
        bases.insert(range.base);
    }
    EXPECT_EQ(bases.size(), ranges.size());
}

TEST(IdRanges, DoNotDependOnTheOrderOfTheNames) {
    auto names = Names(1000);
    const auto forward = AssignIdRanges(names, {});
    std::ranges::reverse(names);
    for (const auto& [name, range] : AssignIdRanges(names, {}))
        EXPECT_EQ(range.base, forward.at(name).base) << name;
}

TEST(IdRanges, StayTheSameWhenUnitsComeAndGo) {
    const auto before = AssignIdRanges(Names(5000), {});
    for (const auto& [name, range] : AssignIdRanges(Names(10'000), before))
        if (auto old = before.find(name); old != before.end()) {
            EXPECT_EQ(range.base, old->second.base) << name;
        }
    // Files on disk hang on it: this number must never change.
    EXPECT_EQ(AssignIdRanges({"web"}, {}).at("web").base, 1388183552u);
}

TEST(IdMaps, AreWrittenInTheirOrder) {
    const IdMap map = MapOf({.base = 1 << 20, .count = 10});
    EXPECT_EQ(TextOf(map.users), "0 1048576 10\n");
    EXPECT_EQ(map.groups, map.users);
    EXPECT_EQ(TextOf({{0, 5, 1}, {7, 9, 2}}), "0 5 1\n7 9 2\n");
}

TEST(IdMaps, TellTheDevicesId) {
    const std::vector<IdExtent> map = {{0, 100, 1}, {10, 200, 5}};
    EXPECT_EQ(OnDevice(map, 0), 100u);
    EXPECT_EQ(OnDevice(map, 14), 204u);
    for (uint32_t missing : {1u, 9u, 15u, UINT32_MAX})
        EXPECT_EQ(OnDevice(map, missing), std::nullopt);
}

TEST(IdRanges, AvoidWhatIsTaken) {
    const IdRange wanted = AssignIdRanges({"web"}, {}).at("web");
    const auto ranges = AssignIdRanges({"web"}, {{"other", wanted}});
    EXPECT_NE(ranges.at("web").base, wanted.base);
    EXPECT_FALSE(ranges.contains("other")) << "only what was asked for";
}

// --- cgroup
// ----------------------------------------------------------------------------------------

std::vector<std::string> Written(const CgroupLimits& limits) {
    std::vector<std::string> lines;
    for (const auto& attribute : CgroupAttributes(limits))
        lines.push_back(attribute.file + "=" + attribute.value);
    return lines;
}

TEST(CgroupAttributes, OfNoLimitsAreNone) { EXPECT_TRUE(Written({}).empty()); }

TEST(CgroupAttributes, SayEachLimitInTheKernelsWords) {
    EXPECT_EQ(Written({.memory_min = 1,
                       .memory_low = 2,
                       .memory_high = 3,
                       .memory_max = 64 << 20,
                       .memory_swap_max = 0,
                       .tasks_max = 100,
                       .cpu_quota_us = 25'000,
                       .cpu_weight = 50,
                       .cpus = std::string("0-1")}),
              (std::vector<std::string>{
                  "memory.min=1", "memory.low=2", "memory.high=3", "memory.max=67108864",
                  "memory.swap.max=0", "memory.oom.group=1", "pids.max=100", "cpu.max=25000 100000",
                  "cpu.weight=50", "cpuset.cpus=0-1"}));
    EXPECT_EQ(Written({.memory_high = kNoLimit, .tasks_max = kNoLimit}),
              (std::vector<std::string>{"memory.high=max", "pids.max=max"}));
    EXPECT_EQ(Written({.cpu_quota_us = kNoLimit, .cpu_period_us = 5000}),
              std::vector<std::string>{"cpu.max=max 5000"});
    EXPECT_EQ(Written({.cpu_weight = 0}), std::vector<std::string>{"cpu.idle=1"});
    EXPECT_EQ(Written({.memory_max = 1, .oom_group = false}),
              std::vector<std::string>{"memory.max=1"});
    EXPECT_EQ(Written({.memory_zswap_max = kNoLimit,
                       .memory_nodes = std::string("0"),
                       .io = {{.major = 8, .minor = 16, .read_bytes = 10, .writes = 3}}}),
              (std::vector<std::string>{"memory.zswap.max=max", "cpuset.mems=0",
                                        "io.max=8:16 rbps=10 wbps=max riops=max wiops=3"}));
}

TEST(CgroupAttributes, SayAWeightToBothThatWeighDisks) {
    auto weight = [](uint32_t number) { return CgroupAttributes({.io_weight = number}).front(); };
    EXPECT_EQ(weight(100),
              (CgroupAttribute{"io.weight", "default 100", "IOWeight", "io.bfq.weight", "100"}));
    EXPECT_EQ(weight(1).other_value, "1");
    EXPECT_EQ(weight(10'000).value, "default 10000");
    EXPECT_EQ(weight(10'000).other_value, "1000") << "bfq's most";
}

TEST(CgroupAttributes, AreOfKernelOptions) {
    EXPECT_STREQ(KernelOptionOf("memory.zswap.max"), "CONFIG_ZSWAP");
    EXPECT_STREQ(KernelOptionOf("memory.max"), "CONFIG_MEMCG");
    EXPECT_STREQ(KernelOptionOf("cpuset.mems"), "CONFIG_CPUSETS");
    EXPECT_STREQ(KernelOptionOf("cpu.max"), "CONFIG_CFS_BANDWIDTH");
    EXPECT_STREQ(KernelOptionOf("io.max"), "CONFIG_BLK_DEV_THROTTLING");
}

TEST(CgroupDefaults, TakeBackWhatALeafInUseMayHave) {
    auto taken_back = [](const CgroupLimits& limits) {
        std::vector<std::string> lines;
        for (const auto& attribute : CgroupDefaults(limits, "8:0 rbps=5\n8:16 riops=2\n"))
            lines.push_back(attribute.file + "=" + attribute.value);
        return lines;
    };
    EXPECT_EQ(taken_back({}),
              (std::vector<std::string>{
                  "memory.min=0", "memory.low=0", "memory.high=max", "memory.max=max",
                  "memory.swap.max=max", "memory.zswap.max=max", "memory.oom.group=0",
                  "pids.max=max", "cpu.max=max 100000", "cpu.idle=0", "cpu.weight=100",
                  "cpuset.cpus=\n", "cpuset.mems=\n", "io.weight=default 100",
                  "io.max=8:0 rbps=max wbps=max riops=max wiops=max",
                  "io.max=8:16 rbps=max wbps=max riops=max wiops=max"}));
    // What is limited is written after that; an idle leaf takes no weight.
    EXPECT_TRUE(taken_back({.memory_min = 1,
                            .memory_low = 2,
                            .memory_high = 3,
                            .memory_max = 4,
                            .memory_swap_max = 5,
                            .memory_zswap_max = 5,
                            .tasks_max = 6,
                            .cpu_quota_us = 7,
                            .cpu_weight = 0,
                            .cpus = std::string("0"),
                            .memory_nodes = std::string("0"),
                            .io_weight = 7,
                            .io = {{.major = 8, .minor = 0}, {.major = 8, .minor = 16}}})
                    .empty());
    EXPECT_EQ(taken_back({.cpu_weight = 5, .io = {{.major = 8, .minor = 16}}}).back(),
              "io.max=8:0 rbps=max wbps=max riops=max wiops=max");
}

TEST(CgroupCounts, AreFoundByTheirWholeName) {
    constexpr std::string_view kEvents = "low 0\nhigh 1\noom 2\noom_kill 3\noom_group_kill 4\n";
    EXPECT_EQ(FindCount(kEvents, "oom"), 2u);
    EXPECT_EQ(FindCount(kEvents, "oom_kill"), 3u);
    EXPECT_EQ(FindCount(kEvents, "oom_group_kill"), 4u);
    EXPECT_EQ(FindCount(kEvents, "kill"), std::nullopt);
    EXPECT_EQ(FindCount("populated x\n", "populated"), std::nullopt);
    EXPECT_EQ(FindCount("populated\n", "populated"), std::nullopt);
    EXPECT_EQ(FindCount("", "populated"), std::nullopt);
    EXPECT_EQ(FindCount("a 1", "a"), 1u) << "without a newline";
}

// A folder with plain files stands in for the kernel's.
TEST(CgroupLeaf, NamesTheKeyOfALimitThatTheKernelDoesNotTake) {
    testing::TemporaryFolder folder;
    Cgroup leaf(folder / "web");
    auto refused = leaf.Create({.memory_max = 1});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().text(),
              "MemoryMax=: this kernel has no 'memory.max': it needs CONFIG_MEMCG, and no "
              "cgroup_disable= on its command line that takes it away");
    refused = leaf.Create({.io_weight = 1});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().text(),
              "IOWeight=: this kernel has no 'io.weight': it needs CONFIG_BLK_CGROUP_IOCOST "
              "or CONFIG_BFQ_GROUP_IOSCHED, and no cgroup_disable= on its command line that takes "
              "it away");
    folder.Write("web/io.bfq.weight", "");
    EXPECT_TRUE(leaf.Create({.io_weight = 10})) << "one of the two is enough";
    EXPECT_EQ(ReadFile(folder / "web/io.bfq.weight", 10), "10");
    EXPECT_TRUE(leaf.Exists());
    folder.Write("web/pids.max", "");
    EXPECT_TRUE(leaf.Create({.tasks_max = 5})) << "one that is there is taken";
    EXPECT_EQ(ReadFile(folder / "web/pids.max", 10), "5");
}

TEST(CgroupLeaf, ThatIsGoneAnswersWithNothing) {
    Cgroup gone("/nonexistent/web");
    EXPECT_FALSE(gone.Exists());
    EXPECT_FALSE(gone.IsPopulated());
    EXPECT_EQ(gone.OomKills(), 0u);
    EXPECT_EQ(gone.Usage().memory_current, std::nullopt);
    EXPECT_TRUE(gone.Remove()) << "what is gone is removed";
    EXPECT_FALSE(gone.Kill());
    EXPECT_FALSE(gone.SignalAll(15));
}

TEST(CgroupLeaf, ReadsItsUse) {
    testing::TemporaryFolder folder;
    folder.Write("memory.current", "4096\n");
    folder.Write("memory.max", "max\n");
    folder.Write("pids.current", "3\n");
    folder.Write("cpu.stat", "usage_usec 12\nuser_usec 10\n");
    folder.Write("cgroup.events", "populated 1\nfrozen 0\n");
    folder.Write("memory.events", "oom 1\noom_kill 2\n");
    Cgroup leaf(folder.path());
    EXPECT_EQ(leaf.Usage().memory_current, 4096u);
    EXPECT_EQ(leaf.Usage().memory_max, std::nullopt) << "no limit";
    EXPECT_EQ(leaf.Usage().tasks_current, 3u);
    EXPECT_EQ(leaf.Usage().cpu_usec, 12u);
    EXPECT_TRUE(leaf.IsPopulated());
    EXPECT_EQ(leaf.OomKills(), 2u);
}

}  // namespace
}  // namespace husk::container
