#include <gtest/gtest.h>

#include <string>

#include "init/kernel_options.h"

namespace husk::init {
namespace {

TEST(KernelOptions, AreOffWithoutAWord) {
    const KernelOptions options = ParseKernelOptions("console=ttyS0 root=/dev/vda ro quiet\n");
    EXPECT_STREQ(options.console, "");
    EXPECT_FALSE(options.no_console);
    EXPECT_FALSE(options.rescue);
    EXPECT_TRUE(ParseKernelOptions("a husk.rescue b").rescue);
    EXPECT_FALSE(ParseKernelOptions("husk.rescue=1").rescue);
    EXPECT_FALSE(options.root);
    EXPECT_TRUE(ParseKernelOptions("a husk.root=/dev/vda b").root);
    EXPECT_FALSE(options.debug);
}

TEST(KernelOptions, AreFoundAmongTheOthers) {
    const KernelOptions options =
        ParseKernelOptions("a husk.debug  husk.console=/usr/bin/husk-agent -- x\n");
    EXPECT_STREQ(options.console, "/usr/bin/husk-agent");
    EXPECT_TRUE(options.debug);
}

TEST(KernelOptions, NoneSwitchesTheConsoleOffAndTheLastWordWins) {
    EXPECT_TRUE(ParseKernelOptions("husk.console=none").no_console);
    const KernelOptions later = ParseKernelOptions("husk.console=none husk.console=/bin/x");
    EXPECT_FALSE(later.no_console);
    EXPECT_STREQ(later.console, "/bin/x");
    const KernelOptions off = ParseKernelOptions("husk.console=/bin/x husk.console=none");
    EXPECT_TRUE(off.no_console);
    EXPECT_STREQ(off.console, "");
}

TEST(KernelOptions, TakeWholeWordsOnly) {
    const KernelOptions options = ParseKernelOptions("xhusk.debug husk.debugger nohusk.console=/x");
    EXPECT_FALSE(options.debug);
    EXPECT_STREQ(options.console, "");
}

TEST(KernelOptions, APathThatDoesNotFitIsAbsent) {
    const std::string fits(255, 'a');
    EXPECT_EQ(ParseKernelOptions("husk.console=" + fits).console, fits);
    EXPECT_STREQ(ParseKernelOptions("husk.console=" + fits + "a").console, "");
}

}  // namespace
}  // namespace husk::init
