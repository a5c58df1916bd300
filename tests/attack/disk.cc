// The disk of the device, past every file: a node for it, made by hand, and read.
//   disk [FOLDER [NODE]]   where to make nodes; one that is there
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "attack.h"

using namespace attack;

int main(int argc, char** argv) {
    // Where nodes work: /tmp has nodev everywhere.
    const char* folder = argc > 1 ? argv[1] : "/tmp";
    if (chdir(folder) != 0) Attempt("go there", -1);
    char text[64] = "";
    // As sysfs says: the numbers are no secret.
    Read("/sys/class/block/vda/dev", text, sizeof text);
    unsigned major_number = 254, minor_number = 0;
    sscanf(text, "%u:%u", &major_number, &minor_number);
    Attempt("make a node of the disk",
            mknod("attack-disk", S_IFBLK | 0600, makedev(major_number, minor_number)));
    Attempt("read the disk", ReadSome("attack-disk"));
    unlink("attack-disk");
    Attempt("make a node of memory", mknod("attack-memory", S_IFCHR | 0600, makedev(1, 1)));
    unlink("attack-memory");
    Attempt("read the device's node", ReadSome("/dev/vda"));
    if (argc > 2) Attempt("read a node that is there", ReadSome(argv[2]));
    Done();
}
