#include <gtest/gtest.h>

#include <vector>

#include "supervisor/device_access.h"

namespace husk::supervisor {
namespace {

constexpr std::string_view kClasses =
    "Character devices:\n  1 mem\n  4 /dev/vc/0\n  4 tty\n136 pts\n188 ttyUSB\n189 usb_device\n\n"
    "Block devices:\n  7 loop\n  8 sd\n 65 sd\n259 blkext\n";
using Majors = std::vector<uint32_t>;

TEST(DeviceClasses, AreFoundByNameAndByPattern) {
    EXPECT_EQ(MajorsOfClass(kClasses, false, "pts"), Majors{136});
    EXPECT_EQ(MajorsOfClass(kClasses, true, "sd"), (Majors{8, 65}));
    EXPECT_EQ(MajorsOfClass(kClasses, false, "tty*"), (Majors{4, 188}));
    EXPECT_EQ(MajorsOfClass(kClasses, false, "?ts"), Majors{136});
    EXPECT_EQ(MajorsOfClass(kClasses, true, "*"), (Majors{7, 8, 65, 259}));
    EXPECT_EQ(MajorsOfClass(kClasses, false, "sd"), Majors{}) << "of the other kind";
    EXPECT_EQ(MajorsOfClass(kClasses, false, "pt"), Majors{});
    EXPECT_EQ(MajorsOfClass("", false, "*"), Majors{});
    EXPECT_EQ(MajorsOfClass("x y\n1 a b\n", false, "*"), Majors{});
}

config::DeviceRule Rule(config::DeviceRule::Kind kind, std::string name,
                        config::DeviceAccess access) {
    return {.kind = kind, .name = std::move(name), .access = access};
}

TEST(DeviceRules, AreThePolicysAndWhatIsAllowed) {
    using Kind = config::DeviceRule::Kind;
    config::Unit unit;
    EXPECT_EQ(*BuildDeviceRules(unit, {}), container::UsualDevices());
    unit.service.device_policy = config::DevicePolicy::kStrict;
    EXPECT_TRUE(BuildDeviceRules(unit, {})->empty());
    unit.service.device_allow = {Rule(Kind::kBlockClass, "sd", {true, false, false}),
                                 Rule(Kind::kNode, "/dev/kmsg", {true, true, false})};
    UnitDevices found{.allowed = {{"/dev/kmsg", false, 1, 11}}, .classes = std::string(kClasses)};
    found.added.push_back(
        {.mapping = {.source = "/dev/x", .destination = "/dev/y", .access = {true, true, true}},
         .found = {{"/dev/x", false, 10, 5}}});
    EXPECT_EQ(*BuildDeviceRules(unit, found),
              (container::DeviceRules{{true, 8, std::nullopt, true, false, false},
                                      {true, 65, std::nullopt, true, false, false},
                                      {false, 1, 11, true, true, false},
                                      {false, 10, 5, true, true, true}}));
}

TEST(DeviceRules, OfAClassThatIsNotThereAreAnError) {
    config::Unit unit;
    unit.service.device_allow = {
        Rule(config::DeviceRule::Kind::kCharacterClass, "snd", {true, true, false})};
    const auto rules = BuildDeviceRules(unit, {.classes = std::string(kClasses)});
    ASSERT_FALSE(rules);
    EXPECT_TRUE(rules.error().text().starts_with(
        "DeviceAllow=: /proc/devices has no class 'snd' of character devices"));
}

TEST(DeviceNodes, BelongToTheUnitsUser) {
    UnitDevices found;
    found.added.push_back({.mapping = {.source = "/dev/snd",
                                       .destination = "/dev/audio/in",
                                       .access = {true, false, false}},
                           .found = {{"/dev/snd/timer", false, 116, 33}}});
    found.added.push_back({.mapping = {.source = "/dev/ttyS0",
                                       .destination = "/dev/modem",
                                       .access = {true, true, false}},
                           .found = {{"/dev/ttyS0", false, 4, 64}}});
    const auto nodes = BuildDeviceNodes(found, 1'001'000, 1'000'020);
    ASSERT_EQ(nodes.size(), 2u);
    EXPECT_EQ(nodes[0],
              (rootfs::DeviceNode{"audio/in/timer", false, 116, 33, 0440, 1'001'000, 1'000'020}));
    EXPECT_EQ(nodes[1].path, "modem");
    EXPECT_EQ(nodes[1].mode, 0660u);
    EXPECT_TRUE(BuildDeviceNodes({}, 0, 0).empty());
}

TEST(FindDevices, SaysWhatIsMissingUnlessItMayBe) {
    config::Unit unit;
    unit.container.devices = {{.source = "/dev/nonexistent", .destination = "/dev/x"}};
    auto found = FindDevices(unit);
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().text(),
              "AddDevice=/dev/nonexistent: plug it in, or write AddDevice=-… to go without it: No "
              "such file or directory");
    unit.container.devices[0].optional = true;
    found = FindDevices(unit);
    ASSERT_TRUE(found);
    EXPECT_TRUE(found->added[0].found.empty());
    unit.container.devices = {{.source = "/dev/null", .destination = "/dev/x"}};
    found = FindDevices(unit);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->added[0].found[0].minor, 3u);
}

}  // namespace
}  // namespace husk::supervisor
