#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "base/error.h"
#include "base/file.h"
#include "base/machine_id.h"
#include "tests/lib/temporary_folder.h"

namespace husk {
namespace {

using testing::TemporaryFolder;

TEST(Errors, CarryErrnoAndAChainOfContext) {
    errno = ENOSPC;
    Error error = Error::FromErrno("mount 'tmpfs' on '/tmp'").Wrap("unit 'web'");
    EXPECT_EQ(error.code(), ENOSPC);
    EXPECT_EQ(error.text(), "unit 'web': mount 'tmpfs' on '/tmp': No space left on device");
    EXPECT_EQ(Error::Because("no command").code(), 0);
}

TEST(Errors, AreReturnedEarlyWithContext) {
    auto outer = []() -> Status {
        HUSK_TRY_WRAP(Status(Fail("inner")), "outer");
        ADD_FAILURE() << "went on";
        return {};
    };
    EXPECT_EQ(outer().error().text(), "outer: inner");
}

TEST(Files, ThatAreNotRegularAreNotEvenOpened) {
    TemporaryFolder folder;
    folder.Write("file", "text");
    ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
    auto open = [&](const std::string& path) -> Result<OwnedFd> {
        auto at = OpenFile(path, O_PATH);
        if (!at) return Fail(std::move(at).error());
        return OpenRegularFile(*at, path);
    };
    auto file = open(folder / "file");
    ASSERT_TRUE(file);
    EXPECT_EQ(ReadAll(file->get(), 100, "file").value_or(""), "text");
    for (const std::string& path : {folder / "pipe", folder.path(), std::string("/dev/null")}) {
        auto other = open(path);  // would wait for ever for a writer to the pipe
        ASSERT_FALSE(other) << path;
        EXPECT_EQ(other.error().text(), "'" + path + "' is not a regular file");
    }
}

TEST(Files, AreReadUpToTheLimitAndNoFurther) {
    TemporaryFolder folder;
    for (size_t size : {0, 1, 4095, 4096, 4097, 20000}) {
        const std::string text(size, 'x');
        folder.Write("file", text);
        auto whole = ReadFile(folder / "file", size);
        ASSERT_TRUE(whole) << size;
        EXPECT_EQ(*whole, text);
        if (size == 0) continue;
        auto over = ReadFile(folder / "file", size - 1);
        ASSERT_FALSE(over) << size;
        EXPECT_EQ(over.error().code(), EFBIG);
        EXPECT_NE(over.error().text().find(std::to_string(size - 1)), std::string::npos);
    }
}

TEST(Files, ThatAreMissingAreNamed) {
    auto missing = ReadFile("/nonexistent/x", 10);
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code(), ENOENT);
    EXPECT_EQ(missing.error().text(), "open '/nonexistent/x': No such file or directory");
    EXPECT_FALSE(ReadFile("/", 10)) << "a folder is no file";
}

TEST(Files, AreOpenedCloseOnExec) {
    auto fd = OpenFile("/dev/null", O_RDONLY);
    ASSERT_TRUE(fd);
    EXPECT_TRUE(::fcntl(fd->get(), F_GETFD) & FD_CLOEXEC);
}

TEST(Files, AreReplacedWhole) {
    TemporaryFolder folder;
    folder.Write("record", "old");
    auto before = OpenFile(folder / "record", O_RDONLY);
    ASSERT_TRUE(WriteFileAtomically(folder / "record", "new", 0600));
    EXPECT_EQ(ReadFile(folder / "record", 10), "new");
    EXPECT_EQ(ReadAll(before->get(), 10, "record"), "old") << "who has it open keeps the old one";
    struct stat file {};
    ASSERT_EQ(::stat((folder / "record").c_str(), &file), 0);
    EXPECT_EQ(file.st_mode & 0777, 0600u);
    EXPECT_EQ(*ListDirectory(folder.path()), std::vector<std::string>{"record"});
}

TEST(Files, ThatCannotBeReplacedLeaveNothingBehind) {
    TemporaryFolder folder;
    folder.MakeFolder("record/inside");  // nothing can be renamed over it
    EXPECT_FALSE(WriteFileAtomically(folder / "record", "new"));
    EXPECT_EQ(*ListDirectory(folder.path()), std::vector<std::string>{"record"});
    EXPECT_FALSE(WriteFileAtomically(folder / "gone/record", "new"));
}

TEST(Files, AreWrittenWholeIntoASlowPipe) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    OwnedFd read(ends[0]), write(ends[1]);
    const std::string text(1 << 20, 'x');
    std::thread writer([&] {
        EXPECT_TRUE(WriteAll(write.get(), text, "pipe"));
        write.reset();
    });
    EXPECT_EQ(ReadAll(read.get(), text.size(), "pipe"), text);
    writer.join();
}

