#include "init/switch_root.h"

#include <cerrno>
#include <ftw.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "init/child.h"
#include "init/crash.h"
#include "init/early_boot.h"
#include "init/log.h"
#include "init/shutdown.h"

namespace husk::init {
namespace {

constexpr char kNewRoot[] = "/newroot";
constexpr char kInit[] = "/sbin/init";
constexpr unsigned kPause = 10;  // seconds

// In the new root these are what they were here: nothing is mounted twice, the log goes on.
constexpr const char* kTaken[][2] = {{"/dev", "/newroot/dev"},
                                     {"/proc", "/newroot/proc"},
                                     {"/sys", "/newroot/sys"},
                                     {"/run", "/newroot/run"},
                                     {"/tmp", "/newroot/tmp"}};

void Prepare(const void*) {
    const char* argv[] = {"husk", "prepare-root", kNewRoot, nullptr};
    const ChildEnvironment environment("HOME=/");
    (void)::execve("/proc/self/exe", const_cast<char* const*>(argv), environment.get());
}

// It says itself what is wrong, as long as it can.
bool IsPrepared() {
    const pid_t child = StartChild(kInitCgroup, Prepare, nullptr);
    if (child < 0) {
        Say(LogLevel::kError, "cannot start 'husk prepare-root': ", Errno{-child});
        return false;
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return false;
    if (status != 0 && !WIFEXITED(status))
        Say(LogLevel::kError, "'husk prepare-root' ", WaitStatus{status});
    return status == 0;
}

bool MoveMounts() {
    for (const auto& [from, to] : kTaken) {
        if (::mount(from, to, nullptr, MS_MOVE, nullptr) == 0) continue;
        Say(LogLevel::kError, "cannot take '", from, "' to the new root: ", Errno{errno},
            "; its image needs that folder");
        return false;
    }
    return true;
}

int Remove(const char* path, const struct stat*, int type, struct FTW*) {
    // What others are mounted on stays, and so do the folders above.
    (void)(type == FTW_DP ? ::rmdir(path) : ::unlink(path));
    return 0;
}

// Nobody could reach these files any more, and nobody could have their memory. FTW_MOUNT: the walk
// leaves the file system of the initramfs nowhere; what is executed from there is freed at its end.
void FreeInitramfs() {
    constexpr int kDescriptors = 16;
    struct statfs here {};
    if (::statfs("/", &here) != 0) return;
    const auto type = static_cast<unsigned long>(here.f_type);
    if (type != RAMFS_MAGIC && type != TMPFS_MAGIC) return;
    (void)::nftw("/", Remove, kDescriptors, FTW_PHYS | FTW_MOUNT | FTW_DEPTH);
}

bool Enter() {
    if (::chdir(kNewRoot) == 0 && ::mount(".", "/", nullptr, MS_MOVE, nullptr) == 0 &&
        ::chroot(".") == 0 && ::chdir("/") == 0)
        return true;
    Say(LogLevel::kError, "cannot enter the new root: ", Errno{errno});
    return false;
}

}  // namespace

void SwitchRoot() {
    if (IsPrepared() && MoveMounts()) {
        FreeInitramfs();
        if (Enter()) {
            Say(LogLevel::kInfo, "the root is switched; executing ", kInit);
            RestoreDescriptorLimit();
            const char* argv[] = {kInit, nullptr};
            (void)::execve(kInit, const_cast<char* const*>(argv), environ);
            Say(LogLevel::kError, "cannot execute '", kInit, "' of the new root: ", Errno{errno});
        }
    }
    Say(LogLevel::kError, "no root to boot; ", FinalWords(CrashAction()), " in ", kPause,
        " seconds");
    ::sleep(kPause);
    (void)::reboot(FinalCommand(CrashAction()));
    for (;;) (void)::pause();
}

}  // namespace husk::init
