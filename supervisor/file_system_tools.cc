#include "supervisor/file_system_tools.h"

#include <cerrno>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>
#include <vector>

#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/sys.h"
#include "base/text.h"
#include "base/time.h"

namespace husk::supervisor {
namespace {

using Check = config::DeviceMount::Check;

constexpr size_t kMostOutput = 64 << 10;
constexpr std::string_view kMark = "husk: a file system is being made here\n";
constexpr size_t kSector = 512;
#ifndef EXT4_IOC_RESIZE_FS
#define EXT4_IOC_RESIZE_FS _IOW('f', 16, uint64_t)  // include/uapi/linux/ext4.h
#endif

std::optional<std::string> FindTool(std::string_view name) {
    for (const char* folder : {"/sbin/", "/usr/sbin/", "/bin/", "/usr/bin/"})
        if (std::string path = Cat(folder, name); ::access(path.c_str(), X_OK) == 0) return path;
    return std::nullopt;
}

bool IsExt(std::string_view type) { return type == "ext2" || type == "ext3" || type == "ext4"; }

struct Ended {
    int status = 0;  // as a shell counts it
    std::string output;
};

// Runs `words` and waits, however long it takes: a large disk takes minutes. The boot has nothing
// better to do, and the next supervisor must not meet a tool at work.
Result<Ended> RunTool(const std::vector<std::string>& words) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return FailErrno("make a pipe");
    OwnedFd read(ends[0]), write(ends[1]);
    std::vector<char*> argv;
    for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    const pid_t pid = sys::clone3({.flags = sys::kCloneClearSighand, .exit_signal = SIGCHLD});
    if (pid < 0) return FailErrno("make a process");
    if (pid == 0) {
        (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)::dup2(write.get(), STDOUT_FILENO);
        (void)::dup2(write.get(), STDERR_FILENO);
        char* const environment[] = {const_cast<char*>("PATH=/usr/sbin:/usr/bin:/sbin:/bin"),
                                     nullptr};
        (void)::execve(argv[0], argv.data(), environment);
        ::_exit(127);
    }
    write.reset();
    Ended ended;
    char buffer[4096];
    for (;;) {
        const ssize_t got = ::read(read.get(), buffer, sizeof buffer);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        if (ended.output.size() < kMostOutput)
            ended.output.append(buffer, static_cast<size_t>(got));
    }
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return FailErrno("wait for ", words[0]);
    ended.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return ended;
}

// The last line that says something.
std::string LastWords(std::string_view output) {
    std::string last;
    for (std::string_view line : Split(output, '\n'))
        if (!Trim(line).empty()) last = Trim(line);
    return last;
}

struct Device {
    OwnedFd fd;
    uint64_t size = 0;
};
Result<Device> OpenDevice(const std::string& node, int flags) {
    auto fd = OpenFile(node, flags);
    if (!fd) return std::unexpected(std::move(fd).error());
    Device device{.fd = std::move(*fd)};
    if (::ioctl(device.fd.get(), BLKGETSIZE64, &device.size) != 0)
        return FailErrno("ask for the size of ", Quote(node));
    return device;
}

// All of the last sector: the mark and zeros, or zeros alone.
Status WriteMark(const std::string& node, std::string_view mark) {
    auto device = OpenDevice(node, O_WRONLY);
    if (!device) return std::unexpected(std::move(device).error());
    std::string sector(mark);
    sector.resize(kSector);
    if (device->size < kSector ||
        ::pwrite(device->fd.get(), sector.data(), kSector,
                 static_cast<off_t>(device->size - kSector)) != ssize_t{kSector} ||
        ::fsync(device->fd.get()) != 0)
        return FailErrno("write to the end of ", Quote(node));
    return {};
}

}  // namespace

Result<bool> IsHalfMade(const std::string& node) {
    auto device = OpenDevice(node, O_RDONLY);
    if (!device) return std::unexpected(std::move(device).error());
    char end[kMark.size()];
    if (device->size < kSector ||
        ::pread(device->fd.get(), end, sizeof end, static_cast<off_t>(device->size - kSector)) !=
            static_cast<ssize_t>(sizeof end))
        return FailErrno("read the end of ", Quote(node));
    return std::string_view(end, sizeof end) == kMark;
}

