// '..' from a directory of a volume that was moved out of it meanwhile.
//   moved FOLDER   waits for FOLDER/go, then climbs from FOLDER/sub
#include <sys/stat.h>

#include "attack.h"

using namespace attack;

int main(int argc, char** argv) {
    if (argc < 2 || chdir(argv[1]) != 0) return 1;
    mkdir("sub", 0755);
    mkdir("sub/below", 0755);
    const int held = open("sub/below", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    Say("holding", "ok");
    while (access("go", F_OK) != 0) usleep(20'000);
    Attempt("still there", access("sub", F_OK));
    Attempt("up to the device",
            openat(held, "../../../../../../../../etc/husk/system.conf", O_RDONLY));
    Attempt("up to a neighbour", openat(held, "../../gains", O_RDONLY));
    Attempt(
        "up by hand", fchdir(held) != 0 ? -1 : [] {
            for (int i = 0; i < 8; ++i)
                if (chdir("..") != 0) return -1;
            return open("etc/husk/system.conf", O_RDONLY | O_CLOEXEC);
        }());
    Done();
}
