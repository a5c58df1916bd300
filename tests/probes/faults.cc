// Fails system calls and allocations of a husk that runs, of the very binary that ships: a tracer
// (ptrace(2)) that takes the n-th call of a kind away and answers with an error.
//
//   faults PID ROLE WHO KIND FIRST TIMES ERRNO [MALLOC]
//
// PID is traced until the fault is done or SIGTERM, ROLE is what it is:
//   init       PID 1; its supervisors are followed
//   boot       what becomes PID 1 with its next execve
//   supervise  a supervisor
// and the rest is the fault. WHO it hits is init, supervise, or child: what either of them forks,
// until it executes something else. KIND is a row of kKinds, or malloc. FIRST counts from 1, over
// all processes of a role; 0 only counts. MALLOC is where malloc is in the binary, as nm(1) says.
//
// Prints "ready" when it traces, "failed WHO CALL PID" for each fault, and at the end "count WHO
// KIND N" for all that there was. Whatever is traced goes on as if nothing was when this ends.
//
// On x86_64 only.

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)

#include <elf.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace {

enum class Role { kBoot, kInit, kScript, kSupervise, kInitChild, kChild };

// Of the three that a fault can hit.
const char* NameOf(Role role) {
    switch (role) {
        case Role::kBoot: return "boot";
        case Role::kScript: return "script";  // that a test starts the supervisor by
        case Role::kInit: return "init";
        case Role::kSupervise: return "supervise";
        case Role::kInitChild:
        case Role::kChild: return "child";
    }
    return "?";
}

struct Kind {
    const char* name;
    std::vector<long> calls;
};

const std::vector<Kind>& Kinds() {
    static const std::vector<Kind> kinds{
        {"open", {SYS_open, SYS_openat, SYS_openat2}},
        {"mount",
         {SYS_mount, SYS_fsopen, SYS_fsconfig, SYS_fsmount, SYS_move_mount, SYS_open_tree,
          SYS_mount_setattr, SYS_umount2, SYS_pivot_root}},
        {"fork", {SYS_clone, SYS_clone3, SYS_fork, SYS_vfork, SYS_unshare, SYS_setns}},
        {"exec", {SYS_execve, SYS_execveat}},
        {"write", {SYS_write, SYS_writev, SYS_pwrite64, SYS_splice, SYS_tee, SYS_ftruncate}},
        {"send", {SYS_sendmsg, SYS_sendto}},
        {"receive", {SYS_recvmsg, SYS_recvfrom, SYS_accept4}},
        {"read", {SYS_read, SYS_readv, SYS_pread64, SYS_getdents64, SYS_readlink, SYS_statx}},
        {"name",
         {SYS_mkdir, SYS_mkdirat, SYS_rename, SYS_renameat, SYS_renameat2, SYS_unlink, SYS_unlinkat,
          SYS_rmdir, SYS_symlink, SYS_symlinkat, SYS_chmod, SYS_fchmod, SYS_chown, SYS_fchown,
          SYS_fchownat}},
        {"descriptor",
         {SYS_pipe2, SYS_memfd_create, SYS_socket, SYS_socketpair, SYS_pidfd_open, SYS_signalfd4,
          SYS_timerfd_create, SYS_epoll_create1, SYS_inotify_init1, SYS_dup, SYS_fcntl}},
        {"watch", {SYS_epoll_ctl, SYS_inotify_add_watch, SYS_timerfd_settime, SYS_bind}},
        {"wait", {SYS_epoll_wait, SYS_epoll_pwait, SYS_ppoll, SYS_poll, SYS_waitid, SYS_wait4}},
        {"memory", {SYS_mmap, SYS_brk, SYS_mremap}},
        {"rights",
         {SYS_prctl, SYS_capset, SYS_setresuid, SYS_setresgid, SYS_setgroups, SYS_setsid,
          SYS_prlimit64, SYS_landlock_restrict_self, SYS_seccomp, SYS_chdir, SYS_fchdir,
          SYS_sethostname, SYS_bpf, SYS_close_range}},
    };
    return kinds;
}

struct Fault {
    std::string who, kind;
    unsigned long first = 0, times = 0;
    int error = 0;
    uint64_t malloc_offset = 0;
};

struct Process {
    Role role;
    uint64_t malloc_address = 0;  // where the breakpoint is; 0 = none
    long first_word = 0;          // that was there
    bool stepping = false;        // over the first instruction of malloc
    int answer = 0;               // errno that the call it is in will have
};

Fault fault;
std::map<pid_t, Process> processes;
std::map<std::string, unsigned long> counts;  // by "WHO KIND"
bool done = false;

[[noreturn]] void Die(const char* what) {
    perror(what);
    exit(1);
}

// Whether this one is to fail.
bool Count(const Process& process, const std::string& kind) {
    const std::string who = NameOf(process.role);
    const unsigned long number = ++counts[who + " " + kind];
    if (who != fault.who || kind != fault.kind || fault.first == 0 || done) return false;
    return number >= fault.first && number < fault.first + fault.times;
}

