#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"
#include "supervisor/random_seed.h"

namespace husk::supervisor {
namespace {

class RandomSeed : public testing::Test {
  protected:
    void SetUp() override { ASSERT_NE(::mkdtemp(folder_.data()), nullptr); }
    void TearDown() override { EXPECT_TRUE(RemoveTree(folder_)); }
    std::string Seed() { return ReadFile(folder_ + "/random-seed", 1024).value_or("none"); }
    std::string folder_ = "/tmp/husk-seed-XXXXXX";
};

TEST_F(RandomSeed, IsAnotherOneEachTimeAndNobodyElsesToRead) {
    ASSERT_TRUE(KeepSeed(folder_));
    const std::string first = Seed();
    EXPECT_EQ(first.size(), kSeedSize);
    struct stat file {};
    ASSERT_EQ(::stat((folder_ + "/random-seed").c_str(), &file), 0);
    EXPECT_EQ(file.st_mode & 0777, 0600u);
    ASSERT_TRUE(KeepSeed(folder_));
    EXPECT_NE(Seed(), first);
}

TEST_F(RandomSeed, IsUsedOnce) {
    EXPECT_TRUE(RestoreSeed(folder_)) << "none is fine";
    ASSERT_TRUE(KeepSeed(folder_));
    (void)RestoreSeed(folder_);  // who is not root may not give it to the kernel
    EXPECT_EQ(Seed(), "none");
}

TEST_F(RandomSeed, OfAnotherSizeIsSaidAndRemoved) {
    for (const size_t size : {size_t{0}, size_t{7}, kSeedSize + 1}) {
        ASSERT_TRUE(WriteFileAtomically(folder_ + "/random-seed", std::string(size, 'x')));
        const Status restored = RestoreSeed(folder_);
        ASSERT_FALSE(restored);
        EXPECT_NE(restored.error().text().find("random-seed"), std::string::npos);
        EXPECT_EQ(Seed(), "none");
    }
}

}  // namespace
}  // namespace husk::supervisor
