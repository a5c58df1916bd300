#include "rootfs/image_versions.h"

#include <cstdio>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.h"
#include "base/sys.h"
#include "base/text.h"
#include "rootfs/image.h"

namespace husk::rootfs {
namespace {

constexpr const char *kCurrent = "current", *kState = "state";
constexpr std::string_view kStagePrefix = ".new-";
constexpr int kStageTries = 16;
constexpr size_t kMostVersionBytes = 64;
constexpr std::string_view kVersionBytes =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

// Nobody else fills it: the lock goes with its owner's descriptors, however that ended.
OwnedFd LockFolder(const std::string& path) {
    auto folder = OpenFile(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!folder || ::flock(folder->get(), LOCK_EX | LOCK_NB) != 0) return {};
    return std::move(*folder);
}

bool IsDirectory(const std::string& path) {
    struct stat info {};
    return ::lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

}  // namespace

bool IsImageVersion(std::string_view text) {
    if (text == kBuiltIn || text == kCurrent || text == kState) return false;
    return !text.empty() && text.size() <= kMostVersionBytes && text.front() != '.' &&
           text.front() != '-' && text.find_first_not_of(kVersionBytes) == text.npos;
}

std::string NextVersion(const std::vector<std::string>& versions) {
    uint64_t next = 1;
    for (const auto& version : versions)
        if (auto number = ParseUnsigned(version); number && *number < UINT64_MAX)
            next = std::max(next, *number + 1);
    return std::to_string(next);
}

ImageStage::~ImageStage() {
    if (lock_) (void)RemoveTree(path_);  // what stays is found by Tidy()
}

std::string ImageVersions::PathOf(const std::string& name, const std::string& version) const {
    return Cat(folder_, "/", name, "/", version);
}

Result<std::vector<std::string>> ImageVersions::Names() const {
    auto names = ListDirectory(folder_);
    if (!names && names.error().code() == ENOENT) return std::vector<std::string>();
    if (!names) return names;
    std::erase_if(*names, [this](const std::string& name) {
        return name.starts_with('.') || !IsDirectory(Cat(folder_, "/", name));
    });
    return names;
}

Result<std::vector<ImageVersions::Version>> ImageVersions::Versions(const std::string& name) const {
    std::vector<Version> versions;
    auto found = ListDirectory(Cat(folder_, "/", name));
    if (!found && found.error().code() == ENOENT) return versions;
    if (!found) return Fail(std::move(found).error());
    for (const auto& version : *found) {
        if (!IsImageVersion(version)) continue;
        Version one{.version = version, .file = FindImageFile(PathOf(name, version) + "/image")};
        struct stat file {
        }, folder{};
        if (one.file.empty() || ::stat(one.file.c_str(), &file) != 0 ||
            ::stat(PathOf(name, version).c_str(), &folder) != 0)
            continue;
        one.size = static_cast<uint64_t>(file.st_size);
        one.added = int64_t{folder.st_mtim.tv_sec} * 1'000'000'000 + folder.st_mtim.tv_nsec;
        one.verity = ::access((PathOf(name, version) + "/image.roothash").c_str(), F_OK) == 0;
        versions.push_back(std::move(one));
    }
    return versions;
}

Result<std::string> ImageVersions::Current(const std::string& name) const {
    char target[PATH_MAX];
    const ssize_t size = ::readlink(PathOf(name, kCurrent).c_str(), target, sizeof target);
    // Not there, or the folder of something else.
    if (size < 0 && (errno == ENOENT || errno == ENOTDIR)) return std::string(kBuiltIn);
    if (size < 0) return FailErrno("read link ", Quote(PathOf(name, kCurrent)));
    std::string version(target, static_cast<size_t>(size));
    if (!IsImageVersion(version))
        return Fail("link ", Quote(PathOf(name, kCurrent)), " leads to ", Quote(version),
                    ", which is no version; use 'husk image switch'");
    return version;
}

Status ImageVersions::SetCurrent(const std::string& name, const std::string& version) const {
    const std::string link = PathOf(name, kCurrent), folder = Cat(folder_, "/", name);
    if (version == kBuiltIn) {
        if (::unlink(link.c_str()) != 0 && errno != ENOENT)
            return FailErrno("remove ", Quote(link));
        return SyncDirectory(folder);
    }
    const std::string fresh = Cat(folder, "/.", kCurrent);
    if (::unlink(fresh.c_str()) != 0 && errno != ENOENT) return FailErrno("remove ", Quote(fresh));
    if (::symlink(version.c_str(), fresh.c_str()) != 0)
        return FailErrno("make link ", Quote(fresh));
    if (::rename(fresh.c_str(), link.c_str()) != 0)
        return FailErrno("rename ", Quote(fresh), " to ", Quote(link));
    return SyncDirectory(folder);
}

Result<std::string> ImageVersions::CurrentFile(const std::string& name) const {
    auto current = Current(name);
    if (!current) return current;
    if (*current == kBuiltIn) return std::string();
    std::string file = FindImageFile(PathOf(name, *current) + "/image");
    if (!file.empty()) return file;
    return Fail("image ", Quote(name), ": its current version ", Quote(*current), " is not in ",
                Quote(Cat(folder_, "/", name)),
                ": 'husk image list' has those that are, 'husk image switch' takes one");
}

Result<ImageStage> ImageVersions::Stage() const {
    HUSK_TRY(MakeDirectories(folder_));
    Tidy();
    for (int i = 0; i < kStageTries; ++i) {
        const std::string path = Cat(folder_, "/", kStagePrefix, std::to_string(::getpid()),
                                     i == 0 ? "" : Cat("-", std::to_string(i)));
        if (::mkdir(path.c_str(), 0755) != 0) {
            if (errno == EEXIST) continue;  // somebody of another PID namespace has the number, too
            return FailErrno("make folder ", Quote(path));
        }
        // Until it is locked, another one may tidy it away.
        if (OwnedFd lock = LockFolder(path); lock) return ImageStage(path, std::move(lock));
    }
    return Fail("others are adding images to ", Quote(folder_), "; try again");
}

Status ImageVersions::Commit(ImageStage& stage, const std::string& name,
                             const std::string& version) const {
    HUSK_TRY(SyncDirectory(stage.path_));
    const std::string folder = Cat(folder_, "/", name), target = PathOf(name, version);
    HUSK_TRY(MakeDirectories(folder));
    if (sys::renameat2(AT_FDCWD, stage.path_.c_str(), AT_FDCWD, target.c_str(), RENAME_NOREPLACE) !=
        0)
        return FailErrno("rename ", Quote(stage.path_), " to ", Quote(target));
    stage.lock_.reset();
    HUSK_TRY(SyncDirectory(folder));
    return SyncDirectory(folder_);
}

Status ImageVersions::Remove(const std::string& name, const std::string& version) const {
    // Gone as a whole first: what is half removed is no version.
    const std::string path = Cat(folder_, "/", kStagePrefix, "gone-", std::to_string(::getpid()));
    HUSK_TRY(RemoveTree(path));
    if (::rename(PathOf(name, version).c_str(), path.c_str()) != 0)
        return FailErrno("remove ", Quote(PathOf(name, version)));
    HUSK_TRY(SyncDirectory(Cat(folder_, "/", name)));
    return RemoveTree(path);
}

void ImageVersions::Tidy() const {
    auto names = ListDirectory(folder_);
    if (!names) return;  // nothing there yet
    for (const auto& name : *names) {
        if (!name.starts_with(kStagePrefix)) continue;
        const std::string path = Cat(folder_, "/", name);
        if (const OwnedFd lock = LockFolder(path); lock)
            (void)RemoveTree(path);  // it takes room, and nothing else
    }
}

}  // namespace husk::rootfs