Status JudgeCheck(std::string_view tool, int status, std::string_view output) {
    // e2fsck(8) and fsck(8): 1 errors corrected, 2 the system should be rebooted (of a mounted file
    // system, which it is not), 4 errors left, 8 and more: the check itself failed.
    constexpr int kLeft = 4;
    if ((status & ~3) == 0) return {};
    const std::string said = LastWords(output);
    return Fail(tool, status == kLeft ? " left errors" : " failed", " (status ",
                std::to_string(status), said.empty() ? "" : ": ", said,
                "); run it by hand in the rescue shell, or set Check=repair");
}

Status CheckFileSystem(const std::string& node, std::string_view type, Check check) {
    if (check == Check::kNo) return {};
    std::vector<std::string> words;
    if (IsExt(type))
        words = {"e2fsck", check == Check::kRepair ? "-y" : "-p", node};
    else if (type == "f2fs")
        words = {"fsck.f2fs", check == Check::kRepair ? "-y" : "-a", node};
    else
        return {};
    auto tool = FindTool(words[0]);
    if (!tool) return {};
    const std::string name = words[0];
    words[0] = *tool;
    const Instant began = MonotonicNow();
    auto ended = RunTool(words);
    if (!ended) return std::unexpected(std::move(ended).error());
    HUSK_TRY(JudgeCheck(name, ended->status, ended->output));
    LogInfo(name, " ", node, ": ",
            ended->status == 0 ? "clean" : Cat("mended: ", LastWords(ended->output)), ", took ",
            FormatDuration(MonotonicNow() - began));
    return {};
}

Status MakeFileSystem(const std::string& node, std::string_view type) {
    const bool ext = IsExt(type);
    // What the tool discards would take the mark along.
    std::vector<std::string> words =
        ext ? std::vector<std::string>{"mke2fs",          "-q", "-F",        "-t",
                                       std::string(type), "-E", "nodiscard", node}
            : std::vector<std::string>{"mkfs.f2fs", "-q", "-f", "-t", "0", node};
    auto tool = FindTool(words[0]);
    if (!tool)
        return Fail(words[0], " is not in the image; add it, or make the file system before");
    LogInfo("making ", type, " on ", node);
    const std::string name = words[0];
    words[0] = *tool;
    HUSK_TRY(WriteMark(node, kMark));
    auto ended = RunTool(words);
    if (!ended) return std::unexpected(std::move(ended).error());
    if (ended->status != 0)
        return Fail(name, " failed (status ", std::to_string(ended->status), ": ",
                    LastWords(ended->output), ")");
    // fsync of the device in between: the file system is whole before the mark goes.
    auto device = OpenDevice(node, O_WRONLY);
    if (!device) return std::unexpected(std::move(device).error());
    if (::fsync(device->fd.get()) != 0) return FailErrno("write ", Quote(node));
    return WriteMark(node, "");
}

Result<bool> GrowFileSystem(const std::string& where, const std::string& node) {
    auto device = OpenDevice(node, O_RDONLY);
    if (!device) return std::unexpected(std::move(device).error());
    auto folder = OpenFile(where, O_RDONLY | O_DIRECTORY);
    if (!folder) return std::unexpected(std::move(folder).error());
    struct statfs before {};
    if (::fstatfs(folder->get(), &before) != 0 || before.f_bsize <= 0)
        return FailErrno("ask for the size of ", Quote(where));
    uint64_t blocks = device->size / static_cast<uint64_t>(before.f_bsize);
    if (::ioctl(folder->get(), EXT4_IOC_RESIZE_FS, &blocks) != 0)
        return FailErrno("grow the file system at ", Quote(where));
    struct statfs after {};
    (void)::fstatfs(folder->get(), &after);  // it worked a moment ago
    return after.f_blocks != before.f_blocks;
}

}  // namespace husk::supervisor
