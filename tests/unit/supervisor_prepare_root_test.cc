#include "supervisor/prepare_root.h"

#include <gtest/gtest.h>

#include "base/text.h"

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
    for (const char* bad : {"quiet", "husk.root=vda", "husk.root=", "husk.root=/dev/vda husk.rootwait=x",
                            "husk.root=/dev/vda husk.roothash=12", "husk.root=/dev/vda husk.roothash=",
                            "husk.root=/dev/vda husk.roothashdevice=x"})
        EXPECT_FALSE(ParseRootWish(bad)) << bad;
}

}  // namespace
}  // namespace husk::supervisor
