// With whom a unit shares its namespaces.
#include <gtest/gtest.h>

#include "supervisor/namespaces.h"

namespace husk::supervisor {
namespace {

TEST(NamespacesOfAUnit, AreItsOwnTheDevicesOrSharedWithOthers) {
    const Namespaces device = {1, 2, 3, 4, 5, 6, 7, 8};
    const Namespaces own = {11, 12, 30, 4, 15, 16, 17, 8};
    const auto views = CompareNamespaces(
        own, device, {{"db", {21, 22, 30, 4, 25, 26, 27, 8}}, {"proxy", {31, 32, 30, 34, 35}}});
    ASSERT_EQ(views.size(), 8u);
    EXPECT_STREQ(views[0].kind, "mnt");
    EXPECT_EQ(views[0].inode, 11u);
    EXPECT_TRUE(!views[0].devices && views[0].with.empty()) << "its own";
    EXPECT_STREQ(views[2].kind, "net");
    EXPECT_EQ(views[2].with, (std::vector<std::string>{"db", "proxy"}));
    EXPECT_TRUE(views[3].devices) << "ipc";
    EXPECT_TRUE(views[3].with.empty()) << "who else is on the device says nothing";
    EXPECT_STREQ(views[7].kind, "time");
    EXPECT_TRUE(views[7].devices);
}

TEST(NamespacesOfAUnit, ThatAreNotKnownAreLeftOut) {
    const auto views = CompareNamespaces({11, 0, 13}, {1, 0, 3}, {{"gone", {}}});
    ASSERT_EQ(views.size(), 2u) << "a kernel without that kind, or a process that is gone";
    EXPECT_STREQ(views[1].kind, "net");
    EXPECT_TRUE(views[1].with.empty());
}

TEST(NamespacesOfAUnit, AreReadFromProc) {
    const Namespaces own = ReadNamespaces(0);
    EXPECT_EQ(own, ReadNamespaces(getpid()));
    EXPECT_NE(own[0], 0u);
    EXPECT_EQ(ReadNamespaces(1 << 30), Namespaces{});
}

}  // namespace
}  // namespace husk::supervisor
