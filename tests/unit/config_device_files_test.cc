// [Mounts] and [Devices] of system.conf.
#include <gtest/gtest.h>
#include <sys/mount.h>

#include "base/text.h"
#include "config/device_mount_rules.h"
#include "config/device_values.h"
#include "config/keys.h"

namespace husk::config {
namespace {

struct Read {
    SystemConfig system;
    std::string said;
};

Read Load(std::string_view text) {
    Read out;
    IniFile file = ReadIni("system.conf", text);
    Problems problems = std::move(file.problems);
    ApplySystemFile(out.system, file, "system.conf", {}, problems);
    CheckDeviceMounts(out.system, "system.conf", problems);
    for (const Problem& problem : problems)
        out.said += Cat(std::to_string(problem.at.line), ": ", problem.text, "\n");
    return out;
}

TEST(DeviceFiles, KeysBehindWhereAreAboutThatMount) {
    const Read read = Load(
        "[Mounts]\nWhere=/data/\nWhat=LABEL=data\nType=f2fs\nOptions=noatime,suid,compress=zstd\n"
        "TimeoutSec=3s\nCheck=repair\nMakeFileSystem=yes\nWhere=/b\nType=tmpfs\nOptions=size=1M\n");
    EXPECT_EQ(read.said, "");
    ASSERT_EQ(read.system.mounts.size(), 2u);
    const DeviceMount& data = read.system.mounts[0];
    EXPECT_EQ(data.where, "/data");
    EXPECT_EQ(data.what, "LABEL=data");
    EXPECT_EQ(data.type, "f2fs");
    EXPECT_EQ(data.options.flags, static_cast<unsigned long>(MS_NODEV | MS_NOATIME));
    EXPECT_EQ(data.options.data, "compress=zstd");
    EXPECT_EQ(data.timeout, std::chrono::seconds(3));
    EXPECT_EQ(data.check, DeviceMount::Check::kRepair);
    EXPECT_TRUE(data.make);
    EXPECT_FALSE(data.grow);
    const DeviceMount& other = read.system.mounts[1];
    EXPECT_EQ(other.timeout, std::chrono::seconds(10)) << "as if nothing stood before it";
    EXPECT_EQ(other.check, DeviceMount::Check::kPreen);
    EXPECT_FALSE(other.make);
    EXPECT_EQ(other.options.flags, static_cast<unsigned long>(MS_NOSUID | MS_NODEV));
}

TEST(DeviceFiles, KeysBehindABadPlaceAreNobodys) {
    const Read read = Load("[Mounts]\nWhere=/a\nType=tmpfs\nWhere=data\nType=ext4\n");
    EXPECT_TRUE(read.said.starts_with("4: key 'Where': ")) << read.said;
    EXPECT_EQ(read.system.mounts[0].type, "tmpfs");
    EXPECT_EQ(Load("[Mounts]\nType=ext4\n").said, "2: key 'Type': it stands before any Where=\n");
}

TEST(DeviceFiles, WhatCannotBeMountedIsSaid) {
    for (const char* where : {"/", "/proc/x", "/sys", "/dev/shm", "/run/husk/x", "relative"})
        EXPECT_NE(Load(Cat("[Mounts]\nWhere=", where, "\nType=tmpfs\n")).said, "") << where;
    EXPECT_EQ(Load("[Mounts]\nWhere=/a\n").said, "2: mount '/a': no device is given for it\n");
    EXPECT_EQ(Load("[Mounts]\nWhere=/a\nWhat=sda1\n").said,
              "2: mount '/a': 'sda1' is not a device\n");
    EXPECT_EQ(Load("[Mounts]\nWhere=/a\nWhat=/dev/sda\nMakeFileSystem=yes\n").said,
              "2: mount '/a': husk makes ext4 and f2fs\n");
    EXPECT_EQ(Load("[Mounts]\nWhere=/a\nWhat=/dev/sda\nType=f2fs\nGrowFileSystem=yes\n").said,
              "2: mount '/a': husk does not grow f2fs\n");
    EXPECT_EQ(Load("[Mounts]\nWhere=/a\nType=tmpfs\nWhere=/a\nType=tmpfs\n").said,
              "4: mount '/a': it is there already (line 2)\n");
    EXPECT_EQ(
        Load("[System]\nStateDevice=LABEL=s\n[Mounts]\nWhere=/var/lib/husk\nType=tmpfs\n").said,
        "4: mount '/var/lib/husk': StateDevice= is mounted there\n");
    for (const char* options : {"nofail", "x-systemd.automount", "noatime,,ro", "a b"})
        EXPECT_FALSE(ParseMountOptions(options)) << options;
}

TEST(DeviceFiles, ALaterOptionReplacesAnEarlierOne) {
    auto flags = [](std::string_view text) { return ParseMountOptions(text)->flags; };
    const unsigned long own = MS_NOSUID | MS_NODEV;
    EXPECT_EQ(flags("defaults"), own);
    EXPECT_EQ(flags("ro,rw"), own);
    EXPECT_EQ(flags("noatime,relatime"), own | MS_RELATIME);
    EXPECT_EQ(flags("suid,dev,noexec"), static_cast<unsigned long>(MS_NOEXEC));
}

TEST(DeviceFiles, DevicesAreNamedByPathOrTag) {
    for (const char* good : {"/dev/sda", "/dev/disk/by-label/x", "LABEL=a b", "UUID=1A2B-3C4D",
                             "PARTLABEL=x", "PARTUUID=1a2b3c4d-02"})
        EXPECT_TRUE(ParseBlockDevice(good)) << good;
    for (const char* bad : {"/dev", "sda", "LABEL=", "ID=x", "/etc/x", "/dev/../etc"})
        EXPECT_FALSE(ParseBlockDevice(bad)) << bad;
}

TEST(DeviceFiles, KeysBehindNodeAreAboutThatNode) {
    const Read read = Load(
        "[Devices]\nNode=/dev/ttyUSB*\nUser=7\nGroup=dialout\nMode=0660\nLink=modem\nNode=a/b\n");
    EXPECT_EQ(read.said, "");
    ASSERT_EQ(read.system.nodes.size(), 2u);
    EXPECT_EQ(read.system.nodes[0].match, "ttyUSB*");
    EXPECT_EQ(read.system.nodes[0].user, "7");
    EXPECT_EQ(read.system.nodes[0].group, "dialout");
    EXPECT_EQ(read.system.nodes[0].mode, 0660u);
    EXPECT_EQ(read.system.nodes[0].link, "modem");
    EXPECT_FALSE(read.system.nodes[1].mode);
    for (const char* bad :
         {"Node=../x", "Node=", "Node=/dev/", "Node=x\nMode=4755", "Node=x\nLink=../../etc/passwd"})
        EXPECT_TRUE(bad == std::string_view("Node=") ||
                    !Load(Cat("[Devices]\n", bad, "\n")).said.empty())
            << bad;
}

}  // namespace
}  // namespace husk::config
