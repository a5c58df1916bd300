#include <gtest/gtest.h>
#include <sys/stat.h>

#include "rootfs/attach.h"
#include "rootfs/look_up.h"
#include "tests/lib/temporary_folder.h"

namespace husk::rootfs {
namespace {

using Kind = PathFact::Kind;

class LookUpInTree : public ::testing::Test {
  protected:
    void SetUp() override {
        folder_.Write("secret", "outside");
        folder_.MakeFolder("root/run");
        folder_.Write("root/etc/passwd", "inside");
        folder_.Write("root/etc/hosts", "");
    }
    PathFact Ask(const std::string& path) { return Tree::Open(folder_ / "root")->LookUp(path); }
    std::string Read(const std::string& path, size_t limit = 100) {
        return Tree::Open(folder_ / "root")->ReadText(path, limit).value_or("?");
    }

    testing::TemporaryFolder folder_;
};

TEST_F(LookUpInTree, TellsWhatIsThere) {
    EXPECT_EQ(Ask("/").kind, Kind::kDirectory);
    EXPECT_EQ(Ask("/").path, "/");
    EXPECT_EQ(Ask("/run").kind, Kind::kDirectory);
    EXPECT_EQ(Ask("/etc/passwd").kind, Kind::kFile);
    EXPECT_FALSE(Ask("/etc/passwd").empty);
    EXPECT_TRUE(Ask("/etc/hosts").empty);
    EXPECT_EQ(Ask("/etc/passwd").path, "/etc/passwd");
    ASSERT_EQ(::mkfifo((folder_ / "root/pipe").c_str(), 0600), 0);
    EXPECT_EQ(Ask("/pipe").kind, Kind::kOther);
    ASSERT_EQ(::chmod((folder_ / "root/run").c_str(), 01777), 0);
    EXPECT_EQ(Ask("/run").mode & 07777, 01777u);
}

TEST_F(LookUpInTree, GivesThePathOfAMissingOneAsFarAsItExists) {
    folder_.Link("root/var/run", "/run");
    EXPECT_EQ(Ask("/srv/a/b").kind, Kind::kMissing);
    EXPECT_EQ(Ask("/srv/a/b").path, "/srv/a/b");
    EXPECT_EQ(Ask("/var/run").path, "/run");
    EXPECT_EQ(Ask("/var/run/app/socket").path, "/run/app/socket");
    EXPECT_EQ(Ask("/etc/passwd/x").kind, Kind::kMissing);
}

TEST_F(LookUpInTree, NeverLeavesTheTreeByALink) {
    folder_.Link("root/absolute", "/secret");
    folder_.Link("root/relative", "../secret");
    folder_.Link("root/deep", "../../../../../../../../etc/passwd");
    folder_.Link("root/chain", "up/../secret");
    folder_.Link("root/up", "..");
    folder_.Link("root/host", folder_ / "secret");
    for (const char* path : {"/absolute", "/relative", "/chain", "/host", "/up/secret",
                             "/../secret", "/etc/../../secret"}) {
        EXPECT_EQ(Ask(path).kind, Kind::kMissing) << path;
        EXPECT_EQ(Read(path), "") << path;
    }
    EXPECT_EQ(Read("/deep"), "inside") << "above the root is the root";
    EXPECT_EQ(Ask("/up/etc/passwd").path, "/etc/passwd");
}

TEST_F(LookUpInTree, FollowsNoMagicLink) {
    folder_.Link("root/fd", "/proc/self/root");
    EXPECT_EQ(Ask("/fd").kind, Kind::kMissing);
    auto proc = Tree::Open("/proc");
    ASSERT_TRUE(proc);
    EXPECT_EQ(proc->LookUp("/self/root").kind, Kind::kMissing);
    EXPECT_EQ(proc->ReadText("/self/root/etc/passwd", 100000).value_or("?"), "");
}

TEST_F(LookUpInTree, EndsOnLinksThatGoInCirclesOrNowhere) {
    folder_.Link("root/a", "b");
    folder_.Link("root/b", "a");
    folder_.Link("root/dangling", "/run/gone");
    EXPECT_EQ(Ask("/a").kind, Kind::kMissing);
    EXPECT_EQ(Ask("/a/b/c").kind, Kind::kMissing);
    EXPECT_EQ(Ask("/dangling").kind, Kind::kMissing);
    EXPECT_EQ(Ask("/dangling").path, "/dangling") << "a layer covers the link";
    EXPECT_EQ(Ask(std::string("/") + std::string(5000, 'x')).kind, Kind::kMissing);
    EXPECT_EQ(Ask("").kind, Kind::kMissing);
}

TEST_F(LookUpInTree, ReadsSmallFilesAndNeverWaitsForAPipe) {
    EXPECT_EQ(Read("/etc/passwd"), "inside");
    EXPECT_EQ(Read("/etc/passwd", 3), "") << "over the limit";
    EXPECT_EQ(Read("/etc"), "");
    ASSERT_EQ(::mkfifo((folder_ / "root/pipe").c_str(), 0600), 0);
    EXPECT_EQ(Read("/pipe"), "");
}

TEST_F(LookUpInTree, KnowsTheRootOfTheDeviceToo) {
    auto tree = Tree::Open("/");
    ASSERT_TRUE(tree);
    EXPECT_EQ(tree->LookUp("/").path, "/");
    EXPECT_EQ(tree->LookUp("/proc").path, "/proc");
    EXPECT_EQ(tree->LookUp("/nonexistent/x").path, "/nonexistent/x");
    EXPECT_EQ(Tree::Open(folder_ / "gone").error().code(), ENOENT);
    EXPECT_EQ(Tree::Open(folder_ / "secret").error().code(), ENOTDIR);
}

TEST(Attachments, ThatCannotBeMadeNameTheirSource) {
    auto gone = OpenAttachment({.source = "/nonexistent/volume"});
    ASSERT_FALSE(gone);
    EXPECT_NE(gone.error().text().find("mount '/nonexistent/volume'"), std::string::npos);
}

TEST_F(LookUpInTree, ALinkInASharedFolderLeadsNoMountOut) {
    folder_.Link("bent", "/etc");
    folder_.Link("up", "../..");
    folder_.Link("magic", "/proc/self/cwd");
    for (const char* name : {"bent", "bent/ssl", "up", "magic"}) {
        auto out = OpenAttachment({.source = folder_ / name}, folder_.path());
        ASSERT_FALSE(out) << name;
        EXPECT_NE(out.error().text().find("leads out of it"), std::string::npos)
            << out.error().text();
    }
}

}  // namespace
}  // namespace husk::rootfs
