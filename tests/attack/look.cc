// What a container has got, for units whose mounts somebody else wanted to bend: its mount points,
// and ways to the device's files and the kernel's settings.
//   look [FOLDER...]   further places where the device's files might be seen
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "attack.h"

using namespace attack;

namespace {

void SayMounts() {
    FILE* mounts = fopen("/proc/self/mountinfo", "re");
    if (mounts == nullptr) {
        Attempt("mounts", -1);
        return;
    }
    printf("mounts\t");
    char line[4096], target[2048];
    while (fgets(line, sizeof line, mounts) != nullptr)
        if (sscanf(line, "%*s %*s %*s %*s %2047s", target) == 1) printf("%s ", target);
    fclose(mounts);
    printf("\n");
    fflush(stdout);
}

long ReadBelow(const char* folder) {
    for (const char* file : {"etc/husk/system.conf", "husk/system.conf", "system.conf",
                             "var/lib/husk/volumes", "1/root/etc/husk/system.conf"}) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", folder, file);
        struct stat found;
        if (stat(path, &found) == 0) return 1;
    }
    errno = ENOENT;
    return -1;
}

long OpenForWriting(const char* path) { return open(path, O_WRONLY | O_CLOEXEC); }

}  // namespace

int main(int argc, char** argv) {
    SayMounts();
    Attempt("the device at /", ReadBelow("/"));
    for (int i = 1; i < argc; ++i) {
        char what[4096];
        snprintf(what, sizeof what, "the device at %s", argv[i]);
        Attempt(what, ReadBelow(argv[i]));
    }
    struct stat null {};
    const bool is_null =
        stat("/dev/null", &null) == 0 && S_ISCHR(null.st_mode) && null.st_rdev == makedev(1, 3);
    Say("null", is_null ? "null" : "another");
    Attempt("kcore", ReadSome("/proc/kcore"));
    Attempt("timers", ReadSome("/proc/timer_list"));
    Attempt("sysrq", OpenForWriting("/proc/sysrq-trigger"));
    Attempt("core_pattern", OpenForWriting("/proc/sys/kernel/core_pattern"));
    Attempt("its limits", OpenForWriting("/sys/fs/cgroup/memory.max"));
    Done();
}
