// What an image that was made by an attacker got husk to do: the file systems that lie at the usual
// places, whether the device's files can be seen through the image's links, and whether anything of
// the device can be changed.
#include <dirent.h>
#include <linux/magic.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "attack.h"

using namespace attack;

namespace {

struct FileSystem {
    const char* name;
    unsigned long magic;
};
constexpr FileSystem kFileSystems[] = {
    {"proc", PROC_SUPER_MAGIC},       {"sysfs", SYSFS_MAGIC},
    {"tmpfs", TMPFS_MAGIC},           {"erofs", EROFS_SUPER_MAGIC_V1},
    {"squashfs", SQUASHFS_MAGIC},     {"overlay", OVERLAYFS_SUPER_MAGIC},
    {"cgroup2", CGROUP2_SUPER_MAGIC}, {"devpts", DEVPTS_SUPER_MAGIC},
    {"ext4", EXT4_SUPER_MAGIC},
};

void SayFileSystem(const char* path) {
    char what[64];
    snprintf(what, sizeof what, "file system of %s", path);
    struct statfs found {};
    if (statfs(path, &found) != 0) {
        Attempt(what, -1);
        return;
    }
    for (const FileSystem& known : kFileSystems)
        if (known.magic == static_cast<unsigned long>(found.f_type)) return Say(what, known.name);
    Say(what, static_cast<long long>(found.f_type));
}

// Touches each page of a file by a mapping, as a program's own code is.
long Map(const char* path) {
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return -1;
    struct stat info {};
    fstat(file, &info);
    const size_t size = static_cast<size_t>(info.st_size);
    auto* at = static_cast<volatile char*>(mmap(nullptr, size, PROT_READ, MAP_SHARED, file, 0));
    close(file);
    if (at == MAP_FAILED) return -1;
    long sum = 0;
    for (size_t i = 0; i < size; i += 4096) sum += at[i];
    munmap(const_cast<char*>(at), size);
    return sum & 0xff;
}

}  // namespace

int main(int argc, char** argv) {
    for (const char* path : {"/", "/proc", "/sys", "/sys/fs/cgroup", "/dev", "/dev/pts", "/dev/shm",
                             "/tmp", "/run", "/var/tmp", "/etc"})
        SayFileSystem(path);
    struct stat null {};
    const bool is_null =
        stat("/dev/null", &null) == 0 && S_ISCHR(null.st_mode) && null.st_rdev == 0x103;
    Say("/dev/null", is_null ? "is null" : "is not null");
    Attempt("read the device's secret", ReadSome("/outside/secret"));
    Attempt("see the device's husk", access("/usr/bin/husk", F_OK));
    char text[256] = "";
    Read("/etc/hosts", text, sizeof text);
    Say("/etc/hosts", strstr(text, "localhost") != nullptr ? "is husk's" : "is not husk's");
    Attempt("write /etc/hosts", Write("/etc/hosts", "x", O_NONBLOCK));
    Attempt("write /proc/sys", Write("/proc/sys/kernel/hostname", "x"));
    Attempt("read /proc/kcore", ReadSome("/proc/kcore"));
    Attempt("read /proc/keys", ReadSome("/proc/keys"));
    Attempt("write a cgroup's limit", Write("/sys/fs/cgroup/memory.max", "max"));
    Say("uid", getuid());
    Say("end", "ok");
    // Reads its own image again and again, for a test that takes it away meanwhile.
    for (; argc > 1; usleep(100'000)) Attempt("map the image", Map(argv[1]));
    signal(SIGTERM, [](int) { _exit(0); });
    for (;;) pause();
}
