#include <gtest/gtest.h>

#include "supervisor/disks.h"
#include "supervisor/memory_pressure.h"

namespace husk::supervisor {
namespace {

TEST(WholeDisk, IsTheDeviceOrTheOneThatAPartitionIsOn) {
    EXPECT_EQ(*WholeDisk("/dev/sda", {.number = {8, 0}, .is_block_device = true}),
              (DeviceNumber{8, 0}));
    EXPECT_EQ(*WholeDisk("/dev/sda2", {{8, 2}, true, "8:0\n"}), (DeviceNumber{8, 0}));
    EXPECT_EQ(*WholeDisk("/srv", {{259, 3}, false, "259:0\n"}), (DeviceNumber{259, 0}));
    EXPECT_EQ(*WholeDisk("/dev/mapper/x", {.number = {253, 1}, .is_block_device = true}),
              (DeviceNumber{253, 1}))
        << "a mapped device is limited itself";
}

TEST(WholeDisk, IsAskedForWhereAFileSystemHasNone) {
    const auto none = WholeDisk("/run", {.number = {0, 25}});
    ASSERT_FALSE(none);
    EXPECT_TRUE(none.error().text().starts_with("'/run' lies on no disk of its own"));
    EXPECT_NE(none.error().text().find("name the disk"), std::string::npos);
    for (const char* odd : {"8", "8:x", ":", "8:99999999999"})
        EXPECT_FALSE(WholeDisk("/dev/sda1", {{8, 1}, true, odd})) << odd;
}

TEST(FindIoLimits, OfAPathThatIsNotThereNamesTheKey) {
    config::Unit unit;
    EXPECT_TRUE(FindIoLimits(unit)->empty());
    unit.service.io_write_iops = {{"/nonexistent", 5}};
    const auto limits = FindIoLimits(unit);
    ASSERT_FALSE(limits);
    EXPECT_EQ(limits.error().text(), "IOWriteIOPSMax=: '/nonexistent': No such file or directory");
}

TEST(LimitsMemory, IsForALimitThatIsOne) {
    EXPECT_FALSE(LimitsMemory({}));
    EXPECT_FALSE(LimitsMemory({.memory_max = container::kNoLimit}));
    EXPECT_TRUE(LimitsMemory({.memory_max = 1 << 20}));
    EXPECT_TRUE(LimitsMemory({.memory_high = 1 << 20, .memory_max = container::kNoLimit}));
}

TEST(MemoryPressure, NamesTheLimitThatIsMetFirst) {
    container::CgroupUsage usage{.memory_current = 19 << 20};
    EXPECT_EQ(DescribePressure(usage), "short of memory: stalled for 150ms within 1s");
    usage.memory_max = 20 << 20;
    EXPECT_EQ(DescribePressure(usage),
              "short of memory: stalled for 150ms within 1s at 19.0M of MemoryMax=20.0M");
    usage.memory_high = 19 << 20;
    EXPECT_EQ(DescribePressure(usage),
              "short of memory: stalled for 150ms within 1s at 19.0M of MemoryHigh=19.0M");
}

TEST(DescribeLimits, TellsWhereTheKernelHasOthersAndWhatIsOver) {
    EXPECT_TRUE(DescribeLimits({}, {.memory_current = 5}).empty());
    EXPECT_TRUE(
        DescribeLimits({.memory_max = 4096}, {.memory_current = 5, .memory_max = 4096}).empty());
    EXPECT_TRUE(DescribeLimits({.memory_max = container::kNoLimit}, {.memory_current = 5}).empty());
    EXPECT_EQ(
        DescribeLimits({.memory_max = 5000, .tasks_max = 2},
                       {.memory_current = 8192, .memory_max = 4096, .tasks_current = 3}),
        (std::vector<std::string>{"MemoryMax= is 4096 bytes: the kernel counts whole pages",
                                  "it uses 8.0K, more than MemoryMax=4.9K",
                                  "it has 3 tasks, more than TasksMax=2: it can make no more"}));
}

}  // namespace
}  // namespace husk::supervisor
