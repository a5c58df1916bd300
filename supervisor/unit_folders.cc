#include "supervisor/unit_folders.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>

#include "base/file.h"
#include "base/log.h"
#include "base/sys.h"
#include "base/text.h"
#include "container/id_map.h"

namespace husk::supervisor {
namespace {

using config::ServiceDirectories;
using config::ServiceSection;

struct FolderKind {
    ServiceDirectories ServiceSection::*keys;
    const char* shelf;
    const char* place;
    const char* variable;
    bool lasts;
};
constexpr FolderKind kKinds[] = {
    {&ServiceSection::state_directory, "/state", "/var/lib/", "STATE_DIRECTORY=", true},
    {&ServiceSection::cache_directory, "/cache", "/var/cache/", "CACHE_DIRECTORY=", true},
    {&ServiceSection::logs_directory, "/logs", "/var/log/", "LOGS_DIRECTORY=", true},
    {&ServiceSection::runtime_directory, "", "/run/", "RUNTIME_DIRECTORY=", false},
};

// What the supervisor does itself holds up all units.
constexpr int kMostGiven = 10'000;
constexpr int kDeepest = 100;

struct Owner {
    uint32_t uid, gid;
    bool Is(const struct stat& file) const { return file.st_uid == uid && file.st_gid == gid; }
};

constexpr sys::OpenHow kFolder{
    .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
    .resolve = sys::kResolveBeneath | sys::kResolveNoMagicLinks | sys::kResolveNoSymlinks};

// Units may write beside what we look at: no link is followed, and no other file system entered.
// The folder itself comes last: one that was cut short is found to be another's the next time.
class Giving {
  public:
    explicit Giving(Owner owner) : owner_(owner) {}

    Status Folder(int at, const struct stat& folder, int depth) {
        if (depth > kDeepest) return Fail("its folders are too deep; set their owner yourself");
        const int fd = ::openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        std::unique_ptr<DIR, int (*)(DIR*)> directory(fd < 0 ? nullptr : ::fdopendir(fd),
                                                      ::closedir);
        if (!directory) return FailErrno("open it");
        while (const dirent* entry = ::readdir(directory.get())) {
            const std::string_view name = entry->d_name;
            if (name == "." || name == "..") continue;
            HUSK_TRY(Entry(fd, entry->d_name, folder, depth));
        }
        return Give(at, "");
    }

  private:
    Status Entry(int directory, const char* name, const struct stat& folder, int depth) {
        struct stat file {};
        if (::fstatat(directory, name, &file, AT_SYMLINK_NOFOLLOW) != 0)
            return errno == ENOENT ? Status() : FailErrno("look at ", Quote(name));
        if (++seen_ > kMostGiven)
            return Fail("it belongs to another user, and over ", std::to_string(kMostGiven),
                        " files are in it; 'chown -R ", std::to_string(owner_.uid), ":",
                        std::to_string(owner_.gid), "' it yourself");
        if (!S_ISDIR(file.st_mode)) return owner_.Is(file) ? Status() : Give(directory, name);
        if (file.st_dev != folder.st_dev) return {};
        const OwnedFd below(sys::openat2(directory, name, kFolder));
        if (!below) return FailErrno("open ", Quote(name));
        return Folder(below.get(), file, depth + 1);
    }

    Status Give(int at, const char* name) {
        if (::fchownat(at, name, owner_.uid, owner_.gid,
                       AT_SYMLINK_NOFOLLOW | (*name == '\0' ? AT_EMPTY_PATH : 0)) != 0)
            return FailErrno("set its owner");
        return {};
    }

