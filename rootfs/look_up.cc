#include "rootfs/look_up.h"

#include <climits>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sys.h"
#include "base/text.h"

namespace husk::rootfs {
namespace {

OwnedFd OpenIn(int root, const std::string& path, uint64_t flags = 0) {
    return OwnedFd(sys::openat2(root, path.c_str(),
                                {.flags = flags | O_PATH | O_CLOEXEC,
                                 .resolve = sys::kResolveInRoot | sys::kResolveNoMagicLinks}));
}

// Where a descriptor lies, as proc(5) tells.
std::string PathOf(int fd) {
    char path[PATH_MAX];
    const std::string link = Cat("/proc/self/fd/", std::to_string(fd));
    const ssize_t size = ::readlink(link.c_str(), path, sizeof path);
    return size <= 0 ? std::string() : std::string(path, static_cast<size_t>(size));
}

}  // namespace

Result<Tree> Tree::Open(const std::string& path) {
    auto root = OpenFile(path, O_PATH | O_DIRECTORY);
    if (!root) return Fail(std::move(root).error());
    std::string real_path = PathOf(root->get());
    if (real_path == "/") real_path.clear();
    return Tree(std::move(*root), std::move(real_path));
}

PathFact Tree::LookUp(const std::string& path) const {
    PathFact fact{.path = path};
    std::string existing = path, rest;
    for (;;) {
        if (OwnedFd fd = OpenIn(root_.get(), existing)) {
            struct stat file {};
            (void)::fstat(fd.get(), &file);  // cannot fail on an open descriptor
            std::string real = PathOf(fd.get());
            real = real.size() > path_.size() ? real.substr(path_.size()) : "/";
            if (!rest.empty()) {
                fact.path = real == "/" ? rest : real + rest;
                return fact;
            }
            fact.path = real;
            fact.kind = S_ISDIR(file.st_mode)   ? PathFact::Kind::kDirectory
                        : S_ISREG(file.st_mode) ? PathFact::Kind::kFile
                                                : PathFact::Kind::kOther;
            fact.empty = file.st_size == 0;
            fact.mode = file.st_mode;
            fact.uid = file.st_uid;
            fact.gid = file.st_gid;
            return fact;
        }
        if (rest.empty()) fact.broken_link = bool(OpenIn(root_.get(), path, O_NOFOLLOW));
        const auto slash = existing.rfind('/');
        if (existing == "/" || slash == std::string::npos) return fact;
        rest = existing.substr(slash) + rest;
        existing = slash == 0 ? "/" : existing.substr(0, slash);
    }
}

Result<std::string> Tree::ReadText(const std::string& path, size_t limit) const {
    OwnedFd at = OpenIn(root_.get(), path);
    if (!at && errno == EIO) return FailErrno("read ", Quote(path));
    if (!at) return std::string();
    auto file = OpenRegularFile(at, path);
    if (!file) return std::string();
    auto text = ReadAll(file->get(), limit, path);
    // A disk that cannot be read, or an image that is damaged: not the same as no such file.
    if (!text && text.error().code() != EIO) return std::string();
    return text;
}

}  // namespace husk::rootfs
