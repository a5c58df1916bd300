#include <gtest/gtest.h>

#include "base/text.h"
#include "rootfs/image.h"
#include "tests/lib/temporary_folder.h"

namespace husk::rootfs {
namespace {

void Put(std::string& head, size_t at, uint64_t value, size_t bytes) {
    for (size_t i = 0; i < bytes; ++i) head[at + i] = static_cast<char>(value >> (8 * i));
}

std::string Erofs(uint32_t blocks, unsigned block_bits = 12) {
    std::string head(kImageHeadSize, '\0');
    Put(head, 1024, 0xE0F5E1E2, 4);
    Put(head, 1024 + 12, block_bits, 1);
    Put(head, 1024 + 36, blocks, 4);
    return head;
}

std::string Squashfs(uint64_t bytes) {
    std::string head(kImageHeadSize, '\0');
    Put(head, 0, 0x73717368, 4);
    Put(head, 40, bytes, 8);
    return head;
}

std::string Refusal(std::string_view head, uint64_t size) {
    auto type = ProbeImage(head, size);
    return type ? std::string("taken as ") + FileSystemName(*type) : type.error().text();
}

TEST(ProbeImage, TellsErofsFromSquashfs) {
    EXPECT_EQ(*ProbeImage(Erofs(3), 3 * 4096), ImageType::kErofs);
    EXPECT_EQ(*ProbeImage(Squashfs(5000), 8192), ImageType::kSquashfs);
    EXPECT_EQ(*ProbeImage(Squashfs(200).substr(0, 200), 200), ImageType::kSquashfs);
    EXPECT_STREQ(FileSystemName(ImageType::kErofs), "erofs");
    EXPECT_STREQ(FileSystemName(ImageType::kSquashfs), "squashfs");
}

TEST(ProbeImage, SaysHowMuchIsMissingOfAFileThatIsCutShort) {
    EXPECT_EQ(Refusal(Erofs(3), 3 * 4096 - 1),
              "it is cut short: its erofs header says 12288 bytes, the file has 12287; copy it "
              "again");
    EXPECT_EQ(Refusal(Squashfs(100'000), 4096),
              "it is cut short: its squashfs header says 100000 bytes, the file has 4096; copy it "
              "again");
    EXPECT_NE(Refusal(Erofs(UINT32_MAX, 16), 1 << 20).find("281474976645120 bytes"),
              std::string::npos);
    EXPECT_NE(Refusal(Squashfs(UINT64_MAX), 4096).find("cut short"), std::string::npos);
}

TEST(ProbeImage, RefusesADamagedBlockSize) {
    for (unsigned bits : {0u, 8u, 17u, 63u, 255u})
        EXPECT_NE(Refusal(Erofs(1, bits), 1 << 20).find("damaged"), std::string::npos) << bits;
}

TEST(ProbeImage, SaysWhatAFileIsInstead) {
    std::string tar(1024, '\0');
    tar.replace(257, 5, "ustar");
    std::string ext4(2048, '\0');
    Put(ext4, 1080, 0xEF53, 2);
    const std::pair<std::string, const char*> files[] = {
        {"\x1f\x8b\x08", "a gzip file"},
        {std::string("\xfd"
                     "7zXZ\0",
                     6),
         "an xz file"},
        {"\x28\xb5\x2f\xfd", "a zstd file"},
        {"\x7f"
         "ELF\x02",
         "a program"},
        {"{\"schemaVersion\": 2}", "a text file (JSON?)"},
        {tar, "a tar archive"},
        {ext4, "an ext4 file system"},
        {"hello", "of an unknown type"},
        {std::string(kImageHeadSize, '\xff'), "of an unknown type"},
    };
    for (const auto& [head, words] : files) {
        const std::string text = Refusal(head, head.size());
        EXPECT_NE(text.find(words), std::string::npos) << text;
        EXPECT_NE(text.find("mkfs.erofs"), std::string::npos) << text;
    }
    EXPECT_EQ(Refusal("", 0), "the file is empty");
}

TEST(ProbeImage, ReadsNoByteBehindTheEndAtAnyLength) {
    // The copy has exactly that many bytes, so that the sanitizer sees one too many.
    for (const std::string& head : {Erofs(1), Squashfs(4096), std::string(4096, '\0')})
        for (size_t size = 0; size < 1300; ++size) {
            const std::vector<char> exact(head.begin(), head.begin() + static_cast<long>(size));
            (void)ProbeImage({exact.data(), exact.size()}, size);
        }
}

using Names = std::vector<std::string>;

TEST(FindImage, TriesTheSuffixesInEachFolderInTurn) {
    testing::TemporaryFolder folder;
    folder.Write("b/web.erofs", "");
    folder.Write("b/web.squashfs", "");
    folder.Write("b/plain", "");
    folder.MakeFolder("a/plain.erofs");  // a folder is no image
    const Names folders = {folder / "gone", folder / "a", folder / "b"};
    EXPECT_EQ(*FindImage("web", {"web"}, folders), folder / "b/web.erofs");
    EXPECT_EQ(*FindImage("plain", {"plain"}, folders), folder / "b/plain");
    folder.Write("a/web.squashfs", "");
    EXPECT_EQ(*FindImage("web", {"web"}, folders), folder / "a/web.squashfs");
    EXPECT_EQ(*FindImage("/any/path", {}, folders), "/any/path");
}

TEST(FindImage, TakesTheNameThatSaysMostWhereverItLies) {
    testing::TemporaryFolder folder;
    folder.Write("a/nginx.erofs", "");
    folder.Write("b/nginx_1.27.squashfs", "");
    const Names folders = {folder / "a", folder / "b"}, names = {"nginx_1.27", "nginx"};
    EXPECT_EQ(*FindImage("nginx:1.27", names, folders), folder / "b/nginx_1.27.squashfs");
    EXPECT_EQ(*FindImage("nginx:1.26", {"nginx_1.26", "nginx"}, folders), folder / "a/nginx.erofs");
}

TEST(FindImage, SaysWhatItLookedForAndWhere) {
    EXPECT_EQ(
        FindImage("web", {"web"}, {"/no/a", "/no/b"}).error().text(),
        "image 'web': no 'web.erofs' or 'web.squashfs' in /no/a, /no/b; put the file there or "
        "give its full path");
    EXPECT_EQ(FindImage("x/web:1", {"x_web_1", "web"}, {"/no/a"}).error().text(),
              "image 'x/web:1': no 'x_web_1.erofs', 'x_web_1.squashfs', 'web.erofs' or "
              "'web.squashfs' in /no/a; put the file there or give its full path");
}

TEST(FindImage, SaysWhatIsThereInstead) {
    testing::TemporaryFolder folder;
    folder.Write("nginx_1.26.squashfs", "");
    folder.Write("redis.erofs", "");
    EXPECT_EQ(FindImage("nginx:1.27", {"nginx_1.27", "nginx"}, {folder.path()}).error().text(),
              Cat("image 'nginx:1.27': no 'nginx_1.27.erofs', 'nginx_1.27.squashfs', "
                  "'nginx.erofs' or 'nginx.squashfs' in ",
                  folder.path(),
                  " (there is 'nginx_1.26.squashfs'); put the file there or give its full path"));
}

TEST(NearImages, AreOtherTagsAndMisspeltNamesAndFew) {
    EXPECT_EQ(NearImages({"nginx_1.27", "nginx"}, {"nginx_stable-alpine.erofs", "redis.erofs"}),
              Names{"nginx_stable-alpine.erofs"});
    EXPECT_EQ(NearImages({"mosquitto"}, {"mosqitto.squashfs", "mqtt"}), Names{"mosqitto.squashfs"});
    EXPECT_EQ(NearImages({"web"}, {"web_1", "web_2", "web_2", "web_3", "web_4"}),
              (Names{"web_1", "web_2", "web_3"}));
    EXPECT_EQ(NearImages({"web"}, {}), Names{});
}

TEST(ImageStore, NamesTheFileThatItCannotMount) {
    testing::TemporaryFolder folder;
    ImageStore store(folder / "mounts");
    folder.Write("text", "hello");
    auto text = store.Mount(folder / "text", "");
    ASSERT_FALSE(text);
    EXPECT_EQ(text.error().text().find(Cat("image '", folder / "text", "': it is neither")), 0u)
        << text.error().text();
    EXPECT_FALSE(store.Mount(folder / "gone", ""));
    EXPECT_NE(store.Mount(folder.path(), "").error().text().find("not a regular file"),
              std::string::npos);
}

}  // namespace
}  // namespace husk::rootfs
