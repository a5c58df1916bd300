#include <gtest/gtest.h>
#include <unistd.h>

#include <vector>

#include "base/text.h"
#include "rootfs/image.h"
#include "rootfs/image_versions.h"
#include "tests/lib/temporary_folder.h"

namespace husk::rootfs {
namespace {

using testing::TemporaryFolder;

// Puts a version there as `husk image add` does.
void Add(const ImageVersions& images, const std::string& name, const std::string& version) {
    auto stage = images.Stage();
    ASSERT_TRUE(stage) << stage.error().text();
    ASSERT_TRUE(WriteFileDurably(stage->path() + "/image.erofs", version));
    Status done = images.Commit(*stage, name, version);
    ASSERT_TRUE(done) << done.error().text();
}

std::string Found(const std::string& name, const std::vector<std::string>& folders) {
    auto file = FindImage(name, {name}, folders);
    return file ? *file : file.error().text();
}

TEST(ImageVersions, AVersionIsAPlainWord) {
    for (const char* good : {"1", "1.2.3", "v1_2", "2026-11-23", "_x"})
        EXPECT_TRUE(IsImageVersion(good)) << good;
    for (const char* bad :
         {"", ".", "..", ".new", "-1", "a/b", "a b", "1:2", "built-in", "current", "state", "a\nb"})
        EXPECT_FALSE(IsImageVersion(bad)) << bad;
    EXPECT_TRUE(IsImageVersion(std::string(64, 'a')));
    EXPECT_FALSE(IsImageVersion(std::string(65, 'a')));
}

TEST(ImageVersions, TheNextNumberIsAboveAllNumbers) {
    EXPECT_EQ(NextVersion({}), "1");
    EXPECT_EQ(NextVersion({"1", "2"}), "3");
    EXPECT_EQ(NextVersion({"7", "1.9", "v8", "built-in"}), "8");
    EXPECT_EQ(NextVersion({"18446744073709551615"}), "1");
}

TEST(ImageVersions, WhatIsSwitchedToIsWhatTheNameMeans) {
    const TemporaryFolder folder;
    folder.Write("other/web.erofs", "built in");
    const ImageVersions images(folder / "images");
    const std::vector<std::string> folders = {folder / "images", folder / "other"};
    EXPECT_EQ(Found("web", folders), folder / "other/web.erofs");
    Add(images, "web", "1");
    Add(images, "web", "2");
    EXPECT_EQ(*images.Current("web"), kBuiltIn);
    EXPECT_EQ(Found("web", folders), folder / "other/web.erofs");
    ASSERT_TRUE(images.SetCurrent("web", "1"));
    EXPECT_EQ(Found("web", folders), folder / "images/web/1/image.erofs");
    ASSERT_TRUE(images.SetCurrent("web", "2"));
    EXPECT_EQ(*images.Current("web"), "2");
    EXPECT_EQ(Found("web", folders), folder / "images/web/2/image.erofs");
    EXPECT_EQ(FindBuiltIn("web", folders), folder / "other/web.erofs");
    ASSERT_TRUE(images.SetCurrent("web", kBuiltIn));
    EXPECT_EQ(Found("web", folders), folder / "other/web.erofs");
}

// Another image than the one that was meant must not run unnoticed.
TEST(ImageVersions, ALinkThatLeadsNowhereIsAnError) {
    const TemporaryFolder folder;
    folder.Write("web.erofs", "built in");
    const ImageVersions images(folder.path());
    Add(images, "web", "1");
    ASSERT_TRUE(images.SetCurrent("web", "1"));
    ASSERT_TRUE(images.Remove("web", "1"));
    EXPECT_NE(Found("web", {folder.path()}).find("its current version '1' is not in"),
              std::string::npos);
    ASSERT_EQ(::unlink((folder / "web/current").c_str()), 0);
    ASSERT_EQ(::symlink("../../etc", (folder / "web/current").c_str()), 0);
    EXPECT_NE(Found("web", {folder.path()}).find("which is no version"), std::string::npos);
    ASSERT_TRUE(images.SetCurrent("web", kBuiltIn));
    EXPECT_EQ(Found("web", {folder.path()}), folder / "web.erofs");
}

TEST(ImageVersions, AVersionIsNeverReplaced) {
    const TemporaryFolder folder;
    const ImageVersions images(folder.path());
    Add(images, "web", "1");
    auto stage = images.Stage();
    ASSERT_TRUE(stage);
    ASSERT_TRUE(WriteFileDurably(stage->path() + "/image.erofs", "other"));
    Status again = images.Commit(*stage, "web", "1");
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code(), EEXIST);
    EXPECT_EQ(*ReadFile(folder / "web/1/image.erofs", 10), "1");
}

TEST(ImageVersions, WhatWasCutShortIsRemovedAndWhatIsBeingAddedIsNot) {
    const TemporaryFolder folder;
    const ImageVersions images(folder.path());
    folder.Write(".new-12345/image.erofs", "half");
    folder.Write(".new-gone-12345/image.erofs", "half");
    {
        auto stage = images.Stage();  // tidies
        ASSERT_TRUE(stage);
        images.Tidy();
        EXPECT_EQ(::access(stage->path().c_str(), F_OK), 0);
        EXPECT_EQ(ListDirectory(folder.path())->size(), 1u);
        EXPECT_TRUE(images.Names()->empty());
    }
    EXPECT_TRUE(ListDirectory(folder.path())->empty());
}

TEST(ImageVersions, TellsWhatIsThere) {
    const TemporaryFolder folder;
    const ImageVersions images(folder.path());
    EXPECT_TRUE(ImageVersions(folder / "none").Names()->empty());
    EXPECT_TRUE(images.Versions("web")->empty());
    Add(images, "web", "2");
    Add(images, "web", "10");
    folder.Write("web/2/image.roothash", "0");
    folder.Write("web/empty/other", "");
    folder.Write("plain.erofs", "");
    EXPECT_EQ(*images.Names(), std::vector<std::string>{"web"});
    auto versions = images.Versions("web");
    ASSERT_EQ(versions->size(), 2u);
    EXPECT_EQ((*versions)[0].version, "10");
    EXPECT_EQ((*versions)[0].size, 2u);
    EXPECT_FALSE((*versions)[0].verity);
    EXPECT_TRUE((*versions)[1].verity);
    EXPECT_GT((*versions)[1].added, 0);
}

}  // namespace
}  // namespace husk::rootfs
