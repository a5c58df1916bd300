// Mounts that go out of the container: made in its namespace, with the capability for it.
//   propagate FOLDER   a shared volume
#include <sys/mount.h>
#include <sys/stat.h>

#include "attack.h"

using namespace attack;

int main(int argc, char** argv) {
    if (argc < 2 || chdir(argv[1]) != 0) return 1;
    mkdir("attack-mount", 0755);
    Attempt("make mounts shared", mount(nullptr, "/", nullptr, MS_SHARED | MS_REC, nullptr));
    Attempt("make the volume shared", mount(nullptr, argv[1], nullptr, MS_SHARED, nullptr));
    Attempt("mount on the volume", mount("tmpfs", "attack-mount", "tmpfs", 0, nullptr));
    Attempt("write there", Write("attack-mount/seen", "x", O_CREAT));
    mkdir("/tmp/attack-mount", 0755);
    Attempt("mount elsewhere", mount("tmpfs", "/tmp/attack-mount", "tmpfs", 0, nullptr));
    Attempt("bind the volume", mount(argv[1], "/tmp/attack-mount", nullptr, MS_BIND, nullptr));
    Attempt("unmount the volume's mounts", umount2("attack-mount", MNT_DETACH));
    Attempt("mount again", mount("tmpfs", "attack-mount", "tmpfs", 0, nullptr));
    Stay();
}
