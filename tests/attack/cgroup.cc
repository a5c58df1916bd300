// Control groups: a release agent, which the kernel runs as the device's root (CVE-2022-0492), and
// a container's own limits.
//   cgroup [PATH]   the group to change, as it is mounted
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "attack.h"

using namespace attack;

namespace {

char path[4096];

const char* In(const char* group, const char* file) {
    snprintf(path, sizeof path, "%s/%s", group, file);
    return path;
}

long Rewrite(const char* file) {
    char text[4096];
    const long size = Read(file, text, sizeof text);
    return size < 0 ? size : Write(file, text);
}

// A hierarchy of version 1, whose root has a release_agent.
long SetReleaseAgent() {
    mkdir("/tmp/attack-cgroup", 0700);
    if (mount("cgroup", "/tmp/attack-cgroup", "cgroup", 0, "none,name=attack") != 0) return -1;
    const long written = Write("/tmp/attack-cgroup/release_agent", "/tmp/agent");
    const int error = errno;
    umount2("/tmp/attack-cgroup", MNT_DETACH);
    errno = error;
    return written;
}

}  // namespace

int main(int argc, char** argv) {
    const char* group = argc > 1 ? argv[1] : "/sys/fs/cgroup";
    Attempt("its memory", Rewrite(In(group, "memory.max")));
    Attempt("its processes", Rewrite(In(group, "pids.max")));
    Attempt("its weight", Write(In(group, "cpu.weight"), "100"));
    Attempt("a group of its own", mkdir(In(group, "attack"), 0755));
    rmdir(path);
    Attempt("kill by the group", open(In(group, "cgroup.kill"), O_WRONLY | O_CLOEXEC));
    Attempt("move a process", Write(In(group, "cgroup.procs"), "0"));
    AttemptInChild("mount writable", [] {
        if (unshare(CLONE_NEWNS) != 0) return -1L;
        mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
        mkdir("/tmp/attack-cgroup2", 0700);
        if (mount("cgroup2", "/tmp/attack-cgroup2", "cgroup2", 0, nullptr) != 0) return -1L;
        return Rewrite("/tmp/attack-cgroup2/memory.max") < 0 && errno != ENOENT ? -1L : 0L;
    });
    AttemptInChild("release agent", [] {
        if (unshare(CLONE_NEWNS) != 0) return -1L;
        mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
        return SetReleaseAgent();
    });
    AttemptInChild("release agent in a new user namespace", [] {
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWCGROUP) != 0) return -1L;
        return SetReleaseAgent();
    });
    Done();
}
