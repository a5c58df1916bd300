/* Prints CLOCK_MONOTONIC in nanoseconds as its first deed, and gives the mark (mark.h) of a program that begins. Stays,
 * as a service does; as "stamp once" it ends; as "stamp ready" it says to descriptor 3 that it is ready, as s6 has it. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mark.h"

int main(int argc, char** argv) {
    struct timespec now;
    char text[32];
    clock_gettime(CLOCK_MONOTONIC, &now);
    const int64_t nanoseconds = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    MARK(MARK_PROGRAM);
    mark_time(nanoseconds);
    int size = snprintf(text, sizeof text, "%lld\n", (long long)nanoseconds);
    if (write(1, text, (size_t)size) != size) return 1;
    if (argc == 2 && strcmp(argv[1], "ready") == 0 && write(3, "\n", 1) != 1) return 1;
    while (argc == 1 || strcmp(argv[1], "once") != 0) pause();
    return 0;
}
