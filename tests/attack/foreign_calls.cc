// The kernel's other tables of system calls, whose numbers mean other calls than a filter of the
// native ones thinks.
#include "attack.h"

using namespace attack;

int main() {
#ifdef __x86_64__
    // 20 is getpid of i386, 39 that of x86_64; writev is what the filter would see in the first.
    AttemptInChild("i386", [] {
        long result = 20;
        __asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
        if (result < 0) errno = static_cast<int>(-result);
        return result;
    });
    AttemptInChild("x32", [] { return syscall(0x40000000 + 39); });
    // setuid of i386 is 23, that of a refused call: mount is 21.
    AttemptInChild("mount of i386", [] {
        long result = 21;
        __asm__ volatile("int $0x80"
                         : "+a"(result)
                         : "b"(0), "c"(0), "d"(0), "S"(0), "D"(0)
                         : "memory", "r8", "r9", "r10", "r11");
        if (result < 0) errno = static_cast<int>(-result);
        return result;
    });
#endif
    // Of no table.
    Attempt("a number that no call has", syscall(9999));
    Done();
}
