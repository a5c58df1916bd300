// Landlock rules by ABI, and what is said when the kernel takes one not.
#include <cerrno>
#include <gtest/gtest.h>

#include "container/id_map.h"
#include "container/landlock.h"
#include "container/launch.h"

namespace husk::container {
namespace {

constexpr uint64_t kExecute = 1, kWriteFile = 2, kReadFile = 4, kReadDirectory = 8,
                   kMakeSym = 1 << 12, kRefer = 1 << 13, kTruncate = 1 << 14,
                   kDeviceIoctl = 1 << 15;

LandlockPlan Of(LandlockSpec spec) {
    auto plan = PlanLandlock(spec);
    EXPECT_TRUE(plan) << (plan ? "" : plan.error().text());
    return plan.value_or(LandlockPlan{});
}

TEST(Landlock, IsNotUsedWhereNothingIsAsked) {
    EXPECT_FALSE(Of({.abi = 6}).IsUsed());
    EXPECT_FALSE(Of({.abi = 0}).IsUsed()) << "a kernel without it is good enough then";
}

TEST(Landlock, IsRefusedWhereTheKernelLacksIt) {
    EXPECT_EQ(PlanLandlock({.write = {{"/data"}}}).error().text(),
              "LandlockWritePaths= needs Landlock, which this kernel lacks: build it with "
              "CONFIG_SECURITY_LANDLOCK, and name landlock in lsm= of its command line or in "
              "CONFIG_LSM; or drop the key");
    EXPECT_EQ(PlanLandlock({.bind_ports = {80}, .abi = 3}).error().text(),
              "LandlockBindPorts= needs kernel 6.7 or later, where Landlock has ABI 4; this one "
              "has ABI 3: drop the key");
}

TEST(Landlock, OfReadingLeavesWritingAsItIs) {
    const auto plan = Of({.read = {{"/usr"}, {"/opt", true}}, .abi = 2});
    EXPECT_EQ(plan.attributes.handled_files, kExecute | kReadFile | kReadDirectory | kRefer);
    ASSERT_EQ(plan.paths.size(), 3u);
    EXPECT_EQ(plan.paths[0].access, kExecute | kReadFile | kReadDirectory);
    EXPECT_EQ(plan.paths[0].file_access, kExecute | kReadFile);
    EXPECT_TRUE(plan.paths[1].optional);
    EXPECT_EQ(plan.paths[2].path, "/");
    EXPECT_EQ(plan.paths[2].access, kRefer) << "renames across folders stay";
    EXPECT_EQ(plan.attributes_size, 8u);
}

TEST(Landlock, OfWritingHasWhatTheAbiKnows) {
    for (auto [abi, more] : {std::pair{1, uint64_t{0}},
                             {2, kRefer},
                             {3, kRefer | kTruncate},
                             {4, kRefer | kTruncate},
                             {5, kRefer | kTruncate | kDeviceIoctl},
                             {6, kRefer | kTruncate | kDeviceIoctl}}) {
        const auto plan = Of({.write = {{"/data"}}, .abi = abi});
        const uint64_t files = plan.attributes.handled_files;
        EXPECT_EQ(files & (kExecute | kReadFile | kReadDirectory), 0u)
            << "reading is not asked about";
        EXPECT_EQ(files & (kRefer | kTruncate | kDeviceIoctl), more) << abi;
        EXPECT_TRUE(files & kWriteFile && files & kMakeSym);
        EXPECT_EQ(plan.paths.at(0).access, files);
        EXPECT_EQ(plan.paths[0].file_access & ~(kWriteFile | kTruncate | kDeviceIoctl), 0u)
            << "a rule on a file takes no rights of directories";
    }
}

TEST(Landlock, OfBothLetsReadWhatMayBeWritten) {
    const auto plan = Of({.read = {{"/usr"}}, .write = {{"/data"}}, .abi = 6});
    ASSERT_EQ(plan.paths.size(), 2u) << "renames hold for the write paths";
    EXPECT_EQ(plan.paths[1].access, plan.attributes.handled_files);
    EXPECT_EQ(plan.paths[0].access, kExecute | kReadFile | kReadDirectory);
}

TEST(Landlock, OfPortsTouchesNoFile) {
    const auto plan = Of({.bind_ports = {80, 443}, .abi = 4});
    EXPECT_EQ(plan.attributes.handled_files, 0u);
    EXPECT_EQ(plan.attributes.handled_network, 1u);
    EXPECT_EQ(plan.bind_ports, (std::vector<uint16_t>{80, 443}));
    EXPECT_EQ(plan.attributes_size, 16u);
    EXPECT_EQ(plan.attributes.scoped, 0u);
}

TEST(Landlock, KeepsSignalsAndAbstractSocketsInsideWhereItCan) {
    EXPECT_EQ(Of({.read = {{"/"}}, .abi = 6}).attributes.scoped, 3u);
    EXPECT_EQ(Of({.read = {{"/"}}, .abi = 6}).attributes_size, 24u);
    EXPECT_EQ(Of({.read = {{"/"}}, .abi = 5}).attributes.scoped, 0u);
}

// --- words of failures
// -----------------------------------------------------------------------------

std::unique_ptr<Plan> PlanOf(ContainerSpec spec) {
    spec.argv = {"/app"};
    spec.root.staging = "/s";
    auto plan = MakePlan(std::move(spec), nullptr);
    EXPECT_TRUE(plan) << (plan ? "" : plan.error().text());
    return plan ? std::move(*plan) : nullptr;
}

TEST(Landlock, NamesThePathThatIsMissing) {
    ContainerSpec spec;
    spec.landlock = {.read = {{"/usr"}, {"/opt"}}, .abi = 4};
    const auto plan = PlanOf(std::move(spec));
    EXPECT_EQ(Explain({.stage = Stage::kLandlock, .step = 1, .error = ENOENT}, *plan, plan->program)
                  .text(),
              "allow '/opt' by Landlock (paths are the container's; with a leading '-' one may be "
              "missing): No such file or directory");
    EXPECT_EQ(Explain({.stage = Stage::kLandlock, .step = 3, .error = E2BIG}, *plan, plan->program)
                  .text(),
              "restrict by Landlock: Argument list too long");
}

TEST(Landlock, IsNamedWhereItMayKeepTheProgramFromRunning) {
    ContainerSpec spec;
    spec.landlock = {.read = {{"/data"}}, .abi = 4};
    const auto plan = PlanOf(std::move(spec));
    EXPECT_NE(Explain({.stage = Stage::kExecute, .error = EACCES}, *plan, plan->program)
                  .text()
                  .find("LandlockReadPaths= must hold the program"),
              std::string::npos);
    EXPECT_EQ(Explain({.stage = Stage::kExecute, .error = ENOENT}, *plan, plan->program)
                  .text()
                  .find("Landlock"),
              std::string::npos);
}

TEST(Sysctl, ThatCannotBeSetIsNamed) {
    ContainerSpec spec;
    spec.user_namespace = MapOf({.base = 1 << 20});
    spec.root.kernel_files = {{"/proc/sys/net/core/nothing", "1"}};
    const auto plan = PlanOf(std::move(spec));
    uint32_t step = 0;
    while (plan->steps->at(step).op != rootfs::TreeOp::kWriteFile) ++step;
    auto text = [&](int error) {
        return Explain({.stage = Stage::kTree, .step = step, .error = error}, *plan, plan->program)
            .text();
    };
    EXPECT_EQ(text(ENOENT),
              "Sysctl=net.core.nothing: this kernel has no such parameter in the container's "
              "namespaces; some are there with UserNS=host only");
    EXPECT_NE(text(EACCES).find("in a user namespace; drop it"), std::string::npos);
    EXPECT_TRUE(text(EINVAL).starts_with("Sysctl=net.core.nothing: Invalid argument"));
}

TEST(TimeOffset, IsWrittenAsTheKernelTakesIt) {
    auto text = [](int64_t offset) {
        ContainerSpec spec;
        spec.time_offset = offset;
        return PlanOf(std::move(spec))->time_offsets;
    };
    EXPECT_EQ(text(0), "");
    EXPECT_EQ(text(3'600'000'000'000), "monotonic 3600 0\nboottime 3600 0\n");
    EXPECT_EQ(text(-1'500'000'000), "monotonic -2 500000000\nboottime -2 500000000\n");
    EXPECT_EQ(text(1), "monotonic 0 1\nboottime 0 1\n");
}

TEST(TimeOffset, ThatTheKernelDoesNotTakeIsNamed) {
    ContainerSpec spec;
    spec.time_offset = -3'600'000'000'000;
    const auto plan = PlanOf(std::move(spec));
    EXPECT_TRUE(Explain({.stage = Stage::kTimeNamespace, .error = ERANGE}, *plan, plan->program)
                    .text()
                    .starts_with("TimeOffset=: a clock that is shifted by -1h would be negative, "
                                 "or beyond what the kernel takes: "));
    EXPECT_NE(Explain({.stage = Stage::kTimeNamespace, .error = EINVAL}, *plan, plan->program)
                  .text()
                  .find("CONFIG_TIME_NS"),
              std::string::npos);
}

}  // namespace
}  // namespace husk::container
