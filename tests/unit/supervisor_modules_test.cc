#include <gtest/gtest.h>

#include "supervisor/modules.h"

namespace husk::supervisor {
namespace {

using Files = std::vector<std::string>;

constexpr std::string_view kModulesDep =
    "kernel/fs/ext4/ext4.ko: kernel/fs/jbd2/jbd2.ko kernel/fs/mbcache.ko kernel/lib/crc16.ko\n"
    "kernel/fs/jbd2/jbd2.ko:\n"
    "kernel/fs/mbcache.ko:\n"
    "kernel/lib/crc16.ko:\n"
    "kernel/drivers/md/dm-verity.ko: kernel/drivers/md/dm-mod.ko kernel/drivers/md/dm-bufio.ko\n"
    "kernel/drivers/md/dm-bufio.ko: kernel/drivers/md/dm-mod.ko\n"
    "kernel/drivers/md/dm-mod.ko:\n"
    "kernel/a.ko: kernel/b.ko\n"
    "kernel/b.ko: kernel/a.ko\n"
    "kernel/self.ko: kernel/self.ko\n"
    "kernel/lonely.ko: kernel/gone.ko\n"
    "a line without an end";

Files Order(std::string_view module) {
    auto order = ModuleOrder(kModulesDep, module);
    return order ? *order : Files{order.error().text()};
}

TEST(Modules, ComeAfterWhatTheyNeed) {
    EXPECT_EQ(Order("ext4"), (Files{"kernel/fs/jbd2/jbd2.ko", "kernel/fs/mbcache.ko",
                                    "kernel/lib/crc16.ko", "kernel/fs/ext4/ext4.ko"}));
    EXPECT_EQ(Order("dm-verity"),
              (Files{"kernel/drivers/md/dm-mod.ko", "kernel/drivers/md/dm-bufio.ko",
                     "kernel/drivers/md/dm-verity.ko"}))
        << "each once, also where the file lists them the other way round";
    EXPECT_EQ(Order("crc16"), Files{"kernel/lib/crc16.ko"});
}

TEST(Modules, MayBeWrittenWithDashesOrUnderscores) {
    EXPECT_EQ(Order("dm_mod"), Order("dm-mod"));
    EXPECT_EQ(Order("dm_mod"), Files{"kernel/drivers/md/dm-mod.ko"});
    EXPECT_EQ(Order("dm-mod.ko"), Order("dm-mod"));
}

TEST(Modules, ThatNeedEachOtherEndWithoutAnError) {
    EXPECT_EQ(Order("a"), (Files{"kernel/b.ko", "kernel/a.ko"}));
    EXPECT_EQ(Order("self"), Files{"kernel/self.ko"});
}

TEST(Modules, ThatAreUnknownAreRefusedByName) {
    EXPECT_EQ(Order("ext5"), Files{"module 'ext5': not in modules.dep"});
    EXPECT_FALSE(ModuleOrder(kModulesDep, ""));
    EXPECT_FALSE(ModuleOrder("", "ext4"));
    EXPECT_EQ(Order("lonely"), Files{"kernel/lonely.ko"}) << "the kernel says what it misses";
}

TEST(Modules, AreFoundByWhatADeviceSaysItIs) {
    constexpr std::string_view kAliases =
        "# Aliases extracted from modules themselves.\n"
        "alias virtio:d00000002v* virtio_blk\n"
        "alias pci:v00008086d0000100Esv*sd*bc*sc*i* e1000\n"
        "alias acpi*:PNP0C0C:* button\n"
        "alias usb:v*p*d*dc*dsc*dp*ic08isc0[0-6]ip50in* usb_storage\n"
        "alias fs-ext4 ext4\n"
        "alias virtio:d00000002v* virtio_blk_2\n"
        "alias\nalias x\nalias  y";
    auto match = [&](std::vector<std::string> wanted) { return MatchAliases(kAliases, wanted); };
    EXPECT_EQ(match({"virtio:d00000002v00001AF4"}), (Files{"virtio_blk", "virtio_blk_2"}));
    EXPECT_EQ(match({"acpi:PNP0C0C:"}), Files{"button"});
    EXPECT_EQ(match({"usb:v1p2d3dc0dsc0dp0ic08isc06ip50in00"}), Files{"usb_storage"});
    EXPECT_EQ(match({"fs-ext4", "fs-f2fs"}), Files{"ext4"});
    EXPECT_EQ(match({"pci:v00008086d0000100Esv1sd2bc3sc4i5", "fs-ext4"}), (Files{"e1000", "ext4"}));
    EXPECT_TRUE(match({"", "fs-ext", "pci:v00008086"}).empty());
    EXPECT_TRUE(match({}).empty());
}

TEST(Modules, NoneToLoadIsNoError) { EXPECT_TRUE(LoadModules({}).empty()); }

}  // namespace
}  // namespace husk::supervisor
