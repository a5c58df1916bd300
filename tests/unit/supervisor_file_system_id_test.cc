#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "base/text.h"
#include "supervisor/file_system_id.h"

namespace husk::supervisor {
namespace {

// The head of a device on which `command` (with %s for the file) has made a file system.
std::string MadeBy(const std::string& command, uint64_t size) {
    char path[] = "/tmp/husk-fs-XXXXXX";
    const int file = ::mkstemp(path);
    EXPECT_GE(file, 0);
    EXPECT_EQ(::ftruncate(file, static_cast<off_t>(size)), 0);
    ::close(file);
    const size_t at = command.find("%s");
    const std::string line =
        Cat(command.substr(0, at), path, command.substr(at + 2), " >/dev/null 2>&1");
    const bool made = std::system(line.c_str()) == 0;
    std::ifstream stream(path, std::ios::binary);
    std::string head(kSuperblocks, '\0');
    stream.read(head.data(), static_cast<std::streamsize>(head.size()));
    ::unlink(path);
    return made ? head : std::string();
}

void Put(std::string& head, size_t at, std::string_view bytes) {
    if (head.size() < at + bytes.size()) head.resize(at + bytes.size());
    head.replace(at, bytes.size(), bytes);
}

constexpr const char* kUuid = "6f5b6e2a-6d6b-4b0f-9a52-1f2e3d4c5b6a";
constexpr std::string_view kUuidBytes =
    "\x6f\x5b\x6e\x2a\x6d\x6b\x4b\x0f\x9a\x52\x1f\x2e\x3d\x4c\x5b\x6a";

TEST(FileSystemId, OfExt4AsItsToolMakesIt) {
    const std::string head =
        MadeBy(Cat("/sbin/mke2fs -q -F -t ext4 -L state -U ", kUuid, " %s"), 8 << 20);
    if (head.empty()) GTEST_SKIP() << "no mke2fs here";
    const auto id = IdentifyFileSystem(head);
    ASSERT_TRUE(id);
    EXPECT_EQ(*id, (FileSystemId{"ext4", "state", kUuid, 8 << 20}));
    EXPECT_FALSE(IsBlank(head));
}

TEST(FileSystemId, OfErofsAndSquashfsAsTheirToolsMakeThem) {
    const std::string erofs = MadeBy("mkfs.erofs -U 6f5b6e2a-6d6b-4b0f-9a52-1f2e3d4c5b6a %s /usr/share/misc", 0);
    if (!erofs.empty()) {
        const auto id = IdentifyFileSystem(erofs);
        ASSERT_TRUE(id);
        EXPECT_EQ(id->type, "erofs");
        EXPECT_EQ(id->uuid, kUuid);
    }
    const std::string squashfs = MadeBy("mksquashfs /usr/share/misc %s -noappend", 0);
    if (!squashfs.empty()) {
        const auto id = IdentifyFileSystem(squashfs);
        ASSERT_TRUE(id);
        EXPECT_EQ(id->type, "squashfs");
        EXPECT_GT(id->size, 0u);
    }
    if (erofs.empty() && squashfs.empty()) GTEST_SKIP() << "no mkfs.erofs and no mksquashfs here";
}

TEST(FileSystemId, OfF2fsWithALabelInUtf16) {
    std::string head;
    Put(head, 1024, "\x10\x20\xf5\xf2");
    Put(head, 1024 + 36, std::string_view("\x00\x10\x00\x00\x00\x00\x00\x00", 8));
    Put(head, 1024 + 108, kUuidBytes);
    Put(head, 1024 + 124, std::string_view("d\0\xe4\0\xac\x20\0\0", 8));
    EXPECT_EQ(*IdentifyFileSystem(head), (FileSystemId{"f2fs", "d\u00e4\u20ac", kUuid, 4096 * 4096}));
}

TEST(FileSystemId, OfBtrfsXfsAndFat) {
    std::string head;
    Put(head, (64 << 10) + 64, "_BHRfS_M");
    Put(head, (64 << 10) + 32, kUuidBytes);
    Put(head, (64 << 10) + 299, "pool");
    EXPECT_EQ(*IdentifyFileSystem(head), (FileSystemId{"btrfs", "pool", kUuid, 0}));
    head.clear();
    Put(head, 0, "XFSB");
    Put(head, 4, std::string_view("\x00\x00\x10\x00\x00\x00\x00\x00\x00\x00\x01\x00", 12));
    Put(head, 32, kUuidBytes);
    Put(head, 108, "abcdefghijklm");
    EXPECT_EQ(*IdentifyFileSystem(head), (FileSystemId{"xfs", "abcdefghijkl", kUuid, 4096 * 256}));
    head.clear();
    Put(head, 510, "\x55\xaa");
    EXPECT_FALSE(IdentifyFileSystem(head)) << "a boot sector of anything";
    Put(head, 82, "FAT32   ");
    Put(head, 71, "BOOT       ");
    Put(head, 67, "\x4d\x3c\x2b\x1a");
    EXPECT_EQ(*IdentifyFileSystem(head), (FileSystemId{"vfat", "BOOT", "1A2B-3C4D", 0}));
}

TEST(FileSystemId, NothingIsFoundWhereThereIsNothing) {
    EXPECT_FALSE(IdentifyFileSystem(""));
    EXPECT_FALSE(IdentifyFileSystem(std::string(kSuperblocks, '\0')));
    EXPECT_TRUE(IsBlank(std::string(kSuperblocks, '\0')));
    EXPECT_FALSE(IsBlank(std::string(100, '\0') + "x"));
    std::string cut;
    Put(cut, 1024 + 0x38, "\x53\xef");
    EXPECT_EQ(*IdentifyFileSystem(cut), (FileSystemId{"ext4", "", "", 0})) << "cut short";
}

}  // namespace
}  // namespace husk::supervisor
