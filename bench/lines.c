/* Writes COUNT lines of 80 characters, each by a write(2) of its own, as a program does that logs
 * line by line. The last one is "took BEGIN END", in nanoseconds of CLOCK_MONOTONIC: a reader that
 * is slower holds its writer up. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static long long now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000000000 + now.tv_nsec;
}

int main(int argc, char** argv) {
    char line[128], last[64];
    const long count = argc > 1 ? atol(argv[1]) : 1;
    const long long begin = now();
    for (long i = 0; i < count; ++i) {
        snprintf(line, sizeof line, "%08ld %-70s\n", i,
                 "an ordinary line of a program that tells of what it does");
        if (write(1, line, 80) != 80) return 1;
    }
    const int size = snprintf(last, sizeof last, "took %lld %lld\n", begin, now());
    return write(1, last, (size_t)size) == size ? 0 : 1;
}
