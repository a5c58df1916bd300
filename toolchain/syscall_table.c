// Prints the table of base/syscalls.cc: system calls by name with their number on one architecture, as libseccomp knows
// them, and the groups that base/syscall_groups.txt puts them in. Without libseccomp's tables of twenty other
// architectures and its rule engine in the binary.
#include <ctype.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kMostCalls = 1024, kMostGroups = 64, kLongest = 40, kNoNumber = 0xffff };
// Linux for 32-bit ARM has a few calls of its own far above the others; in the table they are 0xf0NN.
enum { kArmFirst = 0xf0000, kArmCount = 16, kArmRow = 0xf000 };

struct Call {
    char name[kLongest];
    unsigned number;
    uint64_t groups;
};
struct Group {
    char name[kLongest];
    uint64_t contains;  // other groups
};

static struct Call calls[kMostCalls];
static struct Group groups[kMostGroups];
static size_t call_count, group_count;

static void Die(const char* what, const char* about) {
    fprintf(stderr, "syscall_table: %s '%s'\n", what, about);
    exit(1);
}

static struct Call* FindCall(const char* name) {
    for (size_t i = 0; i < call_count; ++i)
        if (strcmp(calls[i].name, name) == 0) return &calls[i];
    if (call_count == kMostCalls || strlen(name) >= kLongest) Die("no room for", name);
    struct Call* call = &calls[call_count++];
    strcpy(call->name, name);
    call->number = kNoNumber;
    return call;
}

static size_t FindGroup(const char* name) {
    for (size_t i = 0; i < group_count; ++i)
        if (strcmp(groups[i].name, name) == 0) return i;
    if (group_count == kMostGroups || strlen(name) >= kLongest) Die("no room for", name);
    strcpy(groups[group_count].name, name);
    return group_count++;
}

// Every name that the architecture has; numbers only of the one that the table is for.
static void TakeArchitecture(uint32_t architecture, int with_numbers) {
    static const int kRanges[][2] = {{0, 1024}, {4000, 4600}, {kArmFirst, kArmFirst + kArmCount}};
    for (size_t r = 0; r < sizeof kRanges / sizeof *kRanges; ++r)
        for (int number = kRanges[r][0]; number < kRanges[r][1]; ++number) {
            char* name = seccomp_syscall_resolve_num_arch(architecture, number);
            if (name == NULL) continue;
            struct Call* call = FindCall(name);
            if (with_numbers)
                call->number = (unsigned)(number < kArmFirst ? number : number - kArmFirst + kArmRow);
            free(name);
        }
}

// `takes_away` is filled with what each group is not to have.
static void ReadGroups(const char* path, uint64_t* takes_away) {
    FILE* file = fopen(path, "r");
    char line[256];
    if (file == NULL) Die("cannot read", path);
    size_t group = kMostGroups;
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "#\n")] = '\0';
        const int is_member = isspace((unsigned char)line[0]);
        for (char* word = strtok(line, " "); word != NULL; word = strtok(NULL, " ")) {
            if (!is_member)
                group = FindGroup(word);
            else if (group == kMostGroups)
                Die("in no group:", word);
            else if (word[0] == '@')
                groups[group].contains |= UINT64_C(1) << FindGroup(word);
            else if (word[0] == '-')
                takes_away[FindCall(word + 1) - calls] |= UINT64_C(1) << group;
            else
                FindCall(word)->groups |= UINT64_C(1) << group;
        }
    }
    fclose(file);
}

static void ExpandGroups(const uint64_t* takes_away) {
    const size_t known = FindGroup("@known");
    for (size_t c = 0; c < call_count; ++c) calls[c].groups |= UINT64_C(1) << known;
    for (int changed = 1; changed;) {
        changed = 0;
        for (size_t c = 0; c < call_count; ++c)
            for (size_t g = 0; g < group_count; ++g)
                if ((calls[c].groups & groups[g].contains) != 0 && (calls[c].groups >> g & 1) == 0) {
                    calls[c].groups |= UINT64_C(1) << g;
                    changed = 1;
                }
    }
    for (size_t c = 0; c < call_count; ++c) calls[c].groups &= ~takes_away[c];
}

static int ByName(const void* a, const void* b) {
    return strcmp(((const struct Call*)a)->name, ((const struct Call*)b)->name);
}

// Rows have the number of their set of groups, of which there are few.
static void Print(void) {
    static uint64_t sets[kMostCalls];
    size_t set_count = 0;
    printf("constexpr char kNames[] =\n");
    for (size_t i = 0; i < call_count; ++i) printf("\"%s\\0\"\n", calls[i].name);
    printf(";\nconstexpr Row kRows[] = {\n");
    for (size_t i = 0, offset = 0; i < call_count; ++i) {
        size_t set = 0;
        while (set < set_count && sets[set] != calls[i].groups) ++set;
        if (set == set_count) sets[set_count++] = calls[i].groups;
        if (set > 255 || offset > 0xffff) Die("no room for", calls[i].name);
        printf("{%zu, %u, %zu},\n", offset, calls[i].number, set);
        offset += strlen(calls[i].name) + 1;
    }
    printf("};\nconstexpr uint64_t kSets[] = {\n");
    for (size_t i = 0; i < set_count; ++i) printf("0x%llx,\n", (unsigned long long)sets[i]);
    printf("};\nconstexpr char kGroupNames[] =\n");
    for (size_t i = 0; i < group_count; ++i)
        printf("\"%s\\0\"\n", groups[i].name[0] == '@' ? groups[i].name + 1 : "");
    printf(";\nconstexpr CapabilityGroup kCapabilityGroups[] = {\n");
    for (size_t i = 0; i < group_count; ++i)
        if (groups[i].name[0] != '@') printf("{%s, %zu},\n", groups[i].name, i);
    printf("};\n");
}

int main(int argc, char** argv) {
    static const char* const kOthers[] = {"x86_64", "x86",    "arm", "aarch64", "riscv64",
                                          "mips",   "ppc64", "s390x", "m68k",   "loongarch64"};
    static uint64_t takes_away[kMostCalls];
    if (argc != 3) return 2;
    const char* name = argv[1];
    if (strcmp(name, "armv7") == 0) name = "arm";  // libseccomp's word
    const uint32_t architecture = seccomp_arch_resolve_name(name);
    if (architecture == 0) Die("libseccomp knows no architecture", argv[1]);
    TakeArchitecture(architecture, 1);
    if (call_count < 100) Die("too few system calls of", argv[1]);
    for (size_t i = 0; i < sizeof kOthers / sizeof *kOthers; ++i)
        TakeArchitecture(seccomp_arch_resolve_name(kOthers[i]), 0);
    ReadGroups(argv[2], takes_away);
    ExpandGroups(takes_away);
    qsort(calls, call_count, sizeof *calls, ByName);
    Print();
    return 0;
}
