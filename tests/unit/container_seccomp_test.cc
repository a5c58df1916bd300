// Filters are judged by what they answer: the kernel's view, by interpreting the program.
#include <cerrno>
#include <cstring>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <random>
#include <set>

#include "base/fd.h"
#include "base/syscalls.h"
#include "container/seccomp.h"

namespace husk::container {
namespace {

constexpr uint32_t kAllow = SECCOMP_RET_ALLOW, kKill = SECCOMP_RET_KILL_PROCESS;
constexpr uint32_t kRefused = SECCOMP_RET_ERRNO | EPERM, kMissing = SECCOMP_RET_ERRNO | ENOSYS;
constexpr uint32_t kLastNumber = 1000;

uint32_t AskAs(uint32_t architecture, const FilterProgram& program, uint32_t number,
               uint64_t first = 0, uint64_t second = 0) {
    const uint64_t arguments[6] = {first, second, 0, 0, 0, 0};
    auto answer = Interpret(program, architecture, number, arguments);
    EXPECT_TRUE(answer) << number << ": " << (answer ? "" : answer.error().text());
    return answer.value_or(0);
}
uint32_t Ask(const FilterProgram& program, uint32_t number, uint64_t first = 0,
             uint64_t second = 0) {
    return AskAs(NativeArchitecture(), program, number, first, second);
}

FilterProgram Make(const Filter& filter) {
    auto program = Assemble(filter);
    EXPECT_TRUE(program) << (program ? "" : program.error().text());
    return program.value_or(FilterProgram{});
}

const FilterProgram& Default() {
    static const FilterProgram program = Make(DefaultFilter(0));
    return program;
}

int Number(const char* name) { return seccomp_syscall_resolve_name(name); }

constexpr uint64_t Bit(int capability) { return uint64_t{1} << capability; }

TEST(Filter, AnswersEveryNumberAsItsRulesSay) {
    for (uint64_t capabilities : {uint64_t{0}, Bit(CAP_SYS_ADMIN), UINT64_MAX}) {
        const Filter filter = DefaultFilter(capabilities);
        const FilterProgram program = Make(filter);
        for (uint32_t number = 0; number <= kLastNumber; ++number) {
            const Rules& rules = filter.Of(number);
            uint32_t wanted = number >= FirstNewSyscall() ? kMissing : kRefused;
            if (!rules.empty() && rules.back().conditions.empty()) wanted = rules.back().action;
            EXPECT_EQ(Ask(program, number), wanted) << number;  // with arguments of zero
        }
    }
}

// What must be open to every service, and what must not be to one without capabilities: Docker's
// default refuses each of these too, and two that it allows (ptrace, process_vm_readv).
TEST(DefaultProfile, AllowsWhatServicesUse) {
    for (const char* name : {"accept4",
                             "bind",
                             "brk",
                             "capget",
                             "capset",
                             "chdir",
                             "chmod",
                             "chown",
                             "clock_gettime",
                             "clock_nanosleep",
                             "clone",
                             "close",
                             "close_range",
                             "connect",
                             "copy_file_range",
                             "dup3",
                             "epoll_create1",
                             "epoll_ctl",
                             "epoll_wait",
                             "eventfd2",
                             "execve",
                             "execveat",
                             "exit_group",
                             "fallocate",
                             "fchownat",
                             "fcntl",
                             "fdatasync",
                             "flock",
                             "fork",
                             "fsync",
                             "ftruncate",
                             "futex",
                             "getcwd",
                             "getdents64",
                             "getpid",
                             "getrandom",
                             "getsockopt",
                             "inotify_init1",
                             "ioctl",
                             "io_setup",
                             "io_submit",
                             "kill",
                             "landlock_create_ruleset",
                             "listen",
                             "lseek",
                             "madvise",
                             "membarrier",
                             "memfd_create",
                             "mincore",
                             "mkdirat",
                             "mknodat",
                             "mlock2",
                             "mmap",
                             "mprotect",
                             "mq_open",
                             "mremap",
                             "msgget",
                             "munmap",
                             "nanosleep",
                             "newfstatat",
                             "open",
                             "openat",
                             "openat2",
                             "personality",
                             "pidfd_open",
                             "pipe2",
                             "pkey_alloc",
                             "poll",
                             "ppoll",
                             "prctl",
                             "pread64",
                             "prlimit64",
                             "pwritev2",
                             "read",
                             "recvmsg",
                             "renameat2",
                             "rseq",
                             "rt_sigaction",
                             "rt_sigreturn",
                             "sched_setaffinity",
                             "sched_yield",
                             "seccomp",
                             "select",
                             "semget",
                             "sendfile",
                             "sendmsg",
                             "set_robust_list",
                             "setgroups",
                             "setpgid",
                             "setpriority",
                             "setresuid",
                             "setsid",
                             "setsockopt",
                             "shmget",
                             "sigaltstack",
                             "signalfd4",
                             "socket",
                             "socketpair",
                             "splice",
                             "statx",
                             "sync",
                             "sysinfo",
                             "tgkill",
                             "timer_create",
                             "timerfd_create",
                             "umask",
                             "uname",
                             "unlinkat",
                             "utimensat",
                             "vfork",
                             "wait4",
                             "waitid",
                             "write",
                             "writev"})
        if (const int number = Number(name); number >= 0) {
            EXPECT_TRUE(Allows(Default(), name)) << name;
        }
}

constexpr const char* kRefusedByDefault[] = {"acct",
                                             "add_key",
                                             "adjtimex",
                                             "afs_syscall",
                                             "bpf",
                                             "chroot",
                                             "clock_adjtime",
                                             "clock_settime",
                                             "create_module",
                                             "delete_module",
                                             "fanotify_init",
                                             "finit_module",
                                             "fsconfig",
                                             "fsmount",
                                             "fsopen",
                                             "fspick",
                                             "get_kernel_syms",
                                             "get_mempolicy",
                                             "getpmsg",
                                             "init_module",
                                             "io_uring_enter",
                                             "io_uring_register",
                                             "io_uring_setup",
                                             "ioperm",
                                             "iopl",
                                             "kcmp",
                                             "kexec_file_load",
                                             "kexec_load",
                                             "keyctl",
                                             "listmount",
                                             "lookup_dcookie",
                                             "lsm_set_self_attr",
                                             "mbind",
                                             "migrate_pages",
                                             "modify_ldt",
                                             "mount",
                                             "mount_setattr",
                                             "move_mount",
                                             "move_pages",
                                             "nfsservctl",
                                             "open_by_handle_at",
                                             "open_tree",
                                             "perf_event_open",
                                             "pidfd_getfd",
                                             "pivot_root",
                                             "process_madvise",
                                             "process_vm_readv",
                                             "process_vm_writev",
                                             "ptrace",
                                             "putpmsg",
                                             "query_module",
                                             "quotactl",
                                             "quotactl_fd",
                                             "reboot",
                                             "request_key",
                                             "security",
                                             "set_mempolicy",
                                             "set_mempolicy_home_node",
                                             "setdomainname",
                                             "sethostname",
                                             "setns",
                                             "settimeofday",
                                             "statmount",
                                             "swapoff",
                                             "swapon",
                                             "sysfs",
                                             "syslog",
                                             "_sysctl",
                                             "tuxcall",
                                             "umount2",
                                             "unshare",
                                             "uselib",
                                             "userfaultfd",
                                             "ustat",
                                             "vhangup",
                                             "vserver"};

TEST(DefaultProfile, RefusesWhatDockerRefuses) {
    size_t asked = 0;
    for (const char* name : kRefusedByDefault)
        if (const int number = Number(name); number >= 0) {
            EXPECT_EQ(Ask(Default(), static_cast<uint32_t>(number)), kRefused) << name;
            ++asked;
        }
    EXPECT_GT(asked, 50u);
    EXPECT_EQ(Ask(Default(), SYS_socket, 40), kRefused) << "AF_VSOCK";
    EXPECT_EQ(Ask(Default(), SYS_socket, 40 | uint64_t{1} << 40), kRefused) << "an int";
    EXPECT_EQ(Ask(Default(), SYS_socket, 38), kRefused) << "AF_ALG";
    EXPECT_EQ(Ask(Default(), SYS_socket, 39), kAllow);
    EXPECT_EQ(Ask(Default(), SYS_socket, 2), kAllow);
}

TEST(DefaultProfile, IsSystemServiceWithoutWhatDockerRefuses) {
    const SyscallGroups service = *FindSyscallGroup("system-service");
    const std::set<std::string_view> refused(std::begin(kRefusedByDefault),
                                             std::end(kRefusedByDefault));
    const std::set<std::string_view> besides = {
        "memfd_secret", "mincore", "pkey_alloc", "pkey_free", "pkey_mprotect", "process_mrelease"};
    for (size_t i = 0; i < SyscallCount(); ++i) {
        const Syscall call = SyscallAt(i);
        if (!call.number || call.name == "clone3") continue;
        const bool is_service = (call.groups & service) != 0;
        if (Allows(Default(), call.name)) {
            EXPECT_TRUE(is_service || besides.contains(call.name)) << call.name;
        } else if (is_service) {
            EXPECT_TRUE(refused.contains(call.name)) << call.name;
        }
    }
}

TEST(DefaultProfile, OpensWhatACapabilityIsFor) {
    struct {
        int capability;
        std::vector<const char*> calls;
    } const rows[] = {{CAP_SYS_ADMIN, {"mount", "umount2", "setns", "unshare", "clone3", "bpf"}},
                      {CAP_SYS_PTRACE, {"ptrace", "process_vm_readv", "kcmp", "pidfd_getfd"}},
                      {CAP_SYS_TIME, {"clock_settime", "settimeofday", "adjtimex"}},
                      {CAP_SYS_MODULE, {"init_module", "finit_module", "delete_module"}},
                      {CAP_SYS_NICE, {"mbind", "set_mempolicy"}},
                      {CAP_SYS_CHROOT, {"chroot"}},
                      {CAP_SYS_BOOT, {"reboot"}},
                      {CAP_SYS_PACCT, {"acct"}},
                      {CAP_SYS_TTY_CONFIG, {"vhangup"}},
                      {CAP_DAC_READ_SEARCH, {"open_by_handle_at"}},
                      {CAP_SYSLOG, {"syslog"}},
                      {CAP_BPF, {"bpf"}},
                      {CAP_PERFMON, {"perf_event_open"}}};
    for (const auto& row : rows) {
        const FilterProgram program = Make(DefaultFilter(Bit(row.capability)));
        for (const char* name : row.calls) EXPECT_TRUE(Allows(program, name)) << name;
        EXPECT_FALSE(Allows(program, "kexec_load")) << row.capability;
        EXPECT_FALSE(Allows(program, "io_uring_setup")) << row.capability;
    }
}

TEST(Filter, RefusesCloneWithAnyNamespaceFlag) {
    for (uint64_t flag : {uint64_t{CLONE_NEWNS}, uint64_t{CLONE_NEWUTS}, uint64_t{CLONE_NEWIPC},
                          uint64_t{CLONE_NEWUSER}, uint64_t{CLONE_NEWPID}, uint64_t{CLONE_NEWNET},
                          uint64_t{0x02000000} /* CLONE_NEWCGROUP */}) {
        EXPECT_EQ(Ask(Default(), SYS_clone, flag), kRefused) << std::hex << flag;
        EXPECT_EQ(Ask(Default(), SYS_clone, flag | CLONE_VM | 17), kRefused) << std::hex << flag;
        EXPECT_EQ(Ask(Default(), SYS_clone, flag | 0xffffffff00000000), kRefused)
            << std::hex << flag;
        EXPECT_EQ(Ask(Make(DefaultFilter(Bit(CAP_SYS_ADMIN))), SYS_clone, flag), kAllow);
    }
    EXPECT_EQ(Ask(Default(), SYS_clone, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_THREAD), kAllow);
    EXPECT_EQ(Ask(Default(), SYS_clone, 17), kAllow) << "fork";
}

TEST(Filter, RefusesUnshareWithAnyNamespaceFlagWhereItIsAllowed) {
    Filter filter(kRefused, kMissing);
    filter.Set(SYS_unshare, Always(kAllow));
    filter.Set(SYS_setns, Always(kAllow));
    Filter open = filter;
    Guard(filter, 0);
    Guard(open, Bit(CAP_SYS_ADMIN));
    EXPECT_EQ(Ask(Make(filter), SYS_unshare, CLONE_FILES), kAllow);
    EXPECT_EQ(Ask(Make(filter), SYS_unshare, CLONE_FILES | CLONE_NEWNET), kRefused);
    EXPECT_EQ(Ask(Make(open), SYS_unshare, CLONE_NEWNET), kAllow);
    EXPECT_EQ(Ask(Make(filter), SYS_setns), kRefused);
    EXPECT_EQ(Ask(Make(open), SYS_setns), kAllow);
}

TEST(Filter, GuardsWhereTheDefaultAllows) {
    for (uint32_t action : {kAllow, uint32_t{SECCOMP_RET_LOG}}) {
        Filter filter(action, action);
        filter.Set(SYS_ioctl, {{{{1, Compare::kEqual, 7}}, kKill}});
        Guard(filter, 0);
        const FilterProgram program = Make(filter);
        EXPECT_EQ(Ask(program, SYS_clone, CLONE_NEWNET), kRefused);
        EXPECT_EQ(Ask(program, SYS_clone, 17), action);
        EXPECT_EQ(Ask(program, SYS_setns), kRefused);
        EXPECT_EQ(Ask(program, SYS_clone3), kMissing);
        EXPECT_EQ(Ask(program, SYS_ioctl, 0, 0x5412), kRefused);
        EXPECT_EQ(Ask(program, SYS_ioctl, 0, 7), kKill);
        EXPECT_EQ(Ask(program, SYS_ioctl, 0, 8), action);
        EXPECT_EQ(Ask(program, 5000), action);
    }
}

TEST(Filter, TakesPersonalitiesThatChangeNothingOnly) {
    for (uint64_t high : {uint64_t{0}, uint64_t{1} << 32}) {
        EXPECT_EQ(Ask(Default(), SYS_personality, high), kAllow);
        EXPECT_EQ(Ask(Default(), SYS_personality, high | 0xffffffff), kAllow) << "asks";
        EXPECT_EQ(Ask(Default(), SYS_personality, high | 0x0400000), kRefused)
            << "READ_IMPLIES_EXEC";
        EXPECT_EQ(Ask(Default(), SYS_personality, high | 0x0040000), kRefused) << "no ASLR";
        EXPECT_EQ(Ask(Default(), SYS_personality, high | 8), kRefused) << "PER_LINUX32";
    }
}

TEST(Filter, SaysThatClone3IsNotThereSoThatLibcsFallBack) {
    EXPECT_EQ(Ask(Default(), SYS_clone3), kMissing);
    EXPECT_EQ(Ask(Make(DefaultFilter(Bit(CAP_SYS_ADMIN))), SYS_clone3), kAllow);
}

TEST(Filter, RefusesToPutWordsInATerminalsMouth) {
    for (uint64_t high : {uint64_t{0}, uint64_t{1} << 32, uint64_t{0xffffffff} << 32}) {
        EXPECT_EQ(Ask(Default(), SYS_ioctl, 0, high | 0x5412), kRefused) << "TIOCSTI";
        EXPECT_EQ(Ask(Default(), SYS_ioctl, 0, high | 0x541C), kRefused) << "TIOCLINUX";
        EXPECT_EQ(Ask(Default(), SYS_ioctl, 0, high | 0x5413), kAllow) << "TIOCGWINSZ";
    }
    EXPECT_EQ(Ask(Default(), SYS_ioctl, 0x5412, 0), kAllow) << "a descriptor, not a request";
    EXPECT_EQ(Ask(Make(DefaultFilter(UINT64_MAX)), SYS_ioctl, 0, 0x5412), kRefused);
}

TEST(Filter, KillsCallsOfOtherArchitectures) {
    for (uint32_t number : {0u, 1u, 59u, 1000u})
        for (uint32_t architecture : {uint32_t{AUDIT_ARCH_I386}, uint32_t{AUDIT_ARCH_ARM}, 0u})
            EXPECT_EQ(AskAs(architecture, Default(), number), kKill);
#if defined(__x86_64__)
    for (uint32_t number : {0x40000000u, 0x40000001u, 0x40000200u, 0x7fffffffu, 0xffffffffu})
        EXPECT_EQ(Ask(Default(), number), kKill) << "x32 " << number;
#endif
}

// seccomp_check_filter(): each jump goes forward and stays inside, the end is a return.
void ExpectSound(const FilterProgram& program) {
    ASSERT_FALSE(program.empty());
    for (size_t at = 0; at < program.size(); ++at) {
        const sock_filter& step = program[at];
        const size_t left = program.size() - at - 1;
        if (BPF_CLASS(step.code) != BPF_JMP) continue;
        EXPECT_LT(BPF_OP(step.code) == BPF_JA ? step.k : std::max(step.jt, step.jf), left);
    }
    EXPECT_EQ(BPF_CLASS(program.back().code), BPF_RET);
}

TEST(Filter, IsSmallAndKeepsToWhatTheKernelTakes) {
    EXPECT_LT(Default().size(), 100u);
    EXPECT_LT(Make(DefaultFilter(UINT64_MAX)).size(), 100u);
    ExpectSound(Default());
}

TEST(Filter, WithFarJumpsIsRightToo) {
    // Alternating answers make a program in which a conditional jump cannot reach its other half.
    Filter filter(kRefused, kMissing);
    for (uint32_t number = 0; number < 2000; number += 2)
        filter.Set(number, Always(number % 16 == 0 ? SECCOMP_RET_ERRNO | (number / 16) : kAllow));
    const FilterProgram program = Make(filter);
    EXPECT_GT(program.size(), 512u);
    ExpectSound(program);
    for (uint32_t number = 0; number < 2100; ++number)
        ASSERT_EQ(Ask(program, number), number >= 1999     ? kMissing
                                        : number % 2 != 0  ? kRefused
                                        : number % 16 == 0 ? SECCOMP_RET_ERRNO | (number / 16)
                                                           : kAllow)
            << number;
}

TEST(Filter, SharesRulesThatAreFarAway) {
    Filter filter(kRefused, kMissing);
    const Rules rules = {{{{0, Compare::kGreater, 5}, {1, Compare::kLess, 9}}, kAllow}};
    for (uint32_t number = 0; number < 1500; ++number)
        filter.Set(number, number % 3 == 0 ? rules : Always(number % 3 == 1 ? kAllow : kKill));
    const FilterProgram program = Make(filter);
    ExpectSound(program);
    for (uint32_t number = 0; number < 1500; ++number) {
        ASSERT_EQ(Ask(program, number, 6, 8), number % 3 == 2 ? kKill : kAllow) << number;
        ASSERT_EQ(Ask(program, number, 5, 8), number % 3 == 2   ? kKill
                                              : number % 3 == 1 ? kAllow
                                                                : kRefused);
    }
}

TEST(Filter, TooLargeIsAnError) {
    Filter filter(kRefused, kMissing);
    for (uint32_t number = 0; number < 3000; ++number)
        filter.Set(number, {{{{0, Compare::kEqual, number}}, kAllow}});
    auto program = Assemble(filter);
    ASSERT_FALSE(program);
    EXPECT_NE(program.error().text().find("the kernel takes 4096"), std::string::npos)
        << program.error().text();
}

TEST(Filter, OfNoRulesKnowsNoCall) {
    Filter filter(kRefused, kMissing);
    EXPECT_EQ(Ask(Make(filter), 0), kMissing);
    filter.Set(0, Always(kAllow));
    EXPECT_EQ(Ask(Make(filter), 0), kAllow);
    EXPECT_EQ(Ask(Make(filter), 1), kMissing);
    Filter known(kRefused, kMissing, 10);
    known.Set(0xf0005, Always(kAllow));
    EXPECT_EQ(Ask(Make(known), 9), kRefused);
    EXPECT_EQ(Ask(Make(known), 10), kMissing);
    EXPECT_EQ(Ask(Make(known), 0xf0004), kMissing);
    EXPECT_EQ(Ask(Make(known), 0xf0005), kAllow) << "set_tls of 32-bit ARM";
    EXPECT_EQ(Ask(Make(known), 0xf0006), kMissing);
}

TEST(Filter, TakesTheFirstRuleThatHolds) {
    Filter filter(kRefused, kMissing);
    filter.Set(1, {{{{0, Compare::kEqual, 1}}, kKill},
                   {{{0, Compare::kLess, 5}}, kAllow},
                   {{{0, Compare::kEqual, 7}}, kMissing}});
    filter.Set(2, {{{}, kAllow}, {{{0, Compare::kEqual, 1}}, kKill}});
    const FilterProgram program = Make(filter);
    EXPECT_EQ(Ask(program, 1, 1), kKill);
    EXPECT_EQ(Ask(program, 1, 4), kAllow);
    EXPECT_EQ(Ask(program, 1, 7), kMissing);
    EXPECT_EQ(Ask(program, 1, 8), kRefused);
    EXPECT_EQ(Ask(program, 2, 1), kAllow);
}

TEST(Filter, ComparesBothHalvesOrOne) {
    Filter filter(kRefused, kMissing);
    filter.Set(1, {{{{0, Compare::kEqual, 5}}, kAllow}});
    filter.Set(2, {{{{0, Compare::kEqual, 5, UINT64_MAX, true}}, kAllow}});
    filter.Set(3, {{{{0, Compare::kGreater, 5, UINT64_MAX, true}}, kAllow}});
    const FilterProgram program = Make(filter);
    const uint64_t high = uint64_t{1} << 32;
    EXPECT_EQ(Ask(program, 1, 5), kAllow);
    EXPECT_EQ(Ask(program, 1, high | 5), kRefused);
    EXPECT_EQ(Ask(program, 2, high | 5), kAllow);
    EXPECT_EQ(Ask(program, 3, high | 5), kRefused);
    EXPECT_EQ(Ask(program, 3, high | 6), kAllow);
}

// The same rules by libseccomp, as bytes.
struct NumberRules {
    uint32_t number;
    Rules rules;
};
FilterProgram ByLibseccomp(const std::vector<NumberRules>& calls) {
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    EXPECT_NE(filter, nullptr);
    EXPECT_EQ(seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS), 0);
    constexpr scmp_compare kCompares[] = {SCMP_CMP_NE, SCMP_CMP_LT, SCMP_CMP_LE,
                                          SCMP_CMP_EQ, SCMP_CMP_GE, SCMP_CMP_GT};
    for (const auto& [number, rules] : calls)
        for (const Rule& rule : rules) {
            std::vector<scmp_arg_cmp> conditions;
            for (const Condition& c : rule.conditions)
                conditions.push_back(
                    c.mask == UINT64_MAX
                        ? scmp_arg_cmp{c.argument, kCompares[static_cast<int>(c.compare)], c.value,
                                       0}
                        : scmp_arg_cmp{c.argument, SCMP_CMP_MASKED_EQ, c.mask, c.value});
            const uint32_t action = rule.action == kAllow ? SCMP_ACT_ALLOW : SCMP_ACT_KILL_PROCESS;
            EXPECT_EQ(seccomp_rule_add_exact_array(filter, action, static_cast<int>(number),
                                                   static_cast<unsigned>(conditions.size()),
                                                   conditions.data()),
                      0)
                << number;
        }
    FilterProgram program;
    OwnedFd file(::memfd_create("bpf", MFD_CLOEXEC));
    EXPECT_EQ(seccomp_export_bpf(filter, file.get()), 0);
    seccomp_release(filter);
    const off_t size = ::lseek(file.get(), 0, SEEK_END);
    program.resize(static_cast<size_t>(size) / sizeof(sock_filter));
    EXPECT_EQ(::pread(file.get(), program.data(), static_cast<size_t>(size), 0), size);
    return program;
}

TEST(Filter, AnswersEachCallOfTheDefaultAsLibseccompsDoes) {
    for (uint64_t capabilities : {uint64_t{0}, Bit(CAP_SYS_ADMIN)}) {
        const Filter filter = DefaultFilter(capabilities);
        std::vector<NumberRules> calls;
        for (uint32_t number = 0; number < FirstNewSyscall(); ++number)
            if (const Rules& rules = filter.Of(number);
                rules.size() == 1 && rules[0].action == kAllow)
                calls.push_back({number, rules});
        const FilterProgram ours = Make(filter), theirs = ByLibseccomp(calls);
        for (const auto& [number, rules] : calls)
            EXPECT_EQ(Ask(ours, number), Ask(theirs, number)) << number;
        for (uint32_t architecture : {uint32_t{AUDIT_ARCH_I386}, uint32_t{AUDIT_ARCH_AARCH64}})
            EXPECT_EQ(AskAs(architecture, ours, 1), AskAs(architecture, theirs, 1));
        EXPECT_LT(ours.size(), theirs.size());
    }
}

// Numbers with both halves, and near to each other so that comparisons can go either way.
uint64_t SomeNumber(std::mt19937& random) {
    constexpr uint64_t kHalves[] = {0, 1, 2, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
    return kHalves[random() % std::size(kHalves)] << 32 | kHalves[random() % std::size(kHalves)];
}

Condition SomeCondition(std::mt19937& random, uint8_t argument) {
    Condition condition{argument, static_cast<Compare>(random() % 6), SomeNumber(random)};
    if (random() % 3 == 0) {
        condition.compare = Compare::kEqual;
        condition.mask = SomeNumber(random);
        condition.value &= condition.mask;
    }
    return condition;
}

// What the rules mean, said a third time.
bool Holds(const Condition& c, const uint64_t (&arguments)[6]) {
    const uint64_t got = arguments[c.argument];
    switch (c.compare) {
        case Compare::kNotEqual: return (got & c.mask) != c.value;
        case Compare::kLess: return got < c.value;
        case Compare::kLessOrEqual: return got <= c.value;
        case Compare::kEqual: return (got & c.mask) == c.value;
        case Compare::kGreaterOrEqual: return got >= c.value;
        case Compare::kGreater: return got > c.value;
    }
    return false;
}

uint32_t Meant(const Filter& filter, uint32_t number, const uint64_t (&arguments)[6]) {
    for (const Rule& rule : filter.Of(number))
        if (std::all_of(rule.conditions.begin(), rule.conditions.end(),
                        [&](const Condition& c) { return Holds(c, arguments); }))
            return rule.action;
    return filter.default_action();
}

// libseccomp is asked about calls of one rule: in 2.6.0 it answers wrongly where several compare
// the same arguments by order. first.
TEST(Filter, ComparesArgumentsAsLibseccompDoes) {
    std::mt19937 random(4);
    for (int round = 0; round < 60; ++round) {
        Filter filter(kRefused, kRefused);
        std::vector<NumberRules> calls;
        std::vector<uint32_t> numbers;
        for (uint32_t number : {0u, 1u, 2u, 9u, 16u, 17u, 59u, 200u}) {
            Rules rules;
            for (size_t count = 1 + random() % 2 * (random() % 3); rules.size() < count;) {
                Rule rule{.conditions = {}, .action = random() % 2 == 0 ? kAllow : kKill};
                for (uint8_t argument = 0; argument < 3; ++argument)
                    if (random() % 2 == 0)
                        rule.conditions.push_back(SomeCondition(random, argument));
                if (rule.conditions.empty()) rule.conditions.push_back(SomeCondition(random, 5));
                if (std::find(rules.begin(), rules.end(), rule) == rules.end())
                    rules.push_back(rule);
            }
            filter.Set(number, rules);
            if (rules.size() == 1) calls.push_back({number, rules});
            numbers.push_back(number);
        }
        const FilterProgram ours = Make(filter), theirs = ByLibseccomp(calls);
        ExpectSound(ours);
        for (int question = 0; question < 400; ++question) {
            const uint32_t number = numbers[random() % numbers.size()];
            const uint64_t arguments[6] = {
                SomeNumber(random), SomeNumber(random), SomeNumber(random), 0, 0,
                SomeNumber(random)};
            auto answer = [&](const FilterProgram& program) {
                return Interpret(program, NativeArchitecture(), number, arguments).value_or(1);
            };
            ASSERT_EQ(answer(ours), Meant(filter, number, arguments)) << round << " " << number;
            if (filter.Of(number).size() == 1) {
                ASSERT_EQ(answer(ours), answer(theirs)) << round << " " << number;
            }
        }
    }
}

TEST(Interpreter, RefusesWhatItDoesNotKnow) {
    const uint64_t arguments[6] = {};
    auto run = [&](FilterProgram program) {
        auto answer = Interpret(program, 0, 0, arguments);
        return answer ? std::to_string(*answer) : answer.error().text();
    };
    EXPECT_EQ(run({}), "ran past the end");
    EXPECT_EQ(run({BPF_STMT(BPF_JMP | BPF_JA, 0xffffffff)}), "ran past the end");
    EXPECT_EQ(run({BPF_STMT(BPF_LD | BPF_IMM, 1)}).find("instruction code"), 0u);
    for (uint32_t offset : {1u, 62u, 64u, 0x7ffffffcu, 0xfffffffcu})
        EXPECT_EQ(run({BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset), BPF_STMT(BPF_RET | BPF_K, 0)}),
                  "load outside the data")
            << offset;
    EXPECT_EQ(run({BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 60), BPF_STMT(BPF_RET | BPF_K, 7)}), "7");
}

}  // namespace
}  // namespace husk::container
