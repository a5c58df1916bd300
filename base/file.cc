#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "base/sort.h"
#include "base/text.h"

namespace husk {

Result<OwnedFd> OpenFile(const std::string& path, int flags, unsigned mode) {
    return OpenFileAt(AT_FDCWD, path, flags, mode);
}

Result<OwnedFd> OpenFileAt(int directory, const std::string& path, int flags, unsigned mode) {
    OwnedFd fd(::openat(directory, path.c_str(), flags | O_CLOEXEC, mode));
    if (!fd) return FailErrno("open ", Quote(path));
    return fd;
}

Result<OwnedFd> OpenRegularFile(const OwnedFd& at, std::string_view name) {
    struct stat info {};
    if (::fstat(at.get(), &info) != 0) return FailErrno("stat ", Quote(name));
    if (!S_ISREG(info.st_mode)) return Fail(Quote(name), " is not a regular file");
    OwnedFd fd(
        ::open(Cat("/proc/self/fd/", std::to_string(at.get())).c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return FailErrno("open ", Quote(name));
    return fd;
}

Result<std::string> ReadAll(int fd, size_t limit, std::string_view name) {
    char piece[4096];
    std::string data;
    for (;;) {
        const ssize_t got = ::read(fd, piece, sizeof piece);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return FailErrno("read ", Quote(name));
        if (got == 0) return data;
        // Few are longer than one piece. Those of /proc do not say how long they are.
        struct stat info {};
        if (data.empty() && got == sizeof piece && ::fstat(fd, &info) == 0 && info.st_size > got)
            data.reserve(std::min(static_cast<size_t>(info.st_size), limit));
        data.append(piece, static_cast<size_t>(got));
        if (data.size() > limit)
            return Fail(Error::FromErrno(
                EFBIG, Cat("read ", Quote(name), ": over ", std::to_string(limit), " bytes")));
    }
}

Result<std::string> ReadFile(const std::string& path, size_t limit) {
    return ReadFileAt(AT_FDCWD, path, limit);
}

Result<std::string> ReadFileAt(int directory, const std::string& path, size_t limit) {
    auto fd = OpenFileAt(directory, path, O_RDONLY);
    if (!fd) return Fail(std::move(fd).error());
    return ReadAll(fd->get(), limit, path);
}

Status WriteAll(int fd, std::string_view data, std::string_view name) {
    while (!data.empty()) {
        ssize_t put = ::write(fd, data.data(), data.size());
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return FailErrno("write ", Quote(name));
        data.remove_prefix(static_cast<size_t>(put));
    }
    return {};
}

std::string ReadAttribute(const std::string& path) {
    constexpr size_t kLimit = 64 << 10;
    auto text = ReadFile(path, kLimit);
    return text ? text->substr(0, text->find('\n')) : std::string();
}

Status WriteAttribute(const std::string& path, std::string_view value) {
    return WriteAttributeAt(AT_FDCWD, path, value);
}

Status WriteAttributeAt(int directory, const std::string& name, std::string_view value) {
    auto fd = OpenFileAt(directory, name, O_WRONLY);
    if (!fd) return Fail(std::move(fd).error());
    // One write: the kernel takes each as a whole value, so a short one must not be continued.
    if (::write(fd->get(), value.data(), value.size()) < 0)
        return FailErrno("write ", Quote(value), " to ", Quote(name));
    return {};
}

namespace {

Status ReplaceFile(const std::string& path, std::string_view data, unsigned mode, bool sync) {
    const std::string temporary = path + ".new";
    Status written = [&]() -> Status {
        auto fd = OpenFile(temporary, O_WRONLY | O_CREAT | O_TRUNC, mode);
        if (!fd) return Fail(std::move(fd).error());
        HUSK_TRY(WriteAll(fd->get(), data, temporary));
        if (sync && ::fsync(fd->get()) != 0) return FailErrno("sync ", Quote(temporary));
        if (::rename(temporary.c_str(), path.c_str()) != 0)
            return FailErrno("rename ", Quote(temporary));
        return sync ? SyncDirectory(path.substr(0, path.rfind('/'))) : Status();
    }();
    // A file cut short by a full file system would only take room from the next try.
    if (!written) (void)::unlink(temporary.c_str());
    return written;
}

}  // namespace

Status WriteFileAtomically(const std::string& path, std::string_view data, unsigned mode) {
    return ReplaceFile(path, data, mode, false);
}

Status WriteFileDurably(const std::string& path, std::string_view data, unsigned mode) {
    return ReplaceFile(path, data, mode, true);
}

Status MakeDirectories(const std::string& path, unsigned mode) {
    for (size_t at = 1; at <= path.size(); ++at) {
        if (at != path.size() && path[at] != '/') continue;
        const std::string part = path.substr(0, at);
        if (::mkdir(part.c_str(), mode) != 0 && errno != EEXIST)
            return FailErrno("make directory ", Quote(part));
    }
    return {};
}

Status MakeLink(const std::string& path, const std::string& target) {
    char there[PATH_MAX];
    const ssize_t length = ::readlink(path.c_str(), there, sizeof there);
    if (length >= 0 && std::string_view(there, static_cast<size_t>(length)) == target) return {};
    HUSK_TRY(MakeDirectories(path.substr(0, path.rfind('/'))));
    if (length >= 0) (void)::unlink(path.c_str());
    if (::symlink(target.c_str(), path.c_str()) != 0) return FailErrno("link ", Quote(path));
    return {};
}

Status RemoveTree(const std::string& path) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0) {
        if (errno == ENOENT) return {};
        return FailErrno("look at ", Quote(path));
    }
    const bool is_directory = S_ISDIR(info.st_mode);
    if (is_directory) {
        auto names = ListDirectory(path);
        if (!names) return Fail(std::move(names).error());
        for (const auto& name : *names) HUSK_TRY(RemoveTree(Cat(path, "/", name)));
    }
    if ((is_directory ? ::rmdir(path.c_str()) : ::unlink(path.c_str())) != 0)
        return FailErrno("remove ", Quote(path));
    return {};
}

Status SyncDirectory(const std::string& path) {
    auto directory = OpenFile(path, O_RDONLY | O_DIRECTORY);
    if (!directory) return Fail(std::move(directory).error());
    if (::fsync(directory->get()) != 0) return FailErrno("sync directory ", Quote(path));
    return {};
}

bool IsMountPoint(const std::string& path) {
    struct stat here {
    }, parent{};
    return ::stat(path.c_str(), &here) == 0 && ::stat((path + "/..").c_str(), &parent) == 0 &&
           here.st_dev != parent.st_dev;
}

Result<std::vector<std::string>> ListDirectory(const std::string& path) {
    std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
    if (!directory) return FailErrno("open directory ", Quote(path));
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(directory.get())) {
        std::string_view name = entry->d_name;
        if (name != "." && name != "..") names.emplace_back(name);
    }
    if (errno != 0) return FailErrno("read directory ", Quote(path));
    Sort(names);
    return names;
}

}  // namespace husk