TEST(Attributes, AreWrittenToFilesThatExistOnly) {
    TemporaryFolder folder;
    EXPECT_FALSE(WriteAttribute(folder / "memory.max", "1"));
    folder.Write("memory.max", "");
    EXPECT_TRUE(WriteAttribute(folder / "memory.max", "max"));
    EXPECT_EQ(ReadFile(folder / "memory.max", 10), "max");
    auto refused = WriteAttribute("/dev/full", "1");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().text(), "write '1' to '/dev/full': No space left on device");
}

TEST(Links, ReplaceLinksAndNothingElse) {
    TemporaryFolder folder;
    const std::string link = folder / "disk/by-label/state";
    auto target = [&] { return std::filesystem::read_symlink(link).string(); };
    EXPECT_TRUE(MakeLink(link, "../../sda1"));
    EXPECT_TRUE(MakeLink(link, "../../sda1"));
    EXPECT_EQ(target(), "../../sda1");
    EXPECT_TRUE(MakeLink(link, "../../sdb1"));
    EXPECT_EQ(target(), "../../sdb1");
    folder.Write("file", "kept");
    EXPECT_EQ(MakeLink(folder / "file", "x").error().code(), EEXIST);
    EXPECT_EQ(ReadFile(folder / "file", 10), "kept");
}

TEST(MachineIds, AreThirtyTwoDigits) {
    TemporaryFolder folder;
    auto id = [&](const std::string& text) {
        folder.Write("machine-id", text);
        return ReadMachineId(folder / "machine-id");
    };
    EXPECT_EQ(id("0123456789abcdef0123456789abcdef\n"), "0123456789abcdef0123456789abcdef");
    for (const char* none : {"", "uninitialized\n", "0123456789ABCDEF0123456789abcdef\n",
                             "0123456789abcdef0123456789abcde\n",
                             "00000000000000000000000000000000\n"})
        EXPECT_EQ(id(none), "") << none;
    EXPECT_EQ(ReadMachineId(folder / "gone"), "");
}

TEST(Folders, AreMadeWithTheirParents) {
    TemporaryFolder folder;
    EXPECT_TRUE(MakeDirectories(folder / "a/b//c/"));
    EXPECT_TRUE(MakeDirectories(folder / "a/b/c"));
    EXPECT_EQ(*ListDirectory(folder / "a/b"), std::vector<std::string>{"c"});
    folder.Write("file", "");
    EXPECT_FALSE(MakeDirectories(folder / "file/a"));
}

TEST(Folders, AreListedSortedWithHiddenNames) {
    TemporaryFolder folder;
    for (const char* name : {"b", ".hidden", "a"}) folder.Write(name, "");
    EXPECT_EQ(*ListDirectory(folder.path()), (std::vector<std::string>{".hidden", "a", "b"}));
    EXPECT_EQ(ListDirectory(folder / "gone").error().code(), ENOENT);
}

TEST(Folders, AreMountPointsWhereAnotherFileSystemLies) {
    EXPECT_TRUE(IsMountPoint("/proc"));
    EXPECT_FALSE(IsMountPoint("/proc/self"));
    EXPECT_FALSE(IsMountPoint("/nonexistent"));
}

}  // namespace
}  // namespace husk
