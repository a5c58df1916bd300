// Runs a command with a terminal for its output, and gives what a person's terminal would get: to
// see that nothing of what a container or a unit file says can steer it.
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "attack.h"

int main(int argc, char** argv) {
    const int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (argc < 2 || terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0) return 2;
    const int end = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
    termios settings{};
    tcgetattr(end, &settings);
    cfmakeraw(&settings);  // bytes as they are
    tcsetattr(end, TCSANOW, &settings);
    const winsize size{.ws_row = 50, .ws_col = 200, .ws_xpixel = 0, .ws_ypixel = 0};
    ioctl(end, TIOCSWINSZ, &size);
    const pid_t child = fork();
    if (child == 0) {
        dup2(end, 1);
        dup2(end, 2);
        setenv("TERM", "dumb", 1);  // no colours of husk's own
        execvp(argv[1], argv + 1);
        _exit(127);
    }
    close(end);
    char text[4096];
    // EIO: nobody has the other end open any more.
    for (ssize_t got; (got = read(terminal, text, sizeof text)) > 0;)
        if (write(1, text, static_cast<size_t>(got)) != got) return 2;
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
