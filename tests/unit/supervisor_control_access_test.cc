#include <gtest/gtest.h>

#include "supervisor/control_access.h"

namespace husk::supervisor {
namespace {

TEST(ControlAccess, OfRootAndOfTheSupervisorsOwnUserIsAll) {
    EXPECT_EQ(AccessOf({.uid = 0, .gid = 7, .groups = {}}, 0, std::nullopt), Access::kAll);
    EXPECT_EQ(AccessOf({.uid = 1000, .gid = 7, .groups = {}}, 1000, std::nullopt), Access::kAll);
}

TEST(ControlAccess, OfMembersOfTheGroupIsToRead) {
    EXPECT_EQ(AccessOf({.uid = 1000, .gid = 90, .groups = {}}, 0, 90), Access::kRead);
    EXPECT_EQ(AccessOf({.uid = 1000, .gid = 1000, .groups = {4, 90}}, 0, 90), Access::kRead);
}

TEST(ControlAccess, OfAnybodyElseIsNone) {
    EXPECT_EQ(AccessOf({.uid = 1000, .gid = 1000, .groups = {4, 24}}, 0, 90), Access::kNone);
    EXPECT_EQ(AccessOf({.uid = 1000, .gid = 90, .groups = {90}}, 0, std::nullopt), Access::kNone);
    // Root of a container, as the device counts: "root" and "husk" in there, nobody out here.
    EXPECT_EQ(AccessOf({.uid = 1'048'576, .gid = 1'048'666, .groups = {1'048'666}}, 0, 90),
              Access::kNone);
    // Ids that the device's namespace has no number for.
    EXPECT_EQ(AccessOf({.uid = 65534, .gid = 65534, .groups = {65534}}, 0, 90), Access::kNone);
}

TEST(ControlAccess, FindsTheGroupInTheDevicesFile) {
    EXPECT_EQ(FindReaders("root:x:0:\nhusk:x:90:anna\n"), 90u);
    EXPECT_EQ(FindReaders("root:x:0:\nhuskies:x:91:\n"), std::nullopt);
    EXPECT_EQ(FindReaders(""), std::nullopt);
    EXPECT_EQ(FindReaders("husk:x:many:\n"), std::nullopt);
    EXPECT_EQ(FindReaders("husk:x:0:\n"), std::nullopt) << "a group of root's gives nobody more";
}

}  // namespace
}  // namespace husk::supervisor
