#include <gtest/gtest.h>

#include "cli/log_writer.h"

namespace husk::cli {
namespace {

TEST(CliLogWriter, ASpecSaysWhatGoesWhere) {
    const auto spec = ParseLogFileSpec("web@1:www:1048576:3:/var/log/a:b.log");
    ASSERT_TRUE(spec);
    EXPECT_EQ(spec->unit, "web@1");
    EXPECT_EQ(spec->shown, "www");
    EXPECT_EQ(spec->max_size, 1048576u);
    EXPECT_EQ(spec->max_file, 3);
    EXPECT_EQ(spec->path, "/var/log/a:b.log");
    for (const char* bad : {"", "web", "web:www:0:3:/x", "web:www:1:0:/x", "web:www:1:3:x",
                            ":www:1:3:/x", "web:www:1:99999:/x", "web:www:a:3:/x"})
        EXPECT_FALSE(ParseLogFileSpec(bad)) << bad;
}

TEST(CliLogWriter, KeepsATwentiethFreeAndNoMoreThan64M) {
    EXPECT_EQ(LogReserve(1 << 20), (1u << 20) / 20);
    EXPECT_EQ(LogReserve(1ull << 40), 64u << 20);
}

TEST(CliLogWriter, AFileTakesWholeLinesUpToItsSize) {
    EXPECT_EQ(FitLines("one\ntwo\n", 0, 100), 8u);
    EXPECT_EQ(FitLines("one\ntwo\n", 92, 100), 8u);
    EXPECT_EQ(FitLines("one\ntwo\n", 93, 100), 4u);
    EXPECT_EQ(FitLines("one\ntwo\n", 97, 100), 0u);
    EXPECT_EQ(FitLines("one\ntwo\n", 200, 100), 0u);
}

}  // namespace
}  // namespace husk::cli
