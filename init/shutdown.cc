#include "init/shutdown.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/fd.h"
#include "base/time.h"
#include "init/child.h"
#include "init/clock.h"
#include "init/detach.h"
#include "init/early_boot.h"
#include "init/log.h"
#include "init/mount_info.h"

namespace husk::init {
namespace {

using namespace std::chrono_literals;

constexpr int kKexecCommand = 0x45584543;  // LINUX_REBOOT_CMD_KEXEC
constexpr Duration kTermLimit = 5s;
constexpr Duration kKillLimit = 5s;
// sync(2) and umount(2) of a slow card take their time; of a dead one, for ever.
constexpr Duration kUnmountLimit = 60s;

// Room for one line; overlay mounts make long ones.
char mount_buffer[16384];

// These hold nothing that could be lost. Emptying a tmpfs could need more memory than there is.
constexpr std::string_view kNothingToLose[] = {"rootfs",  "ramfs",    "tmpfs",  "proc",   "sysfs",
                                               "cgroup2", "devtmpfs", "devpts", "mqueue", "autofs"};

// True once `child` ended (0: once there is no child left at all); false at the limit. All signals
// are blocked since boot, so none is lost between the look and the wait.
bool WaitForEnd(Memory& memory, pid_t child, Duration limit) {
    const Instant until = Now() + limit;
    sigset_t child_signal;
    ::sigemptyset(&child_signal);
    ::sigaddset(&child_signal, SIGCHLD);
    for (;;) {
        pid_t ended;
        while ((ended = ::waitpid(-1, nullptr, WNOHANG)) > 0)
            if (ended == child) return true;
        if (ended < 0 && errno == ECHILD) return true;
        const Instant now = Now();
        TendWatchdog(memory.watchdog, memory.slots, now);
        if (until <= now) return false;
        const Duration left = std::min(until, memory.watchdog.feed.next()) - now;
        const timespec wait{left / 1s, (left % 1s).count()};
        (void)::sigtimedwait(&child_signal, nullptr, &wait);
    }
}

// Every process of this PID namespace ends as a child of ours, so no child left = none left.
void KillEverything(Memory& memory, pid_t console) {
    if (::getpid() != 1) return;  // -1 would be everybody's processes
    // What is stopped must run to end. An interactive shell ends for SIGHUP only.
    (void)::kill(-1, SIGTERM);
    (void)::kill(-1, SIGCONT);
    if (console > 0) (void)::kill(console, SIGHUP);
    if (WaitForEnd(memory, 0, kTermLimit)) return;
    Say(LogLevel::kWarning, "killing what did not end within ", kTermLimit / 1s, " seconds");
    (void)::kill(-1, SIGKILL);
    if (!WaitForEnd(memory, 0, kKillLimit))
        Say(LogLevel::kError, "some processes cannot be killed; going on without them");
}

bool IsWorthUnmounting(const MountEntry& entry) {
    return std::find(std::begin(kNothingToLose), std::end(kNothingToLose), entry.type) ==
           std::end(kNothingToLose);
}

// Copies the target of the mount that has exactly `later` others worth unmounting behind it.
bool FindFromEnd(size_t later, char* target, size_t room) {
    size_t count = 0;
    for (int pass = 0; pass < 2; ++pass) {
        const OwnedFd file(::open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC));
        if (!file) return false;
        MountReader reader(file.get(), mount_buffer, sizeof mount_buffer);
        size_t index = 0;
        while (const auto entry = reader.Next()) {
            if (!IsWorthUnmounting(*entry)) continue;
            if (pass == 1 && index + later + 1 == count && entry->target.size() < room) {
                std::memcpy(target, entry->target.data(), entry->target.size() + 1);
                return true;
            }
            ++index;
        }
        count = index;
    }
    return false;
}

// From the last mount to the first; what is busy stays for the next round, since what keeps it busy
// may be unmounted by then. True if anything was unmounted.
bool UnmountRound() {
    bool progress = false;
    char target[4096];  // PATH_MAX
    for (size_t busy = 0; FindFromEnd(busy, target, sizeof target);) {
        if (std::strcmp(target, "/") != 0 && ::umount2(target, UMOUNT_NOFOLLOW) == 0) {
            Say(LogLevel::kDebug, "unmounted '", target, "'");
            progress = true;
            continue;
        }
        ++busy;
    }
    return progress;
}

// What stays: the root, and what something unknown keeps busy. Its journals are written and later
// writes fail, which is as good as unmounted: mount(2). This is the proof in the log that nothing
// stays mounted.
void SayWhatStays() {
    char target[4096];
    size_t stays = 0;
    for (; FindFromEnd(stays, target, sizeof target); ++stays) {
        if (::mount(nullptr, target, nullptr, MS_REMOUNT | MS_RDONLY, nullptr) != 0)
            Say(LogLevel::kError, "cannot unmount '", target,
                "' nor make it read-only: ", Errno{errno});
        else
            Say(LogLevel::kInfo, "'", target, "' is made read-only");
    }
    if (stays == 0) Say(LogLevel::kInfo, "all file systems are unmounted");
}

void UnmountEverything(const void*) {
    ::sync();
    // What a loop device lies on is busy until it lets go.
    while (UnmountRound() || DetachBlockDevices()) {
    }
    SayWhatStays();
    ::sync();
    ::_exit(0);
}

// In a child, so that a disk that never answers cannot hold PID 1.
void UnmountWithLimit(Memory& memory) {
    const pid_t child = StartChild(kInitCgroup, UnmountEverything, nullptr);
    if (child < 0) {
        Say(LogLevel::kError, "cannot start unmounting: ", Errno{-child}, "; only syncing");
        ::sync();
    } else if (!WaitForEnd(memory, child, kUnmountLimit)) {
        Say(LogLevel::kError, "unmounting hangs; going down without it");
    }
}

// They would keep file systems busy.
void CloseAllButWatchdog(DescriptorSlots& slots) {
    const int watchdog = slots.Peek(kWatchdogSlot);
    OwnedFd kept(watchdog >= 0 ? ::fcntl(watchdog, F_DUPFD_CLOEXEC, 0) : -1);
    slots.Clear();
    if (kept) (void)slots.Store(kWatchdogSlot, std::move(kept));
}

}  // namespace

