// Prints the system calls of an architecture, sorted by name, as rows of container/syscalls.cc: what
// libseccomp knows of them, without its tables of twenty other architectures in the binary.
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kHighest = 4096, kLongest = 29 };

struct Row {
    char* name;
    int number;
};

static int ByName(const void* a, const void* b) {
    return strcmp(((const struct Row*)a)->name, ((const struct Row*)b)->name);
}

int main(int argc, char** argv) {
    static struct Row rows[kHighest];
    size_t count = 0;
    if (argc != 2) return 2;
    const char* name = argv[1];
    if (strcmp(name, "armv7") == 0) name = "arm";  // libseccomp's word
    const uint32_t architecture = seccomp_arch_resolve_name(name);
    if (architecture == 0) {
        fprintf(stderr, "syscall_table: libseccomp knows no architecture '%s'\n", argv[1]);
        return 1;
    }
    for (int number = 0; number < kHighest; ++number) {
        char* call = seccomp_syscall_resolve_num_arch(architecture, number);
        if (call == NULL) continue;
        if (strlen(call) > kLongest) {
            fprintf(stderr, "syscall_table: '%s' is longer than a row has room for\n", call);
            return 1;
        }
        rows[count++] = (struct Row){call, number};
    }
    qsort(rows, count, sizeof *rows, ByName);
    for (size_t i = 0; i < count; ++i) printf("{\"%s\", %d},\n", rows[i].name, rows[i].number);
    return count > 100 ? 0 : 1;
}
