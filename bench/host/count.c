/* A plugin of QEMU's that counts the guest's executed instructions, those of programs and those of the kernel apart,
 * and system calls, and writes a line for each mark (bench/mark.h): its kind, the three counts until then, and the
 * guest's time; and one of kind 255, without a time, when QEMU ends. Until it is told
 * to count it only looks for that mark, since counting makes a boot take twice as long.
 *
 *     -plugin libcount.so,out=FILE[,profile=FILE,programs=N]
 *
 * profile=: what was executed from the mark that begins to that of the Nth program, a line for each block of code: its
 * address and its instructions.
 *
 * Declared here is what it uses of the interface, version 1 (QEMU's docs/devel/tcg-plugins.rst), since Debian 12 has no
 * package with the header. A string instruction counts once for each repetition, as QEMU's -icount has it too. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../mark.h"

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum { NO_REGISTERS = 0, ADD = 0 }; /* qemu_plugin_cb_flags, qemu_plugin_op */

extern void qemu_plugin_reset(plugin_id, void (*)(plugin_id)); /* all blocks are translated again */
extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int op, void *to, uint64_t value);
extern void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *, int op, void *to, uint64_t value);
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, void (*)(unsigned cpu, void *), int flags,
                                                   void *);
extern void qemu_plugin_register_atexit_cb(plugin_id, void (*)(plugin_id, void *), void *);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
extern const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
extern size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *);

int qemu_plugin_version = 1;

enum { BLOCKS = 1 << 20 };
struct block {
    uint64_t address, instructions;
};

static struct {
    plugin_id id;
    bool counts;
    uint64_t user, kernel, calls;
    int out, profile;
    unsigned programs; /* that end the profile; those that are left */
    struct block *blocks;
    struct {
        unsigned kind;
        uint64_t user, kernel, calls, time;
        int bits; /* of the time that have come */
    } mark;
} state = {.out = -1, .profile = -1, .mark = {.bits = MARK_BITS}};

static void write_profile(void) {
    FILE *to = fdopen(state.profile, "w");
    if (!to) abort();
    for (size_t i = 0; i < BLOCKS; ++i)
        if (state.blocks[i].instructions)
            fprintf(to, "%" PRIx64 " %" PRIu64 "\n", state.blocks[i].address, state.blocks[i].instructions);
    if (fclose(to) != 0) abort();
    state.profile = -1;
}

static void follow_profile(unsigned kind) {
    if (state.profile < 0) return;
    if (kind == MARK_BEGIN)
        for (size_t i = 0; i < BLOCKS; ++i) state.blocks[i].instructions = 0;
    if (kind == MARK_PROGRAM && --state.programs == 0) write_profile();
}

static void write_mark(bool whole) {
    char line[100];
    int size = snprintf(line, sizeof line, "%u %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRId64 "\n", state.mark.kind,
                        state.mark.user, state.mark.kernel, state.mark.calls, whole ? (int64_t)state.mark.time : -1);
    if (write(state.out, line, (size_t)size) != size) abort();
}

static void on_bit(unsigned bit) {
    if (state.mark.bits == MARK_BITS) return;
    state.mark.time |= (uint64_t)bit << state.mark.bits;
    if (++state.mark.bits == MARK_BITS) write_mark(true);
}

static void on_translation(plugin_id id, struct qemu_plugin_tb *block);

static void at_exit(plugin_id id, void *nothing) {
    (void)id, (void)nothing;
    char line[100];
    int size = snprintf(line, sizeof line, "255 %" PRIu64 " %" PRIu64 " %" PRIu64 " -1\n", state.user, state.kernel,
                        state.calls);
    if (write(state.out, line, (size_t)size) != size) abort();
}

static void count(plugin_id id) {
    state.counts = true;
    qemu_plugin_register_atexit_cb(id, at_exit, NULL);
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
}

static void on_mark(unsigned cpu, void *what) {
    unsigned kind = (unsigned)(uintptr_t)what;
    (void)cpu;
    if (kind == MARK_COUNT) {
        if (!state.counts) qemu_plugin_reset(state.id, count);
        return;
    }
    if (kind <= MARK_ONE) {
        on_bit(kind);
        return;
    }
    if (state.mark.bits < MARK_BITS) write_mark(false); /* another program's came in between: nobody knows whose time it is */
    state.mark.kind = kind;
    state.mark.user = state.user;
    state.mark.kernel = state.kernel;
    state.mark.calls = state.calls;
    state.mark.time = 0;
    state.mark.bits = 0;
    follow_profile(kind);
}

static void look_at_program(struct qemu_plugin_insn *instruction) {
    static const unsigned char call[] = {0x0f, 0x05} /* syscall */, nop[] = {0x0f, 0x1f, 0x80}; /* nopl */
    const unsigned char *bytes = qemu_plugin_insn_data(instruction);
    uint32_t displacement;
    if (state.counts && qemu_plugin_insn_size(instruction) == sizeof call && memcmp(bytes, call, sizeof call) == 0)
        qemu_plugin_register_vcpu_insn_exec_inline(instruction, ADD, &state.calls, 1);
    if (qemu_plugin_insn_size(instruction) != 7 || memcmp(bytes, nop, sizeof nop) != 0) return;
    memcpy(&displacement, bytes + sizeof nop, sizeof displacement);
    if (displacement >= MARK_NOP && displacement < MARK_NOP + MARK_KINDS)
        qemu_plugin_register_vcpu_insn_exec_cb(instruction, on_mark, NO_REGISTERS,
                                               (void *)(uintptr_t)(displacement - MARK_NOP));
}

static struct block *block_at(uint64_t address) {
    size_t at = (address * 0x9e3779b97f4a7c15u) >> 44;
    while (state.blocks[at].address && state.blocks[at].address != address) at = (at + 1) % BLOCKS;
    state.blocks[at].address = address;
    return &state.blocks[at];
}

static void on_translation(plugin_id id, struct qemu_plugin_tb *block) {
    (void)id;
    size_t count = qemu_plugin_tb_n_insns(block);
    bool kernel = qemu_plugin_tb_vaddr(block) >> 63;
    for (size_t i = 0; i < count; ++i) {
        struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(block, i);
        if (state.counts)
            qemu_plugin_register_vcpu_insn_exec_inline(instruction, ADD, kernel ? &state.kernel : &state.user, 1);
        if (!kernel) look_at_program(instruction);
    }
    if (state.counts && state.profile >= 0)
        qemu_plugin_register_vcpu_tb_exec_inline(block, ADD, &block_at(qemu_plugin_tb_vaddr(block))->instructions, count);
}

static const char *value(const char *argument, const char *name) {
    size_t size = strlen(name);
    return strncmp(argument, name, size) == 0 && argument[size] == '=' ? argument + size + 1 : NULL;
}

int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv) {
    const char *given;
    (void)info;
    for (int i = 0; i < argc; ++i) {
        if ((given = value(argv[i], "out"))) state.out = open(given, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if ((given = value(argv[i], "profile")))
            state.profile = open(given, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if ((given = value(argv[i], "programs"))) state.programs = (unsigned)atoi(given);
    }
    if (state.out < 0) {
        fprintf(stderr, "count.c: it needs out=FILE, one that can be made\n");
        return 1;
    }
    state.id = id;
    if (state.profile >= 0 && !(state.blocks = calloc(BLOCKS, sizeof *state.blocks))) return 1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    return 0;
}
