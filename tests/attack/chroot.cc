// Out of a root directory: chroot(2) keeps nobody in who holds a directory outside of the new root.
//   chroot        from where it is
//   chroot jail   from a jail that it makes for itself, which does not hold
#include <dirent.h>
#include <sys/stat.h>

#include "attack.h"

using namespace attack;

namespace {

constexpr const char* kDeviceFile = "etc/husk/system.conf";

// The classic one: a directory held, a new root below it, and then up.
long Escape() {
    mkdir("attack-root", 0755);
    const int held = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (held < 0 || chroot("attack-root") != 0 || fchdir(held) != 0) return -1;
    for (int i = 0; i < 64; ++i)
        if (chdir("..") != 0) return -1;
    if (chroot(".") != 0) return -1;
    return ReadSome(kDeviceFile);
}

// From every directory that something is mounted on, and from what is open.
long ClimbFromMounts() {
    FILE* mounts = fopen("/proc/self/mountinfo", "re");
    if (mounts == nullptr) return -1;
    char line[4096], target[2048];
    long found = -1;
    while (found < 0 && fgets(line, sizeof line, mounts) != nullptr) {
        if (sscanf(line, "%*s %*s %*s %*s %2047s", target) != 1) continue;
        const int at = open(target, O_PATH | O_DIRECTORY | O_CLOEXEC);
        char path[256] = "";
        for (int i = 0; i < 32; ++i) strcat(path, "../");
        strcat(path, kDeviceFile);
        found = at < 0 ? -1 : openat(at, path, O_RDONLY | O_CLOEXEC);
        if (at >= 0) close(at);
    }
    fclose(mounts);
    if (found < 0) errno = ENOENT;
    return found;
}

// By the links of /proc that lead to roots and directories.
long ClimbByProc() {
    for (const char* path :
         {"/proc/1/root/../../etc/husk/system.conf", "/proc/1/cwd/../../etc/husk/system.conf",
          "/proc/self/root/../etc/husk/system.conf",
          "/proc/self/task/1/root/../etc/husk/system.conf"})
        if (ReadSome(path) >= 0) return 1;
    errno = ENOENT;
    return -1;
}

}  // namespace

int main(int argc, char**) {
    if (chdir("/tmp") != 0) return 1;
    if (argc > 1) {
        mkdir("attack-jail", 0755);
        if (chroot("attack-jail") != 0 || chdir("/") != 0) return 1;
        Attempt("read it from the jail", ReadSome("/etc/husk/system.conf"));
        AttemptInChild("out by chroot", Escape);
        Done();
    }
    AttemptInChild("chroot", [] { return static_cast<long>(chroot("/tmp")); });
    AttemptInChild("out by chroot", Escape);
    Attempt("out by '..'", ClimbFromMounts());
    Attempt("out by /proc", ClimbByProc());
    Done();
}
