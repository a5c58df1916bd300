#include "base/sys.h"

#include <cerrno>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace husk::sys {

pid_t clone3(const CloneArguments& arguments) {
    return static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof arguments));
}

int pidfd_open(pid_t pid) { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); }

int pidfd_send_signal(int pidfd, int signal) {
    return static_cast<int>(::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0));
}

int openat2(int directory, const char* path, const OpenHow& how) {
    return static_cast<int>(::syscall(SYS_openat2, directory, path, &how, sizeof how));
}

int open_tree(int directory, const char* path, unsigned flags) {
    return static_cast<int>(::syscall(SYS_open_tree, directory, path, flags));
}

int move_mount(int from_directory, const char* from, int to_directory, const char* to,
               unsigned flags) {
    return static_cast<int>(
        ::syscall(SYS_move_mount, from_directory, from, to_directory, to, flags));
}

int fsopen(const char* type, unsigned flags) {
    return static_cast<int>(::syscall(SYS_fsopen, type, flags));
}

int fsconfig(int context, unsigned command, const char* key, const char* value, int extra) {
    return static_cast<int>(::syscall(SYS_fsconfig, context, command, key, value, extra));
}

int fsmount(int context, unsigned flags, unsigned attributes) {
    return static_cast<int>(::syscall(SYS_fsmount, context, flags, attributes));
}

int mount_setattr(int directory, const char* path, unsigned flags,
                  const MountAttributes& attributes) {
    return static_cast<int>(
        ::syscall(SYS_mount_setattr, directory, path, flags, &attributes, sizeof attributes));
}

int pivot_root(const char* new_root, const char* put_old) {
    return static_cast<int>(::syscall(SYS_pivot_root, new_root, put_old));
}

int close_range(unsigned first, unsigned last, unsigned flags) {
    return static_cast<int>(::syscall(SYS_close_range, first, last, flags));
}

int bring_loopback_up() {
    const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    ifreq request{};
    request.ifr_name[0] = 'l';
    request.ifr_name[1] = 'o';
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    const int result = ::ioctl(fd, SIOCSIFFLAGS, &request);
    const int error = errno;
    (void)::close(fd);
    errno = error;
    return result;
}

int renameat2(int old_directory, const char* old_path, int new_directory, const char* new_path,
              unsigned flags) {
    return static_cast<int>(
        ::syscall(SYS_renameat2, old_directory, old_path, new_directory, new_path, flags));
}

int finit_module(int fd, const char* parameters, int flags) {
    return static_cast<int>(::syscall(SYS_finit_module, fd, parameters, flags));
}

}  // namespace husk::sys
