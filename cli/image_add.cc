#include "cli/image_add.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.h"
#include "base/text.h"
#include "config/image_name.h"
#include "rootfs/image.h"
#include "rootfs/verity.h"

namespace husk::cli {
namespace {

constexpr size_t kAtOnce = 1 << 20;
// What is not on disk yet never gets more: who else waits for the disk, such as the supervisor's
// probe of it (supervisor/hardware_watchdog.h), is not held up by all of the image.
constexpr uint64_t kMostDirty = 8 << 20;
constexpr size_t kMaxRootHash = 4096;
constexpr uint64_t kMostReserve = 64 << 20;

struct Source {
    std::string path;
    OwnedFd fd;
    uint64_t size = 0;
    std::string suffix;  // ".erofs"

    static Result<Source> Open(const std::string& path) {
        Source source{.path = path};
        auto at = OpenFile(path, O_PATH);
        if (!at) return Fail(std::move(at).error());
        auto file = OpenRegularFile(*at, path);
        if (!file) return Fail(std::move(file).error());
        source.fd = std::move(*file);
        struct stat info {};
        if (::fstat(source.fd.get(), &info) != 0) return FailErrno("stat ", Quote(path));
        source.size = static_cast<uint64_t>(info.st_size);
        return source;
    }
    Result<rootfs::ImageType> Probe() const {
        std::string head(rootfs::kImageHeadSize, '\0');
        const ssize_t got = ::pread(fd.get(), head.data(), head.size(), 0);
        if (got < 0) return FailErrno("read ", Quote(path));
        head.resize(static_cast<size_t>(got));
        auto type = rootfs::ProbeImage(head, size);
        if (!type) return Fail(std::move(type).error().Wrap(Quote(path)));
        return type;
    }
};

// The first of those beside the image, of none an empty path.
std::string Beside(const std::string& file, std::string_view suffix) {
    for (const auto& path : rootfs::FilesBeside(file, suffix))
        if (::access(path.c_str(), F_OK) == 0) return path;
    return {};
}

// Empty: the image is not checked.
Result<std::string> RootHashOf(const ImageToAdd& wish) {
    std::string path = wish.verity;
    if (path.empty()) path = Beside(wish.file, ".roothash");
    if (path.empty()) return std::string();
    // Hexadecimal digits are no path.
    if (auto hash = rootfs::ParseRootHashText(path); hash && !wish.verity.empty()) return hash;
    auto text = ReadFile(path, kMaxRootHash);
    if (!text) return Fail(std::move(text).error().Wrap("the root hash"));
    auto hash = rootfs::ParseRootHashText(*text);
    if (!hash) return Fail(std::move(hash).error().Wrap(Quote(path)));
    return hash;
}

Result<bool> HaveSameBytes(const Source& a, const Source& b) {
    if (a.size != b.size) return false;
    std::string one(kAtOnce, '\0'), other(kAtOnce, '\0');
    for (uint64_t at = 0; at < a.size;) {
        const auto offset = static_cast<off_t>(at);
        const ssize_t got = ::pread(a.fd.get(), one.data(), kAtOnce, offset);
        if (got <= 0) return FailErrno("read ", Quote(a.path));
        const auto size = static_cast<size_t>(got);
        const ssize_t same = ::pread(b.fd.get(), other.data(), size, offset);
        if (same < 0) return FailErrno("read ", Quote(b.path));
        if (static_cast<size_t>(same) != size || one.compare(0, size, other, 0, size) != 0)
            return false;
        at += size;
    }
    return true;
}

// Whether a version that is there has these bytes, and is checked by the same root hash.
Result<bool> IsThere(const rootfs::ImageVersions& images, const std::string& name,
                     const rootfs::ImageVersions::Version& version, const Source& source,
                     const std::string& root_hash) {
    if (version.size != source.size) return false;
    auto there = Source::Open(version.file);
    if (!there) return Fail(std::move(there).error());
    const std::string hash_file = images.PathOf(name, version.version) + "/image.roothash";
    auto hash = ReadFile(hash_file, kMaxRootHash);
    if (Trim(hash.value_or("")).substr(0, root_hash.size()) != root_hash ||
        version.verity != !root_hash.empty())
        return false;
    return HaveSameBytes(*there, source);
}

Status CheckSpace(const std::string& folder, uint64_t wanted) {
    struct statvfs disk {};
    if (::statvfs(folder.c_str(), &disk) != 0) return FailErrno("look at ", Quote(folder));
    const uint64_t lacking = LackingSpace(wanted, uint64_t{disk.f_bavail} * disk.f_frsize,
                                          uint64_t{disk.f_blocks} * disk.f_frsize);
    if (lacking == 0) return {};
    return Fail("it wants ", FormatBytes(wanted), ", and ", FormatBytes(lacking),
                " are lacking on the disk of ", Quote(folder),
                " (some stays free for units): 'husk image remove --unused' removes what "
                "nothing would miss");
}

// On disk when it returns.
Status Copy(const Source& source, const std::string& to, const AddProgress& progress) {
    auto copy = OpenFile(to, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (!copy) return Fail(std::move(copy).error());
    // What does not fit is known before half of it is written; where the file system cannot say,
    // the writing does.
    if (const int code = ::posix_fallocate(copy->get(), 0, static_cast<off_t>(source.size));
        code == ENOSPC)
        return Fail(Error::FromErrno(code, Cat("make room for ", Quote(to))));
    std::string bytes(kAtOnce, '\0');
    for (uint64_t at = 0; at < source.size;) {
        const ssize_t got =
            ::pread(source.fd.get(), bytes.data(), bytes.size(), static_cast<off_t>(at));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return FailErrno("read ", Quote(source.path));
        if (got == 0) return Fail(Quote(source.path), " has become shorter meanwhile");
        const std::string_view piece(bytes.data(), static_cast<size_t>(got));
        HUSK_TRY(WriteAll(copy->get(), piece, to));
        at += piece.size();
        if (at % kMostDirty == 0 && ::fdatasync(copy->get()) != 0)
            return FailErrno("sync ", Quote(to));
        progress("copying", static_cast<unsigned>(at * 100 / source.size));
    }
    if (::fsync(copy->get()) != 0) return FailErrno("sync ", Quote(to));
    return {};
}

// As a start would: mounted, and by a root hash every block read. In a mount namespace of this
// process, so that nothing stays mounted whatever ends it.
Status Check(const std::string& folder, const std::string& file, uint64_t size, bool verity,
             const AddProgress& progress) {
    if (::unshare(CLONE_NEWNS) != 0) return FailErrno("make a mount namespace");
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
        return FailErrno("make mounts private");
    const std::string place = folder + "/check";
    HUSK_TRY(MakeDirectories(place));
    rootfs::ImageStore store(place);
    auto mounted = store.Mount(file, "");
    if (!mounted) return Fail(std::move(mounted).error());
    struct stat root {};
    Status read;
    if (::stat(mounted->path.c_str(), &root) != 0)
        read = FailErrno("look at ", Quote(mounted->path));
    else if (verity)
        read = rootfs::ReadVerityDevice(root.st_dev, [&](uint64_t at) {
            progress("checking", static_cast<unsigned>(std::min<uint64_t>(at * 100 / size, 100)));
        });
    Status unmounted = store.Unmount(mounted->path);
    if (!read) return read;
    if (!unmounted) return unmounted;
    return RemoveTree(place);
}

// "/x/web.erofs" -> "web"
std::string NameOf(const std::string& file) {
    std::string name = file.substr(file.rfind('/') + 1);
    for (std::string_view suffix : {".erofs", ".squashfs", ".img"})
        if (name.ends_with(suffix)) {
            name.resize(name.size() - suffix.size());
            break;
        }
    return name;
}

Status CheckNames(const ImageToAdd& wish) {
    if (!config::IsImageStoreName(wish.name))
        return Fail(Quote(wish.name),
                    " is no name for an image: letters, digits, '.', '_', "
                    "'-'; give NAME or NAME:VERSION behind the file");
    if (!wish.version.empty() && !rootfs::IsImageVersion(wish.version))
        return Fail(Quote(wish.version),
                    " is no version: letters, digits, '.', '_', '-', at "
                    "most 64, not begun by '.' or '-'");
    return {};
}

Status Fill(const rootfs::ImageStage& stage, const Source& source, const std::string& root_hash,
            const AddProgress& progress) {
    const std::string base = stage.path() + "/image", file = base + source.suffix;
    HUSK_TRY(Copy(source, file, progress));
    if (!root_hash.empty()) HUSK_TRY(WriteFileDurably(base + ".roothash", root_hash + "\n"));
    if (const std::string tree = Beside(source.path, ".verity");
        !tree.empty() && !root_hash.empty()) {
        auto hashes = Source::Open(tree);
        if (!hashes) return Fail(std::move(hashes).error());
        HUSK_TRY(CheckSpace(stage.path(), hashes->size));
        HUSK_TRY(Copy(*hashes, base + ".verity", progress));
    }
    return Check(stage.path(), file, source.size, !root_hash.empty(), progress);
}

}  // namespace

uint64_t LackingSpace(uint64_t wanted, uint64_t free, uint64_t whole) {
    const uint64_t reserve = std::min(whole / 20, kMostReserve);
    return wanted + reserve > free ? wanted + reserve - free : 0;
}

Result<AddedImage> AddImage(const rootfs::ImageVersions& images, const ImageToAdd& given,
                            const AddProgress& progress) {
    ImageToAdd wish = given;
    if (wish.name.empty()) wish.name = NameOf(wish.file);
    HUSK_TRY(CheckNames(wish));
    auto source = Source::Open(wish.file);
    if (!source) return Fail(std::move(source).error());
    auto type = source->Probe();
    if (!type) return Fail(std::move(type).error());
    source->suffix = Cat(".", rootfs::FileSystemName(*type));
    auto root_hash = RootHashOf(wish);
    if (!root_hash) return Fail(std::move(root_hash).error());
    AddedImage added{.name = wish.name,
                     .version = wish.version,
                     .size = source->size,
                     .verity = !root_hash->empty()};
    auto versions = images.Versions(wish.name);
    if (!versions) return Fail(std::move(versions).error());
    std::vector<std::string> names;
    for (const auto& version : *versions) {
        names.push_back(version.version);
        if (!wish.version.empty() && version.version != wish.version) continue;
        auto there = IsThere(images, wish.name, version, *source, *root_hash);
        if (!there) return Fail(std::move(there).error());
        if (*there) {
            added.version = version.version;
            added.there = true;
            return added;
        }
        if (!wish.version.empty())
            return Fail("there is a version ", Quote(wish.version), " of image ", Quote(wish.name),
                        " already, with other bytes or another root hash: "
                        "versions never change, give this one another name");
    }
    if (added.version.empty()) added.version = rootfs::NextVersion(names);
    auto stage = images.Stage();
    if (!stage) return Fail(std::move(stage).error());
    HUSK_TRY(CheckSpace(images.folder(), source->size));
    HUSK_TRY(Fill(*stage, *source, *root_hash, progress));
    HUSK_TRY(images.Commit(*stage, wish.name, added.version));
    return added;
}

}  // namespace husk::cli
