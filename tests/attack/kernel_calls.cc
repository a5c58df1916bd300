// Calls with a history of holes in the kernel: programs for BPF's machine, performance counters,
// page faults handed to user space, io_uring.
#include <linux/bpf.h>
#include <linux/perf_event.h>

#include "attack.h"

using namespace attack;

namespace {

long LoadProgram() {
    // r0 = 0; exit
    static const bpf_insn instructions[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K},
                                            {.code = BPF_JMP | BPF_EXIT}};
    bpf_attr attributes{};
    attributes.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
    attributes.insns = reinterpret_cast<__u64>(instructions);
    attributes.insn_cnt = 2;
    attributes.license = reinterpret_cast<__u64>("GPL");
    return syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof attributes);
}

long MakeMap() {
    bpf_attr attributes{};
    attributes.map_type = BPF_MAP_TYPE_ARRAY;
    attributes.key_size = 4;
    attributes.value_size = 8;
    attributes.max_entries = 1;
    return syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof attributes);
}

long Count(int pid, int cpu) {
    perf_event_attr attributes{};
    attributes.type = PERF_TYPE_SOFTWARE;
    attributes.size = sizeof attributes;
    attributes.config = PERF_COUNT_SW_CPU_CLOCK;
    return syscall(SYS_perf_event_open, &attributes, pid, cpu, -1, 0);
}

}  // namespace

int main() {
    Attempt("bpf program", LoadProgram());
    Attempt("bpf map", MakeMap());
    Attempt("perf of a processor", Count(-1, 0));
    Attempt("perf of itself", Count(0, -1));
    Attempt("userfaultfd", syscall(SYS_userfaultfd, O_CLOEXEC));
    char parameters[120] = {};
    Attempt("io_uring", syscall(SYS_io_uring_setup, 4, parameters));
    Done();
}
