#include <gtest/gtest.h>

#include "base/ip_address.h"
#include "config/network_values.h"

namespace husk {
namespace {

IpAddress At(const char* text) { return *config::ParseIpAddress(text); }
IpPrefix Net(const char* text) { return *config::ParseIpPrefix(text); }

TEST(IpAddress, IsWrittenAsPeopleWriteIt) {
    EXPECT_EQ(FormatAddress(At("10.88.0.1")), "10.88.0.1");
    EXPECT_EQ(FormatAddress(At("fd00:0:0::1")), "fd00::1");
    EXPECT_EQ(FormatPrefix(Net("10.88.0.0/16")), "10.88.0.0/16");
}

TEST(IpAddress, APrefixHasAFirstAndALastAddress) {
    EXPECT_EQ(FirstOf(Net("10.88.3.4/22")), At("10.88.0.0"));
    EXPECT_EQ(LastOf(Net("10.88.3.4/22")), At("10.88.3.255"));
    EXPECT_EQ(LastOf(Net("fd00::/64")), At("fd00::ffff:ffff:ffff:ffff"));
    EXPECT_EQ(LastOf(Net("0.0.0.0/0")), At("255.255.255.255"));
    EXPECT_EQ(FirstOf(Net("1.2.3.4/32")), At("1.2.3.4"));
}

TEST(IpAddress, PrefixesOverlapWhereOneHasTheOther) {
    EXPECT_TRUE(Overlap(Net("10.0.0.0/8"), Net("10.88.0.0/16")));
    EXPECT_TRUE(Overlap(Net("10.88.0.0/16"), Net("10.0.0.0/8")));
    EXPECT_FALSE(Overlap(Net("10.88.0.0/17"), Net("10.88.128.0/17")));
    EXPECT_FALSE(Overlap(Net("::/0"), Net("10.0.0.0/8")));
    EXPECT_TRUE(Contains(Net("10.88.0.0/16"), At("10.88.255.255")));
    EXPECT_FALSE(Contains(Net("10.88.0.0/16"), At("10.89.0.0")));
}

TEST(IpAddress, AdvancesAcrossBytes) {
    EXPECT_EQ(Advance(At("10.0.0.255"), 1), At("10.0.1.0"));
    EXPECT_EQ(Advance(At("fd00::ff"), 257), At("fd00::200"));
    EXPECT_EQ(Distance(At("10.0.0.1"), At("10.0.1.0")), 255u);
    EXPECT_EQ(Distance(At("fd00::1"), At("fd00::1:0")), 0xffffu);
}

}  // namespace
}  // namespace husk
