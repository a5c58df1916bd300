#include "supervisor/block_devices.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "supervisor/device_mounts.h"
#include "supervisor/device_rules.h"
#include "supervisor/file_system_tools.h"
#include "supervisor/needed_paths.h"

namespace husk::supervisor {
namespace {

void Put(std::string& disk, size_t at, std::string_view bytes) {
    if (disk.size() < at + bytes.size()) disk.resize(at + bytes.size());
    disk.replace(at, bytes.size(), bytes);
}

std::string Gpt(size_t sector) {
    constexpr std::string_view kType(
        "\xaf\x3d\xc6\x0f\x83\x84\x72\x47\x8e\x79\x3d\x69\xd8\x47\x7d\xe4", 16);
    constexpr std::string_view kUnique(
        "\x2a\x6e\x5b\x6f\x6b\x6d\x0f\x4b\x9a\x52\x1f\x2e\x3d\x4c\x5b\x6a", 16);
    std::string disk(kPartitionTable, '\0');
    Put(disk, 510, "\x55\xaa");
    Put(disk, sector, "EFI PART");
    Put(disk, sector + 72, std::string_view("\2\0\0\0\0\0\0\0", 8));
    Put(disk, sector + 80, std::string_view("\x80\0\0\0", 4));
    Put(disk, sector + 84, std::string_view("\x80\0\0\0", 4));
    const size_t second = 2 * sector + 128;
    Put(disk, second, kType);
    Put(disk, second + 16, kUnique);
    Put(disk, second + 56, std::string_view("c\0o\0n\0f\0", 8));
    return disk;
}

TEST(PartitionTable, OfGptHasUuidsAndLabels) {
    for (size_t sector : {512u, 4096u}) {
        const auto names = ReadPartitionNames(Gpt(sector), sector);
        ASSERT_EQ(names.size(), 1u) << sector;
        EXPECT_EQ(names.at(2), (PartitionName{"6f5b6e2a-6d6b-4b0f-9a52-1f2e3d4c5b6a", "conf"}));
    }
}

TEST(PartitionTable, OfMbrHasTheSignatureAndTheNumber) {
    std::string disk(512, '\0');
    Put(disk, 510, "\x55\xaa");
    EXPECT_TRUE(ReadPartitionNames(disk, 512).empty()) << "no signature";
    Put(disk, 440, "\x4d\x3c\x2b\x1a");
    Put(disk, 446 + 16 + 4, "\x83");
    const auto names = ReadPartitionNames(disk, 512);
    EXPECT_FALSE(names.contains(1));
    EXPECT_EQ(names.at(2).uuid, "1a2b3c4d-02");
    EXPECT_EQ(names.at(17).uuid, "1a2b3c4d-11") << "in an extended one";
}

TEST(PartitionTable, ThatContradictsItselfGivesWhatCanBeRead) {
    std::string disk = Gpt(512);
    Put(disk, 512 + 72, "\xff\xff\xff\xff\xff\xff\xff\xff");
    EXPECT_TRUE(ReadPartitionNames(disk, 512).empty());
    disk = Gpt(512);
    Put(disk, 512 + 84, std::string_view("\1\0\0\0", 4));
    EXPECT_TRUE(ReadPartitionNames(disk, 512).empty());
    disk = Gpt(512);
    Put(disk, 512 + 80, "\xff\xff\xff\xff");
    EXPECT_EQ(ReadPartitionNames(disk, 512).size(), 1u);
    for (size_t size = 0; size < 1300; size += 13)
        (void)ReadPartitionNames(std::string_view(disk).substr(0, size), 512);
}

const std::vector<BlockDevice> kDisks = {
    {.node = "/dev/vda", .blank = true},
    {.node = "/dev/vdb1",
     .file_system = FileSystemId{.type = "ext4", .label = "a/b c", .uuid = "6f5b6e2a-6d6b"},
     .partition = {"aaaa-01", "conf"}},
    {.node = "/dev/vdc", .file_system = FileSystemId{.type = "vfat", .label = "x", .uuid = "1A2B"}},
    {.node = "/dev/vdd", .file_system = FileSystemId{.type = "ext4", .label = "x"}},
};

std::string Find(std::string_view what) {
    auto found = FindBlockDevice(kDisks, what);
    if (!found) return found.error().text();
    return *found == nullptr ? "nothing" : (*found)->node;
}

TEST(BlockDevices, AreFoundByPathAndTags) {
    EXPECT_EQ(Find("/dev/vda"), "/dev/vda");
    EXPECT_EQ(Find("LABEL=a/b c"), "/dev/vdb1");
    EXPECT_EQ(Find("UUID=6F5B6E2A-6D6B"), "/dev/vdb1") << "in either case of letters";
    EXPECT_EQ(Find("PARTLABEL=conf"), "/dev/vdb1");
    EXPECT_EQ(Find("PARTUUID=aaaa-01"), "/dev/vdb1");
    EXPECT_EQ(Find("LABEL=none"), "nothing");
    EXPECT_EQ(Find("LABEL="), "nothing") << "what has no label is not meant";
    EXPECT_EQ(Find("LABEL=x"),
              "'/dev/vdc' and '/dev/vdd' are both LABEL=x; give one of them another, or write the "
              "path in /dev");
}

TEST(BlockDevices, HaveStableNamesThatAPathCanHold) {
    const auto links = DiskLinks(kDisks);
    std::string text;
    for (const DiskLink& link : links) text += Cat(link.path, " ", link.target, "\n");
    EXPECT_EQ(text,
              "/dev/disk/by-label/a\\x2fb\\x20c ../../vdb1\n"
              "/dev/disk/by-partlabel/conf ../../vdb1\n"
              "/dev/disk/by-partuuid/aaaa-01 ../../vdb1\n"
              "/dev/disk/by-uuid/1A2B ../../vdc\n"
              "/dev/disk/by-uuid/6f5b6e2a-6d6b ../../vdb1\n");
    EXPECT_EQ(Describe(kDisks),
              "/dev/vda (blank), /dev/vdb1 (ext4, LABEL=a/b c, PARTLABEL=conf), /dev/vdc (vfat, "
              "LABEL=x), /dev/vdd (ext4, LABEL=x)");
}

TEST(DeviceMounts, ComeOutsideIn) {
    config::SystemConfig system{.state_device = "LABEL=state"};
    system.mounts = {{.where = "/a/b", .at = {}, .what = "LABEL=b"},
                     {.where = "/a", .at = {}, .what = "LABEL=a"},
                     {.where = "", .at = {}, .what = "LABEL=bad"},
                     {.where = "/c", .at = {}}};
    std::string order;
    for (const auto& mount : MountTable(system, "/var/lib/husk")) order += mount.where + " ";
    EXPECT_EQ(order, "/a /a/b /var/lib/husk ");
}

TEST(DeviceMounts, SayWhatIsMissing) {
    DeviceMounts mounts({{.where = "/no/such", .at = {}, .what = "LABEL=gone"}});
    EXPECT_TRUE(mounts.Try(kDisks).empty()) << "it may still come";
    EXPECT_EQ(mounts.WaitsUntil(Instant{}), Instant{} + std::chrono::seconds(10));
    EXPECT_EQ(mounts.Missing("/no/such/folder"), "mount '/no/such' (there is no LABEL=gone)");
    EXPECT_EQ(mounts.Missing("/no/such"), "mount '/no/such' (there is no LABEL=gone)");
    EXPECT_EQ(mounts.Missing("/no/suchlike"), "");
    ASSERT_EQ(mounts.SayMissing(kDisks).size(), 1u);
    DeviceMounts twice({{.where = "/no/such", .at = {}, .what = "LABEL=x"}});
    EXPECT_EQ(twice.Try(kDisks).size(), 1u);
    EXPECT_TRUE(twice.Try(kDisks).empty()) << "each error once";
    EXPECT_FALSE(twice.WaitsUntil(Instant{})) << "waiting does not help";
}

TEST(FileSystemTools, AChecksStatusSaysWhetherToMount) {
    for (int fine : {0, 1, 2, 3}) EXPECT_TRUE(JudgeCheck("e2fsck", fine, "")) << fine;
    EXPECT_EQ(JudgeCheck("e2fsck", 4, "data: UNEXPECTED INCONSISTENCY\n\n").error().text(),
              "e2fsck left errors (status 4: data: UNEXPECTED INCONSISTENCY); run it by hand in the "
              "rescue shell, or set Check=repair");
    for (int bad : {8, 16, 127, 137}) EXPECT_FALSE(JudgeCheck("fsck.f2fs", bad, "x")) << bad;
}

TEST(DeviceRules, TheLastThatSaysItHolds) {
    const std::vector<config::DeviceNode> rules = {
        {.match = "tty*", .at = {}, .group = "dialout", .mode = 0660},
        {.match = "ttyS1", .at = {}, .mode = 0600, .link = "gps"},
        {.match = "snd/*", .at = {}, .group = "audio"},
    };
    EXPECT_EQ(RuleOf(rules, "ttyS0")->mode, 0660u);
    EXPECT_EQ(RuleOf(rules, "ttyS1")->mode, 0600u);
    EXPECT_EQ(RuleOf(rules, "ttyS1")->group, "dialout");
    EXPECT_EQ(RuleOf(rules, "ttyS1")->link, "gps");
    EXPECT_EQ(RuleOf(rules, "snd/timer")->group, "audio");
    EXPECT_FALSE(RuleOf(rules, "snd/by-id/x"));
    EXPECT_FALSE(RuleOf(rules, "sda"));
}

TEST(NeededPaths, AreOfImagesVolumesAndState) {
    config::Unit unit;
    EXPECT_TRUE(NeededPaths(unit, "/s").empty());
    unit.container.image = "web.erofs";
    unit.container.volumes = {{.source = "/data/web"}, {.source = "cache", .named = true}};
    EXPECT_EQ(NeededPaths(unit, "/s"),
              (std::vector<std::string>{"/s/images", "/data/web", "/s/volumes"}));
    unit = {};
    unit.container.rootfs = "/srv/root";
    unit.service.state_directory.paths = {"web"};
    EXPECT_EQ(NeededPaths(unit, "/s"), (std::vector<std::string>{"/srv/root", "/s"}));
}

}  // namespace
}  // namespace husk::supervisor
