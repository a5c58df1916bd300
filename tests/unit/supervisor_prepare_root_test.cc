#include <gtest/gtest.h>

#include "base/text.h"
#include "supervisor/prepare_root.h"

namespace husk::supervisor {
namespace {

const std::string kHash(64, 'a');

TEST(PrepareRoot, WhatTheCommandLineSays) {
    const auto wish = ParseRootWish(Cat("quiet husk.root=PARTLABEL=root husk.roothash=", kHash,
                                        " husk.roothashdevice=/dev/vda3 husk.rootwait=5 ro\n"));
    ASSERT_TRUE(wish);
    EXPECT_EQ(*wish, (RootWish{.root = "PARTLABEL=root",
                               .hashes = "/dev/vda3",
                               .root_hash = kHash,
                               .limit = std::chrono::seconds(5)}));
    EXPECT_EQ(ParseRootWish("husk.root=/dev/vda")->limit, std::chrono::seconds(30));
}

TEST(PrepareRoot, AWordThatIsNotUnderstoodEndsTheBoot) {
    for (const char* bad :
         {"quiet", "husk.root=vda", "husk.root=", "husk.root=/dev/vda husk.rootwait=x",
          "husk.root=/dev/vda husk.rootwait=3601", "husk.root=/dev/vda husk.roothash=12",
          "husk.root=/dev/vda husk.roothash=", "husk.root=/dev/vda husk.roothashdevice=x"})
        EXPECT_FALSE(ParseRootWish(bad)) << bad;
}

TEST(PrepareRoot, TheCommandLineAndTheInitramfsDoNotOverruleEachOther) {
    const RootWish asked{.root = "/dev/vda", .root_hash = kHash};
    const RootWish silent{.root = "/dev/vda"}, unchecked{.root = "/dev/vda", .unchecked = true};
    EXPECT_EQ(*AgreeOnHash(asked, std::nullopt), kHash);
    EXPECT_EQ(*AgreeOnHash(silent, kHash + "\n"), kHash);
    EXPECT_EQ(*AgreeOnHash(asked, std::string(64, 'A') + "\n"), kHash);
    const std::string other(64, 'b');
    for (const RootWish& wish : {asked, unchecked}) {
        const auto hash = AgreeOnHash(wish, other);
        ASSERT_FALSE(hash);
        EXPECT_NE(hash.error().text().find("make them the same"), std::string::npos);
    }
    EXPECT_FALSE(AgreeOnHash(asked, ""));
    EXPECT_FALSE(AgreeOnHash(silent, "none\n"));
}

TEST(PrepareRoot, NothingIsBootedUncheckedUnlessThatWasAskedFor) {
    const auto none = AgreeOnHash(*ParseRootWish("husk.root=/dev/vda"), std::nullopt);
    ASSERT_FALSE(none);
    EXPECT_NE(none.error().text().find("husk.roothash=none"), std::string::npos);
    const auto wish = ParseRootWish("husk.root=/dev/vda husk.roothash=none");
    ASSERT_TRUE(wish);
    EXPECT_EQ(*AgreeOnHash(*wish, std::nullopt), "");
}

}  // namespace
}  // namespace husk::supervisor