void Report(pid_t pid, const Process& process, const char* call) {
    printf("failed %s %s %d\n", NameOf(process.role), call, pid);
    fflush(stdout);
    const auto& number = counts[fault.who + " " + fault.kind];
    done = number + 1 >= fault.first + fault.times;
}

std::string ReadProc(pid_t pid, const char* name) {
    const std::string path = "/proc/" + std::to_string(pid) + "/" + name;
    std::string text(4096, '\0');
    const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    const ssize_t got = file < 0 ? 0 : read(file, text.data(), text.size());
    close(file);
    text.resize(got > 0 ? static_cast<size_t>(got) : 0);
    return text;
}

// Static-pie: the program headers follow the ELF header, at the beginning of what is mapped.
uint64_t LoadAddress(pid_t pid) {
    const std::string vector = ReadProc(pid, "auxv");
    for (size_t at = 0; at + 16 <= vector.size(); at += 16) {
        uint64_t entry[2];
        memcpy(entry, vector.data() + at, sizeof entry);
        if (entry[0] == AT_PHDR) return entry[1] - sizeof(Elf64_Ehdr);
    }
    return 0;
}

void SetBreakpoint(pid_t pid, Process& process) {
    if (fault.malloc_offset == 0) return;
    process.malloc_address = LoadAddress(pid) + fault.malloc_offset;
    errno = 0;
    process.first_word = ptrace(PTRACE_PEEKTEXT, pid, process.malloc_address, 0);
    if (errno != 0) Die("read malloc");
    const long trap = (process.first_word & ~0xffL) | 0xcc;
    if (ptrace(PTRACE_POKETEXT, pid, process.malloc_address, trap) != 0) Die("write malloc");
}

void RemoveBreakpoint(pid_t pid, Process& process) {
    if (process.malloc_address == 0) return;
    (void)ptrace(PTRACE_POKETEXT, pid, process.malloc_address, process.first_word);
    process.malloc_address = 0;
}

void Continue(pid_t pid, const Process& process, int signal) {
    // ESRCH: killed meanwhile.
    (void)ptrace(process.stepping ? PTRACE_SINGLESTEP : PTRACE_SYSCALL, pid, 0, signal);
}

void Release(pid_t pid) {
    (void)ptrace(PTRACE_DETACH, pid, 0, 0);
    processes.erase(pid);
}

// A process that was forked a moment ago.
Process& Meet(pid_t pid) {
    const std::string status = ReadProc(pid, "status");
    const size_t at = status.find("\nPPid:");
    const pid_t parent = at == std::string::npos ? 0 : atoi(status.c_str() + at + 6);
    Process process{.role = Role::kChild};
    if (const auto found = processes.find(parent); found != processes.end()) {
        process = found->second;
        process.stepping = false;
        process.answer = 0;
        if (process.role != Role::kBoot)
            process.role = process.role == Role::kInit ? Role::kInitChild : Role::kChild;
    }
    return processes[pid] = process;
}

void OnExec(pid_t pid, Process& process) {
    process.malloc_address = 0;
    process.stepping = false;
    const std::string command = ReadProc(pid, "cmdline");
    const std::string rest = command.substr(std::min(command.find('\0'), command.size()));
    const bool supervises = rest.find(std::string("\0supervise\0", 11)) != std::string::npos;
    switch (process.role) {
        case Role::kBoot:
            if (command.starts_with(std::string("init\0", 5))) process.role = Role::kInit;
            break;
        case Role::kInitChild:
        case Role::kScript:
            if (!supervises) return Release(pid);
            process.role = rest.starts_with(std::string("\0supervise\0", 11)) ? Role::kSupervise
                                                                              : Role::kScript;
            break;
        case Role::kInit:
        case Role::kSupervise:
        case Role::kChild: return Release(pid);
    }
    if (process.role == Role::kInit || process.role == Role::kSupervise)
        SetBreakpoint(pid, process);
    Continue(pid, process, 0);
}

void OnMalloc(pid_t pid, Process& process, user_regs_struct& registers) {
    if (Count(process, "malloc")) {
        Report(pid, process, "malloc");
        registers.rip = static_cast<uint64_t>(ptrace(PTRACE_PEEKDATA, pid, registers.rsp, 0));
        registers.rsp += 8;
        registers.rax = 0;
        if (done) RemoveBreakpoint(pid, process);
    } else {
        registers.rip = process.malloc_address;
        (void)ptrace(PTRACE_POKETEXT, pid, process.malloc_address, process.first_word);
        process.stepping = true;
    }
    (void)ptrace(PTRACE_SETREGS, pid, 0, &registers);
}

void OnTrap(pid_t pid, Process& process) {
    user_regs_struct registers{};
    if (ptrace(PTRACE_GETREGS, pid, 0, &registers) != 0) return;
    if (process.stepping) {
        process.stepping = false;
        const long trap = (process.first_word & ~0xffL) | 0xcc;
        (void)ptrace(PTRACE_POKETEXT, pid, process.malloc_address, trap);
    } else if (process.malloc_address != 0 && registers.rip == process.malloc_address + 1) {
        OnMalloc(pid, process, registers);
    }
    Continue(pid, process, 0);
}

