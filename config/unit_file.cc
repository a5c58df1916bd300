#include "config/unit_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/file.h"
#include "base/text.h"
#include "config/ini_reader.h"

namespace husk::config {
namespace {

UnitFile BadFile(const std::string& path, std::string text, std::string hint = {}) {
    return {UnitFile::Kind::kBad,
            {},
            {Severity::kError, {path, 0}, {}, std::move(text), std::move(hint)}};
}

// The last part of "open 'x': Permission denied": the place stands before it already.
std::string Reason(const Error& error) {
    const size_t colon = error.text().rfind(": ");
    return colon == std::string::npos ? error.text() : error.text().substr(colon + 2);
}

bool IsLink(const std::string& path) {
    struct stat info {};
    return ::lstat(path.c_str(), &info) == 0 && S_ISLNK(info.st_mode);
}

}  // namespace

UnitFile ReadUnitFile(const std::string& path) {
    // O_NONBLOCK: opening a FIFO must not wait for a writer.
    auto fd = OpenFile(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (!fd) {
        const bool missing = fd.error().code() == ENOENT;
        if (missing && IsLink(path)) return BadFile(path, "link to a file that does not exist");
        if (missing) return {UnitFile::Kind::kMissing, {}, {}};
        return BadFile(path, Cat("cannot be opened: ", Reason(fd.error())));
    }
    struct stat info {};
    if (::fstat(fd->get(), &info) != 0) return BadFile(path, "cannot be looked at");
    if (S_ISCHR(info.st_mode) && info.st_rdev == makedev(1, 3))
        return {UnitFile::Kind::kMask, {}, {}};
    if (S_ISDIR(info.st_mode))
        return BadFile(path, "is a directory", "drop-ins go to NAME.container.d");
    if (!S_ISREG(info.st_mode)) return BadFile(path, "is not a plain file");
    auto text = ReadAll(fd->get(), kMaxFileBytes, path);
    if (!text && text.error().code() == EFBIG)
        return BadFile(path, Cat("file over ", std::to_string(kMaxFileBytes >> 10), " KiB"),
                       "unit files are small; was something else given this name?");
    if (!text) return BadFile(path, Cat("cannot be read: ", Reason(text.error())));
    return {UnitFile::Kind::kText, std::move(*text), {}};
}

}  // namespace husk::config
