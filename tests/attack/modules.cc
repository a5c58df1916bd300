// Code for the kernel itself: a module, another kernel. Nothing that could be taken is offered, so
// that the kernel's answer is about that where it listens.
#include <sys/mman.h>
#include <sys/reboot.h>

#include "attack.h"

using namespace attack;

int main() {
    static char nothing[64];
    Attempt("init_module", syscall(SYS_init_module, nothing, sizeof nothing, ""));
    const int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    Attempt("finit_module", syscall(SYS_finit_module, file, "", 0));
    Attempt("delete_module", syscall(SYS_delete_module, "no_such_module", O_NONBLOCK));
    Attempt("kexec_load", syscall(SYS_kexec_load, 0, 0, nullptr, 0));
    Attempt("kexec_file_load", syscall(SYS_kexec_file_load, file, -1, 0, nullptr, 0));
    // Ctrl-Alt-Del stays as husk sets it: a signal to PID 1.
    Attempt("reboot", reboot(RB_DISABLE_CAD));
    Attempt("swapoff", syscall(SYS_swapoff, "/no/such/file"));
    Attempt("acct", syscall(SYS_acct, nullptr));
    Done();
}
