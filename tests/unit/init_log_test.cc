#include <cerrno>
#include <cstdint>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "init/log.h"

namespace husk::init {
namespace {

template <typename... Parts>
std::string Line(const Parts&... parts) {
    LogLine line;
    (line << ... << parts);
    return std::string(line.text());
}

TEST(LogLine, WritesTextAndNumbers) {
    EXPECT_EQ(Line("pid ", 12, ", ", -3, " of ", 0u), "pid 12, -3 of 0");
    EXPECT_EQ(Line(std::numeric_limits<int64_t>::min()), "-9223372036854775808");
    EXPECT_EQ(Line(std::numeric_limits<uint64_t>::max()), "18446744073709551615");
}

TEST(LogLine, WritesErrnoAndWaitStatus) {
    EXPECT_EQ(Line(Errno{ENOENT}), "No such file or directory");
    EXPECT_EQ(Line(WaitStatus{3 << 8}), "exited with status 3");
    EXPECT_EQ(Line(WaitStatus{9}), "was killed by signal 9 (KILL)");
    EXPECT_EQ(Line(WaitStatus{11 | 0x80}), "was killed by signal 11 (SEGV)");
    EXPECT_EQ(Line(WaitStatus{40}), "was killed by signal 40");
}

TEST(LogLine, CutsOffWhatDoesNotFit) {
    LogLine line;
    for (int round = 0; round < 1000; ++round) line << "0123456789" << round;
    EXPECT_LT(line.text().size(), 512u);
    EXPECT_TRUE(line.text().starts_with("01234567890"));
}

}  // namespace
}  // namespace husk::init
