// Programs for boot tests, by their first argument: what a container might do that its neighbours
// and the supervisor should not notice.
//   numbers MICROSECONDS   a numbered line, again and again
//   eat                    takes memory and touches it until the kernel says no
//   fork                   a fork bomb
//   orphans NUMBER         leaves so many processes to PID 1, as fast as it can; each ends at once
//   flood                  writes lines as fast as it can
//   exit CODE [MS]         exits so, after a while
//   sleep                  does nothing
//   stubborn               ignores SIGTERM

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

[[noreturn]] void Numbers(useconds_t pause_us) {
    for (unsigned long number = 1;; ++number) {
        char line[64];
        const int size = snprintf(line, sizeof line, "line %lu\n", number);
        // A short write would look like a lost line.
        if (write(1, line, static_cast<size_t>(size)) != size) _exit(9);
        usleep(pause_us);
    }
}

[[noreturn]] void Eat() {
    constexpr size_t kStep = 1 << 20;
    for (;;) {
        void* more =
            mmap(nullptr, kStep, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (more == MAP_FAILED) _exit(8);
        memset(more, 1, kStep);
    }
}

[[noreturn]] void ForkBomb() {
    signal(SIGCHLD, SIG_IGN);
    bool said = false;
    for (;;) {
        const pid_t child = fork();
        if (child < 0 && !said) {
            said = true;
            dprintf(1, "fork: %s\n", strerror(errno));
        }
        if (child < 0) usleep(10'000);
    }
}

int Orphans(int number) {
    for (int i = 0; i < number; ++i) {
        const pid_t child = fork();
        if (child == 0) _exit(fork() < 0 ? 1 : 0);
        int status = -1;
        if (child < 0 || waitpid(child, &status, 0) != child || status != 0) return 1;
    }
    return 0;
}

[[noreturn]] void Flood() {
    static char block[4096];
    for (size_t i = 0; i < sizeof block; ++i) block[i] = i % 64 == 63 ? '\n' : 'x';
    for (;;)
        if (write(1, block, sizeof block) < 0) _exit(7);
}

}  // namespace

int main(int argc, char** argv) {
    const char* what = argc > 1 ? argv[1] : "sleep";
    const int number = argc > 2 ? atoi(argv[2]) : 0;
    // PID 1 of a container ignores what it has no handler for, and every stop would take its limit.
    signal(
        SIGTERM, strcmp(what, "stubborn") == 0 ? SIG_IGN : [](int) { _exit(0); });
    if (strcmp(what, "numbers") == 0) Numbers(static_cast<useconds_t>(number));
    if (strcmp(what, "eat") == 0) Eat();
    if (strcmp(what, "fork") == 0) ForkBomb();
    if (strcmp(what, "flood") == 0) Flood();
    if (strcmp(what, "orphans") == 0) return Orphans(number);
    if (strcmp(what, "exit") == 0) {
        if (argc > 3) usleep(static_cast<useconds_t>(atoi(argv[3])) * 1000);
        return number;
    }
    for (;;) pause();
}
