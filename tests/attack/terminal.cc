// Words put into a terminal as if they were typed: TIOCSTI, and TIOCLINUX of the console.
//   terminal   on what the container has: its standard streams, /dev/tty, /dev/console
//   terminal own   on a terminal of its own, where it is its own business
#include <sys/ioctl.h>

#include "attack.h"

using namespace attack;

namespace {

constexpr unsigned long kTiocLinux = 0x541C;

long Type(int terminal, unsigned long request) {
    char letter = 'x';
    return ioctl(terminal, static_cast<int>(request), &letter);
}

}  // namespace

int main(int argc, char**) {
    if (argc > 1) {
        const int own = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
        int unlock = 0, number = 0;
        ioctl(own, static_cast<int>(TIOCSPTLCK), &unlock);
        ioctl(own, static_cast<int>(TIOCGPTN), &number);
        char path[64];
        snprintf(path, sizeof path, "/dev/pts/%d", number);
        const int terminal = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
        Attempt("TIOCSTI on a terminal of its own", Type(terminal, TIOCSTI));
        Done();
    }
    // What a person types, and the state that husk's own descriptors of the console would share.
    char typed[8];
    for (int stream : {1, 2}) {
        Attempt("read what is written to", read(stream, typed, 0));
        const int mode = fcntl(stream, F_GETFL);
        errno = EBADF;
        Attempt("a stream to read", (mode & O_ACCMODE) == O_WRONLY ? -1 : 0);
    }
    for (int stream : {0, 1, 2}) {
        // The lower half of the number is all that the kernel looks at.
        Attempt("TIOCSTI", Type(stream, TIOCSTI));
        Attempt("TIOCSTI with a high half", syscall(SYS_ioctl, stream, TIOCSTI | 1ul << 32, "x"));
        Attempt("TIOCLINUX", Type(stream, kTiocLinux));
        Attempt("take the terminal", ioctl(stream, static_cast<int>(TIOCSCTTY), 1));
        Attempt("take the kernel's messages", ioctl(stream, static_cast<int>(TIOCCONS)));
    }
    Attempt("/dev/tty", open("/dev/tty", O_RDWR | O_CLOEXEC));
    Attempt("/dev/console", open("/dev/console", O_RDWR | O_NOCTTY | O_CLOEXEC));
    Attempt("/dev/ttyS0", open("/dev/ttyS0", O_RDWR | O_NOCTTY | O_CLOEXEC));
    Done();
}
