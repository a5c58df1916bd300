#include "init/small_file.h"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"

namespace husk::init {

std::string_view ReadSmallFile(const char* path, char* buffer, size_t room) {
    const OwnedFd file(::open(path, O_RDONLY | O_CLOEXEC));
    if (!file) return {};
    const ssize_t got = ::read(file.get(), buffer, room);
    if (got <= 0) return {};
    std::string_view text(buffer, static_cast<size_t>(got));
    if (text.ends_with('\n')) text.remove_suffix(1);
    return text;
}

std::string_view ReadLink(const char* path, char* buffer, size_t room) {
    const ssize_t got = ::readlink(path, buffer, room);
    return got <= 0 ? std::string_view() : std::string_view(buffer, static_cast<size_t>(got));
}

int WriteSmallFile(const char* path, std::string_view text) {
    const OwnedFd file(::open(path, O_WRONLY | O_CLOEXEC));
    if (!file) return errno;
    return ::write(file.get(), text.data(), text.size()) < 0 ? errno : 0;
}

}  // namespace husk::init
