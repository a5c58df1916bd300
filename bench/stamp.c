/* Prints CLOCK_MONOTONIC in nanoseconds as its first deed. Stays, as a service does; with an argument it ends. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv) {
    struct timespec now;
    char text[32];
    (void)argv;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int size = snprintf(text, sizeof text, "%lld\n", (long long)now.tv_sec * 1000000000 + now.tv_nsec);
    if (write(1, text, (size_t)size) != size) return 1;
    while (argc == 1) pause();
    return 0;
}
