// Beats ten times a second and says each time how long it took since the last beat, in
// milliseconds; and whether it could do what neighbours do: open a file, start a process, write to
// its own /tmp. For what attackers take from it.
#include <signal.h>
#include <sys/inotify.h>
#include <time.h>

#include "attack.h"

using namespace attack;

namespace {

constexpr long kBeatMs = 100;

long long Now() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1'000'000;
}

// Once a second: 0, or the errno of what did not go.
int LiveOn() {
    const int file = open("/tmp/beat", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) return errno;
    const bool written = write(file, "beat\n", 5) == 5;
    const int error = errno;
    close(file);
    if (!written) return error;
    const int watch = inotify_init1(IN_CLOEXEC);
    if (watch < 0) return errno;
    close(watch);
    const int terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (terminal < 0) return errno;
    close(terminal);
    const pid_t child = fork();
    if (child < 0) return errno;
    if (child == 0) _exit(0);
    waitpid(child, nullptr, 0);
    return 0;
}

}  // namespace

int main() {
    signal(SIGTERM, [](int) { _exit(0); });
    long long last = Now();
    for (long beat = 1;; ++beat) {
        usleep(kBeatMs * 1000);
        const int error = beat % 10 == 0 ? LiveOn() : 0;
        const long long now = Now();
        printf("beat %ld %lld %s\n", beat, now - last, error == 0 ? "ok" : ErrorName(error));
        fflush(stdout);
        last = now;
    }
}
