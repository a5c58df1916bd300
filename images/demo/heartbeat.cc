// A small static program in a minimal root: says every five seconds what it sees of itself.
// Tests and people read from its lines that it is confined and that it stays the same process.

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

namespace {

// The value of a line such as "CapEff:\t0000000000000000" of /proc/self/status, or "?".
void StatusField(const char* name, char* value, size_t size) {
    snprintf(value, size, "?");
    FILE* file = fopen("/proc/self/status", "re");
    if (file == nullptr) return;
    char line[256];
    const size_t length = strlen(name);
    while (fgets(line, sizeof line, file) != nullptr) {
        if (strncmp(line, name, length) != 0 || line[length] != ':') continue;
        const char* from = line + length + 1 + strspn(line + length + 1, " \t");
        snprintf(value, size, "%.*s", static_cast<int>(strcspn(from, "\n")), from);
    }
    fclose(file);
}

}  // namespace

int main() {
    setvbuf(stdout, nullptr, _IOLBF, 0);
    char host[65] = "";
    char capabilities[64];
    char filter[64];
    gethostname(host, sizeof host - 1);
    StatusField("CapEff", capabilities, sizeof capabilities);
    StatusField("Seccomp", filter, sizeof filter);
    printf("heartbeat: pid %d, user %d, host %s, capabilities %s, seccomp %s\n", getpid(), getuid(),
           host, capabilities, filter);
    for (unsigned long beat = 1;; ++beat) {
        timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        printf("beat %lu at %lld.%03ld s\n", beat, static_cast<long long>(now.tv_sec),
               now.tv_nsec / 1000000);
        sleep(5);
    }
}
