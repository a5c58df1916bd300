#include <gtest/gtest.h>

#include "rootfs/users.h"

namespace husk::rootfs {
namespace {

constexpr std::string_view kPasswd =
    "# a comment\n"
    "\n"
    "root:x:0:0:root:/root:/bin/sh\n"
    "broken:x:many:0::/:/bin/sh\n"
    "short:x:5\n"
    "www:x:33:34::/var/www:/usr/sbin/nologin\n"
    "homeless:x:44:44::\n"
    "last:x:4294967295:0::/:\n"
    "1000:x:77:77::/digits:";
constexpr std::string_view kGroup =
    "root:x:0:\n"
    "www:x:34:www\n"
    "tls:x:40:app,www\n"
    "almost:x:41:wwww,ww\n"
    "bad:x::www\n"
    "video:x:42:";

Result<UserIds> Resolve(UserRequest request) { return ResolveUser(request, kPasswd, kGroup); }

TEST(Users, WithoutARequestAreRoot) {
    auto ids = Resolve({});
    ASSERT_TRUE(ids);
    EXPECT_EQ(ids->uid, 0u);
    EXPECT_EQ(ids->home, "/root");
    EXPECT_EQ(ids->shell, "/bin/sh");
    EXPECT_TRUE(ids->groups.empty());
}

TEST(Users, HaveTheirGroupHomeAndTheGroupsThatListThem) {
    auto ids = Resolve({.user = "www"});
    ASSERT_TRUE(ids);
    EXPECT_EQ(ids->uid, 33u);
    EXPECT_EQ(ids->gid, 34u);
    EXPECT_EQ(ids->home, "/var/www");
    EXPECT_EQ(ids->groups, (std::vector<uint32_t>{40}));
    EXPECT_EQ(Resolve({.user = "homeless"})->home, "/");
}

TEST(Users, MayBeNumbersWithAndWithoutAnEntry) {
    auto known = Resolve({.user = "33"});
    EXPECT_EQ(known->name, "www");
    EXPECT_EQ(known->gid, 34u);
    auto unknown = Resolve({.user = "1234"});
    EXPECT_EQ(unknown->uid, 1234u);
    EXPECT_EQ(unknown->gid, 0u);
    EXPECT_EQ(unknown->home, "/");
    EXPECT_EQ(Resolve({.user = "1000"})->uid, 1000u) << "a number is a number, not a name";
}

TEST(Users, TakeAGroupAndMoreGroupsByNameOrNumber) {
    auto ids = Resolve({.user = "www", .group = "video", .group_add = {"tls", "99"}});
    ASSERT_TRUE(ids);
    EXPECT_EQ(ids->gid, 42u);
    EXPECT_EQ(ids->groups, (std::vector<uint32_t>{40, 99}));
    EXPECT_EQ(Resolve({.group = "7"})->gid, 7u);
}

TEST(Users, WithoutAnEntryAreRefusedByName) {
    EXPECT_EQ(Resolve({.user = "nobody"}).error().text(),
              "no user 'nobody' in the container's /etc/passwd; use a number, or add it to the "
              "image");
    EXPECT_EQ(Resolve({.group = "x"}).error().text(),
              "no group 'x' in the container's /etc/group; use a number, or add it to the image");
    EXPECT_FALSE(Resolve({.group_add = {"tls", "x"}}));
    for (const char* bad : {"broken", "short", "last", "4294967295", "-1", "99999999999", "bad"})
        EXPECT_FALSE(Resolve({.user = bad})) << bad;
    EXPECT_FALSE(Resolve({.group = "bad"})) << "its number is empty";
    EXPECT_TRUE(Resolve({.user = "4294967294"}));
}

TEST(Users, OfARootWithoutFilesAreRootAndNobody) {
    EXPECT_EQ(ResolveUser({.user = "nobody"}, DefaultPasswd(), DefaultGroup())->uid, 65534u);
    EXPECT_EQ(ResolveUser({.group = "tty"}, DefaultPasswd(), DefaultGroup())->gid, 5u);
    EXPECT_EQ(ResolveUser({}, "", "")->uid, 0u);
}

}  // namespace
}  // namespace husk::rootfs
