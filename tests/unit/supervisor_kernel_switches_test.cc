#include <gtest/gtest.h>

#include "config/load.h"
#include "supervisor/kernel_switches.h"

namespace husk::supervisor {
namespace {

using Names = std::vector<std::string>;

TEST(KernelSwitches, MaskUnitsByAnyNumberOfWords) {
    EXPECT_EQ(MaskedUnits("quiet husk.mask=web root=/dev/vda husk.mask=db.container,worker@\n"),
              (Names{"web", "db", "worker@"}));
    EXPECT_EQ(MaskedUnits("husk.mask=web,web husk.mask=web"), Names{"web"});
}

TEST(KernelSwitches, WithoutANameMaskNothing) {
    for (const char* line : {"", "husk.mask", "husk.mask=", "husk.mask=,.container,", "xhusk.mask=a",
                             "systemd.mask=a"})
        EXPECT_EQ(MaskedUnits(line), Names{}) << line;
}

TEST(KernelSwitches, MaskATemplateWithAllItsInstances) {
    EXPECT_TRUE(config::Masks("web", "web"));
    EXPECT_TRUE(config::Masks("worker@", "worker@a"));
    EXPECT_TRUE(config::Masks("worker@", "worker@"));
    EXPECT_TRUE(config::Masks("worker@a", "worker@a"));
    EXPECT_FALSE(config::Masks("worker@a", "worker@b"));
    EXPECT_FALSE(config::Masks("worker", "worker@a"));
    EXPECT_FALSE(config::Masks("", "web"));
}

}  // namespace
}  // namespace husk::supervisor
