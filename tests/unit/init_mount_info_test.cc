#include <cstring>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "init/mount_info.h"

namespace husk::init {
namespace {

struct Parsed {
    bool good = false;
    uint64_t id = 0;
    uint64_t parent = 0;
    std::string target;
    std::string type;
};

Parsed Parse(std::string line) {
    const auto entry = ParseMountLine(line.data(), line.size());
    if (!entry) return {};
    EXPECT_EQ(std::strlen(entry->target.data()), entry->target.size());
    return {true, entry->id, entry->parent, std::string(entry->target), std::string(entry->type)};
}

// The targets that a reader with so small a buffer finds.
std::vector<std::string> ReadAllTargets(std::string_view text, size_t room) {
    int pipe_ends[2];
    EXPECT_EQ(::pipe(pipe_ends), 0);
    const OwnedFd read_end(pipe_ends[0]);
    OwnedFd write_end(pipe_ends[1]);
    EXPECT_EQ(::write(write_end.get(), text.data(), text.size()),
              static_cast<ssize_t>(text.size()));
    write_end.reset();
    std::vector<char> buffer(room);
    MountReader reader(read_end.get(), buffer.data(), room);
    std::vector<std::string> targets;
    while (const auto entry = reader.Next()) targets.emplace_back(entry->target);
    return targets;
}

TEST(MountLine, GivesIdParentTargetAndType) {
    const Parsed entry = Parse("28 1 0:25 / /run/husk rw,nosuid - tmpfs tmpfs rw,size=16384k");
    EXPECT_TRUE(entry.good);
    EXPECT_EQ(entry.id, 28u);
    EXPECT_EQ(entry.parent, 1u);
    EXPECT_EQ(entry.target, "/run/husk");
    EXPECT_EQ(entry.type, "tmpfs");
}

TEST(MountLine, PassesOverOptionalFields) {
    EXPECT_EQ(Parse("1 1 8:1 / / rw shared:1 master:2 propagate_from:3 - ext4 /dev/vda rw").type,
              "ext4");
    EXPECT_EQ(Parse("1 1 0:2 / / rw - rootfs").type, "rootfs");
}

TEST(MountLine, DecodesTheTarget) {
    EXPECT_EQ(Parse("1 0 8:1 / /a\\040b\\011c\\134d rw - ext4 x rw").target, "/a b\tc\\d");
    EXPECT_EQ(Parse("1 0 8:1 / /a\\04 rw - ext4 x rw").target, "/a\\04");
    EXPECT_EQ(Parse("1 0 8:1 / /a\\999 rw - ext4 x rw").target, "/a\\999");
}

TEST(MountLine, RefusesWhatIsNone) {
    for (const char* line :
         {"", " ", "1", "1 2 3 4 5", "x 1 0:1 / / rw - ext4 x rw", "1 -1 0:1 / / rw - ext4 x rw",
          "1 1 0:1 / / rw ext4 x rw", "1 1 0:1 / / rw -", "1 1 0:1 /  rw - ext4 x rw",
          "99999999999999999999999 1 0:1 / / rw - ext4 x rw"})
        EXPECT_FALSE(Parse(line).good) << line;
}

TEST(MountReader, ReadsLinesThroughASmallBuffer) {
    std::string text;
    std::vector<std::string> expected;
    for (int number = 0; number < 50; ++number) {
        expected.push_back("/m" + std::to_string(number));
        text += "1 0 8:1 / " + expected.back() + " rw - ext4 x rw\n";
    }
    EXPECT_EQ(ReadAllTargets(text, 40), expected);
    EXPECT_EQ(ReadAllTargets(text, 4096), expected);
}

TEST(MountReader, LeavesOutALineThatDoesNotFitAndGoesOn) {
    const std::string text = "1 0 8:1 / /a rw - ext4 x rw\n2 0 8:1 / /" + std::string(500, 'b') +
                             " rw - ext4 x rw\n3 0 8:1 / /c rw - ext4 x rw\n";
    EXPECT_EQ(ReadAllTargets(text, 64), (std::vector<std::string>{"/a", "/c"}));
}

TEST(MountReader, LeavesOutBrokenLinesAndAnUnfinishedOne) {
    EXPECT_EQ(ReadAllTargets("rubbish\n\n1 0 8:1 / /a rw - ext4 x rw\n2 0 8:1 / /b rw - ex", 64),
              (std::vector<std::string>{"/a"}));
    EXPECT_TRUE(ReadAllTargets("", 64).empty());
}

}  // namespace
}  // namespace husk::init
