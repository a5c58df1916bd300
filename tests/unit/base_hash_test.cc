#include "base/hash.h"

#include <gtest/gtest.h>

namespace husk {
namespace {

// What the draft's authors give for these; files of the state folder hang on it.
TEST(Hash, IsFnv1a) {
    EXPECT_EQ(HashOn(kHashSeed, ""), 0xcbf29ce484222325u);
    EXPECT_EQ(HashOn(kHashSeed, "a"), 0xaf63dc4c8601ec8cu);
    EXPECT_EQ(HashOn(kHashSeed, "foobar"), 0x85944171f73967e8u);
    EXPECT_EQ(HashOn(HashOn(kHashSeed, "foo"), "bar"), HashOn(kHashSeed, "foobar"));
}

TEST(Hash, PartsHaveAnEnd) {
    EXPECT_NE(HashPartOn(HashPartOn(kHashSeed, "a"), "b"), HashPartOn(kHashSeed, "ab"));
}

}  // namespace
}  // namespace husk