const char* FinalWords(ShutdownAction action) {
    switch (action) {
        case ShutdownAction::kReboot: return "rebooting";
        case ShutdownAction::kHalt: return "halting";
        case ShutdownAction::kKexec: return "starting the loaded kernel";
        case ShutdownAction::kNone:
        case ShutdownAction::kPoweroff: break;
    }
    return "powering down";
}

int FinalCommand(ShutdownAction action) {
    switch (action) {
        case ShutdownAction::kReboot: return RB_AUTOBOOT;
        case ShutdownAction::kHalt: return RB_HALT_SYSTEM;
        case ShutdownAction::kKexec: return kKexecCommand;
        case ShutdownAction::kNone:
        case ShutdownAction::kPoweroff: break;
    }
    return RB_POWER_OFF;
}

void FinishSystem(Memory& memory, bool whole_system, pid_t console) {
    const ShutdownAction action = memory.shutdown.action();
    memory.watchdog.feed.TrustMyself();
    Say(LogLevel::kInfo, "stopping all processes");
    KillEverything(memory, console);
    CloseAllButWatchdog(memory.slots);
    if (whole_system) {
        Say(LogLevel::kInfo, "unmounting file systems");
        UnmountWithLimit(memory);
    }
    LeaveWatchdog(memory.watchdog, memory.slots.Peek(kWatchdogSlot), action);
    Say(LogLevel::kInfo, FinalWords(action));
    (void)::reboot(FinalCommand(action));
    if (action == ShutdownAction::kKexec) {
        Say(LogLevel::kError, "no kernel could be started: ", Errno{errno}, "; rebooting");
        (void)::reboot(RB_AUTOBOOT);
    }
    // Only in a container without CAP_SYS_BOOT, whose end this is then.
    Say(LogLevel::kError, "reboot(2): ", Errno{errno});
    if (errno == EPERM) ::_exit(0);
    for (;;) (void)::pause();
}

}  // namespace husk::init
