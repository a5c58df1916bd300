#include <cstring>
#include <gtest/gtest.h>

#include "rootfs/image.h"
#include "rootfs/verity.h"

namespace husk::rootfs {
namespace {

constexpr uint64_t kMiB = 1 << 20;

// As veritysetup writes it for 256 blocks of data.
class Superblock {
  public:
    Superblock() {
        block_.replace(0, 8, std::string("verity\0\0", 8));
        Put(8, 1, 4).Put(12, 1, 4);
        block_.replace(32, 6, "sha256");
        Put(64, 4096, 4).Put(68, 4096, 4).Put(72, 256, 8).Put(80, 2, 2).Put(88, 0x01ab, 2);
    }
    Superblock& Put(size_t at, uint64_t value, size_t bytes) {
        for (size_t i = 0; i < bytes; ++i) block_[at + i] = static_cast<char>(value >> (8 * i));
        return *this;
    }
    Superblock& Name(const std::string& algorithm) {
        block_.replace(32, 32, std::string(32, '\0')).replace(32, algorithm.size(), algorithm);
        return *this;
    }
    operator std::string_view() const { return block_; }

  private:
    std::string block_ = std::string(kVeritySuperblockSize, '\0');
};

// The tree behind a file system of one MiB: a superblock, and 2 + 1 blocks of hashes.
VerityPlace Appended() {
    return {.offset = kMiB, .hash_file = kMiB + 4 * 4096, .data = kMiB, .file_system = kMiB - 4096};
}

std::string ErrorOf(std::string_view block, const VerityPlace& place = Appended()) {
    auto tree = ParseVeritySuperblock(block, place);
    return tree ? "" : tree.error().text();
}

TEST(Verity, ReadsWhatVeritysetupWrites) {
    auto tree = ParseVeritySuperblock(Superblock(), Appended());
    ASSERT_TRUE(tree) << tree.error().text();
    EXPECT_EQ(tree->hash_type, 1u);
    EXPECT_EQ(tree->algorithm, "sha256");
    EXPECT_EQ(tree->data_blocks, 256u);
    EXPECT_EQ(tree->salt, "ab01");
    EXPECT_EQ(tree->first_hash, 257u) << "behind the superblock, in hash blocks";
    EXPECT_EQ(VeritySectors(*tree), 2048u);
    EXPECT_EQ(VerityTable(*tree, "/dev/loop0", "/dev/loop1", "0f"),
              "1 /dev/loop0 /dev/loop1 4096 4096 256 257 sha256 0f ab01");
}

TEST(Verity, HasNoSaltWhereItsSizeIsZero) {
    Superblock block;
    block.Put(80, 0, 2);
    EXPECT_EQ(ParseVeritySuperblock(block, Appended())->salt, "-");
}

TEST(Verity, OfAFileOfItsOwnBeginsThere) {
    const VerityPlace place{.offset = 0, .hash_file = 4 * 4096, .data = kMiB, .file_system = kMiB};
    EXPECT_EQ(ParseVeritySuperblock(Superblock(), place)->first_hash, 1u);
}

TEST(Verity, RefusesEveryFieldThatIsOutOfRange) {
    EXPECT_NE(ErrorOf(std::string(512, 'x')), "");
    EXPECT_NE(ErrorOf(std::string_view(Superblock()).substr(0, 511)), "");
    EXPECT_EQ(ErrorOf(Superblock().Put(8, 2, 4)), "its format has version 2, known is 1");
    EXPECT_NE(ErrorOf(Superblock().Put(12, 2, 4)), "");
    for (const char* name : {"", "md5", "sha256/../x", "crc32c"})
        EXPECT_NE(ErrorOf(Superblock().Name(name)), "") << name;
    EXPECT_NE(ErrorOf(Superblock().Name(std::string(32, 'a'))), "") << "without an end";
    for (size_t at : {64, 68})
        for (uint64_t size : {0, 256, 4097, 131072})
            EXPECT_NE(ErrorOf(Superblock().Put(at, size, 4)), "") << at << " " << size;
    EXPECT_NE(ErrorOf(Superblock().Put(72, 0, 8)), "");
    EXPECT_NE(ErrorOf(Superblock().Put(72, UINT64_MAX, 8)), "");
    EXPECT_NE(ErrorOf(Superblock().Put(80, 257, 2)), "");
}

TEST(Verity, ChecksTheSizesAgainstTheFiles) {
    EXPECT_EQ(ErrorOf(Superblock().Put(72, 257, 8)),
              "it is about 1052672 bytes of data, and there are 1048576");
    EXPECT_EQ(ErrorOf(Superblock().Put(72, 100, 8)),
              "it covers 409600 of the file system's 1044480 bytes")
        << "what is not covered is not checked";
    VerityPlace cut = Appended();
    cut.hash_file -= 1;
    EXPECT_NE(ErrorOf(Superblock(), cut).find("it is cut short"), std::string::npos);
}

TEST(Verity, KnowsARootHash) {
    const std::string hash(64, 'a');
    EXPECT_EQ(ParseRootHashText(std::string(64, 'A') + "\n").value_or(""), hash);
    for (const std::string& bad : {std::string(), std::string(63, 'a'), hash + "g", hash + " b"})
        EXPECT_FALSE(ParseRootHashText(bad)) << bad;
    auto tree = ParseVeritySuperblock(Superblock(), Appended());
    EXPECT_TRUE(CheckRootHash(*tree, hash));
    EXPECT_EQ(CheckRootHash(*tree, std::string(128, 'a')).error().text(),
              "the root hash has 128 digits, and a hash by sha256 has 64");
}

TEST(Verity, LooksBesideTheImage) {
    EXPECT_EQ(FilesBeside("/a/web.erofs", ".verity"),
              (std::vector<std::string>{"/a/web.erofs.verity", "/a/web.verity"}));
    EXPECT_EQ(FilesBeside("/a/web", ".verity"), std::vector<std::string>{"/a/web.verity"});
}

}  // namespace
}  // namespace husk::rootfs
