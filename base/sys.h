// System calls that musl (or glibc before 2.36) has no wrapper for, under the kernel's names. They
// return what the kernel returns, with errno set: section 2 of the manual holds for each.
//
// Constants are our own, since <linux/mount.h> and libc's <sys/mount.h> cannot be included
// together.
#pragma once

#include <cstdint>
#include <sched.h>
#include <signal.h>
#include <sys/types.h>

namespace husk::sys {

// mount_setattr(2), struct mount_attr
struct MountAttributes {
    uint64_t set = 0;
    uint64_t clear = 0;
    uint64_t propagation = 0;
    uint64_t user_namespace = 0;  // descriptor, with kMountIdMap
};
inline constexpr uint64_t kMountReadOnly = 0x1, kMountNoSuid = 0x2, kMountNoDev = 0x4,
                          kMountNoExec = 0x8, kMountIdMap = 0x00100000;
inline constexpr unsigned kAtEmptyPath = 0x1000, kAtRecursive = 0x8000;
inline constexpr unsigned kOpenTreeClone = 1, kOpenTreeCloexec = 02000000;
inline constexpr unsigned kMoveMountFromEmptyPath = 0x4, kMoveMountToEmptyPath = 0x40;

// fsopen(2), fsconfig(2), fsmount(2): enum fsconfig_command
inline constexpr unsigned kFsopenCloexec = 1, kFsmountCloexec = 1;
inline constexpr unsigned kFsconfigSetFlag = 0, kFsconfigSetString = 1, kFsconfigCreate = 6;

// openat2(2), struct open_how
struct OpenHow {
    uint64_t flags = 0;
    uint64_t mode = 0;
    uint64_t resolve = 0;
};
inline constexpr uint64_t kResolveNoMagicLinks = 0x02, kResolveNoSymlinks = 0x04,
                          kResolveBeneath = 0x08, kResolveInRoot = 0x10;

// clone3(2), struct clone_args
struct CloneArguments {
    uint64_t flags = 0;
    uint64_t pidfd = 0;
    uint64_t child_tid = 0;
    uint64_t parent_tid = 0;
    uint64_t exit_signal = 0;
    uint64_t stack = 0;
    uint64_t stack_size = 0;
    uint64_t tls = 0;
    uint64_t set_tid = 0;
    uint64_t set_tid_size = 0;
    uint64_t cgroup = 0;
};
inline constexpr uint64_t kClonePidfd = 0x1000, kCloneClearSighand = 0x100000000ull,
                          kCloneIntoCgroup = 0x200000000ull, kCloneNewTime = 0x80,
                          kCloneNewCgroup = 0x02000000;

inline constexpr unsigned kCloseRangeCloexec = 4;

// Like fork(2) where no stack is given: returns 0 in the child.
pid_t clone3(const CloneArguments& arguments);
int pidfd_open(pid_t pid);
int pidfd_send_signal(int pidfd, int signal);
int openat2(int directory, const char* path, const OpenHow& how);
int open_tree(int directory, const char* path, unsigned flags);
int move_mount(int from_directory, const char* from, int to_directory, const char* to,
               unsigned flags);
int fsopen(const char* type, unsigned flags);
int fsconfig(int context, unsigned command, const char* key, const char* value, int extra);
int fsmount(int context, unsigned flags, unsigned attributes);
int mount_setattr(int directory, const char* path, unsigned flags,
                  const MountAttributes& attributes);
int pivot_root(const char* new_root, const char* put_old);
int close_range(unsigned first, unsigned last, unsigned flags);
// netdevice(7): sets IFF_UP on "lo" of the calling thread's network namespace.
int bring_loopback_up();
inline constexpr unsigned kRenameExchange = 0x2;
int renameat2(int old_directory, const char* old_path, int new_directory, const char* new_path,
              unsigned flags);
int finit_module(int fd, const char* parameters, int flags);

}  // namespace husk::sys