    Owner owner_;
    int seen_ = 0;
};

Status MakeFolder(const ProgramFolder& folder, Owner owner) {
    auto shelf = OpenFile(folder.shelf, O_PATH | O_DIRECTORY);
    if (!shelf) return Fail(std::move(shelf).error());
    OwnedFd at = std::move(*shelf);
    for (std::string_view part : Split(folder.path, '/')) {
        const std::string name(part);
        if (::mkdirat(at.get(), name.c_str(), 0755) != 0 && errno != EEXIST)
            return FailErrno("make it");
        OwnedFd next(sys::openat2(at.get(), name.c_str(), kFolder));
        if (!next && (errno == ELOOP || errno == ENOTDIR))
            return Fail(Quote(name), " in it is no folder; remove it");
        if (!next) return FailErrno("open it");
        at = std::move(next);
    }
    struct stat file {};
    if (::fstat(at.get(), &file) != 0) return FailErrno("look at it");
    if (!owner.Is(file)) HUSK_TRY(Giving(owner).Folder(at.get(), file, 0));
    // A change of the owner takes bits away.
    if (::chmod(Cat("/proc/self/fd/", std::to_string(at.get())).c_str(), folder.mode) != 0)
        return FailErrno("set its mode");
    return {};
}

}  // namespace

std::string RuntimeShelf(const std::string& unit, const DeviceFacts& device) {
    return Cat(device.run_directory, "/runtime/", unit);
}

std::vector<ProgramFolder> FoldersOf(const config::Unit& unit, const DeviceFacts& device) {
    std::vector<ProgramFolder> folders;
    for (const FolderKind& kind : kKinds) {
        const ServiceDirectories& keys = unit.service.*kind.keys;
        for (const std::string& path : keys.paths)
            folders.push_back({.shelf = kind.lasts ? Cat(device.state_directory, kind.shelf)
                                                   : RuntimeShelf(unit.name, device),
                               .path = path,
                               .destination = Cat(kind.place, path),
                               .mode = keys.mode,
                               .lasts = kind.lasts});
    }
    return folders;
}

std::vector<std::string> FolderVariables(const config::Unit& unit) {
    std::vector<std::string> variables;
    for (const FolderKind& kind : kKinds) {
        std::string value;
        for (const std::string& path : (unit.service.*kind.keys).paths)
            value += Cat(value.empty() ? "" : ":", kind.place, path);
        if (!value.empty()) variables.push_back(Cat(kind.variable, value));
    }
    return variables;
}

void AddFolderMounts(const config::Unit& unit, const DeviceFacts& device, bool map,
                     std::vector<rootfs::BindMount>& binds) {
    for (const ProgramFolder& folder : FoldersOf(unit, device))
        binds.push_back({.source = Cat(folder.shelf, "/", folder.path),
                         .destination = folder.destination,
                         .idmap = map && folder.lasts});
}

uint32_t UserOnDevice(const container::ContainerSettings& spec, uint32_t uid) {
    if (!spec.user_namespace) return uid;
    return container::OnDevice(spec.user_namespace->users, uid).value_or(uid);
}

uint32_t GroupOnDevice(const container::ContainerSettings& spec, uint32_t gid) {
    if (!spec.user_namespace) return gid;
    return container::OnDevice(spec.user_namespace->groups, gid).value_or(gid);
}

Status MakeWholeFolder(const std::string& path, uint32_t uid, uint32_t gid, unsigned mode) {
    struct stat there {};
    if (::lstat(path.c_str(), &there) == 0) return {};
    const size_t name = path.rfind('/') + 1;
    const std::string half = Cat(path.substr(0, name), ".", path.substr(name), ".new");
    (void)::rmdir(half.c_str());  // left over from a power cut; nothing is ever in it
    if (::mkdir(half.c_str(), 0700) != 0) return FailErrno("make it");
    // In a volume others may write, too: no link is followed.
    auto folder = OpenFile(half, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    if (!folder) return Fail(std::move(folder).error());
    if (::fchownat(folder->get(), "", uid, gid, AT_EMPTY_PATH) != 0)
        return FailErrno("set its owner");
    // After the owner, and whatever the umask.
    if (::chmod(Cat("/proc/self/fd/", std::to_string(folder->get())).c_str(), mode) != 0)
        return FailErrno("set its mode");
    if (::rename(half.c_str(), path.c_str()) != 0) return FailErrno("give it its name");
    return {};
}

Status MountForUnit(const std::string& path, const char* type) {
    HUSK_TRY(MakeDirectories(path, 0700));
    if (IsMountPoint(path)) return {};
    if (::mount(type, path.c_str(), type, MS_NOSUID | MS_NODEV, "mode=0700") != 0)
        return FailErrno("mount ", Quote(type), " on ", Quote(path));
    return {};
}

void UnmountOfUnit(const std::string& path) {
    // Mostly nothing is there, and an empty folder is in nobody's way.
    while (::rmdir(path.c_str()) != 0 && errno == EBUSY)
        if (::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0) {
            LogWarning(Error::FromErrno(Cat("unmount ", Quote(path))).text());
            return;
        }
}

Status MakeUnitFolders(const config::Unit& unit, const DeviceFacts& device,
                       const container::ContainerSettings& spec) {
    for (const ProgramFolder& folder : FoldersOf(unit, device)) {
        Owner owner{spec.user.uid, spec.user.gid};
        if (!folder.lasts) {
            owner = {UserOnDevice(spec, owner.uid), GroupOnDevice(spec, owner.gid)};
            HUSK_TRY(MountForUnit(folder.shelf, "tmpfs"));
        }
        HUSK_TRY(MakeDirectories(folder.shelf, 0700));
        HUSK_TRY_WRAP(MakeFolder(folder, owner), "folder ",
                      Quote(Cat(folder.shelf, "/", folder.path)));
    }
    return {};
}

}  // namespace husk::supervisor