void OnCall(pid_t pid, Process& process) {
    __ptrace_syscall_info info{};
    if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) <= 0) return;
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
        const auto number = static_cast<long>(info.entry.nr);
        // To ask for limits and to stop watching a descriptor cannot fail.
        const bool cannot_fail = (number == SYS_prlimit64 && info.entry.args[2] == 0) ||
                                 (number == SYS_epoll_ctl && info.entry.args[1] == EPOLL_CTL_DEL);
        for (const Kind& kind : Kinds())
            for (const long call : kind.calls) {
                if (number != call || cannot_fail) continue;
                if (!Count(process, kind.name)) continue;
                process.answer = fault.error;
                // No system call has this number.
                (void)ptrace(PTRACE_POKEUSER, pid, offsetof(user_regs_struct, orig_rax), -1L);
                Report(pid, process, (kind.name + std::string("/") + std::to_string(call)).c_str());
            }
    } else if (info.op == PTRACE_SYSCALL_INFO_EXIT && process.answer != 0) {
        (void)ptrace(PTRACE_POKEUSER, pid, offsetof(user_regs_struct, rax),
                     -static_cast<long>(process.answer));
        process.answer = 0;
    }
    Continue(pid, process, 0);
}

void OnStop(pid_t pid, int status) {
    const auto known = processes.find(pid);
    Process& process = known == processes.end() ? Meet(pid) : known->second;
    const int signal = WSTOPSIG(status);
    const int event = status >> 16;
    if (event == PTRACE_EVENT_EXEC) return OnExec(pid, process);
    if (event == PTRACE_EVENT_STOP && signal != SIGTRAP) {  // of all the process, by a signal
        (void)ptrace(PTRACE_LISTEN, pid, 0, 0);
        return;
    }
    if (event != 0) return Continue(pid, process, 0);
    if (signal == (SIGTRAP | 0x80)) return OnCall(pid, process);
    if (signal == SIGTRAP) return OnTrap(pid, process);
    Continue(pid, process, signal);
}

void Attach(pid_t pid, Role role) {
    constexpr long kOptions = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                              PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
    if (ptrace(PTRACE_SEIZE, pid, 0, kOptions) != 0) Die("trace");
    Process& process = processes[pid] = {.role = role};
    if (ptrace(PTRACE_INTERRUPT, pid, 0, 0) != 0) Die("stop");
    int status = 0;
    if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status)) Die("wait for the stop");
    if (role != Role::kBoot) SetBreakpoint(pid, process);
    Continue(pid, process, 0);
}

// False once nothing is left to trace.
bool Serve() {
    int status = 0;
    pid_t pid = 0;
    while (!done && (pid = waitpid(-1, &status, __WALL | WNOHANG)) > 0) {
        if (WIFSTOPPED(status))
            OnStop(pid, status);
        else
            processes.erase(pid);
    }
    return pid >= 0;
}

// What stops no more keeps no breakpoint; a call that is to fail still gets its answer.
void LetGo() {
    for (auto& [pid, process] : processes) {
        if (process.malloc_address == 0 && process.answer == 0) continue;
        int status = 0;
        if (process.answer != 0) {  // it is on its way to the end of the call
            if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status)) continue;
            (void)ptrace(PTRACE_POKEUSER, pid, offsetof(user_regs_struct, rax),
                         -static_cast<long>(process.answer));
        } else {
            (void)ptrace(PTRACE_INTERRUPT, pid, 0, 0);
            if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status)) continue;
        }
        RemoveBreakpoint(pid, process);
        (void)ptrace(PTRACE_DETACH, pid, 0, 0);
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 8) {
        fputs("usage: faults PID init|boot|supervise WHO KIND FIRST TIMES ERRNO [MALLOC]\n",
              stderr);
        return 2;
    }
    const std::string role = argv[2];
    fault = {argv[3],
             argv[4],
             strtoul(argv[5], nullptr, 10),
             strtoul(argv[6], nullptr, 10),
             atoi(argv[7]),
             argc > 8 ? strtoul(argv[8], nullptr, 0) : 0};
    sigset_t watched;
    sigemptyset(&watched);
    sigaddset(&watched, SIGTERM);
    sigaddset(&watched, SIGCHLD);
    sigprocmask(SIG_BLOCK, &watched, nullptr);
    Attach(atoi(argv[1]), role == "init"   ? Role::kInit
                          : role == "boot" ? Role::kBoot
                                           : Role::kSupervise);
    puts("ready");
    fflush(stdout);
    while (Serve() && !done)
        if (sigwaitinfo(&watched, nullptr) == SIGTERM) break;
    LetGo();
    for (const auto& [what, number] : counts) printf("count %s %lu\n", what.c_str(), number);
    return 0;
}

#else

int main() {
    fputs("faults: knows the registers of x86_64 only\n", stderr);
    return 77;
}

#endif
