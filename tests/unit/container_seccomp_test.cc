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

#include "base/fd.h"
#include "container/seccomp.h"
#include "container/seccomp_profile.h"

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

const FilterProgram& Default() {
    static const FilterProgram program = Assemble(DefaultVerdicts(0));
    return program;
}

int Number(const char* name) { return seccomp_syscall_resolve_name(name); }

TEST(Filter, AnswersEveryNumberAsTheVerdictsSay) {
    for (uint64_t capabilities : {uint64_t{0}, uint64_t{1} << CAP_SYS_ADMIN, UINT64_MAX}) {
        const Verdicts verdicts = DefaultVerdicts(capabilities);
        const FilterProgram program = Assemble(verdicts);
        const uint32_t largest = verdicts.rbegin()->first;
        for (uint32_t number = 0; number <= kLastNumber; ++number) {
            auto verdict = verdicts.find(number);
            uint32_t wanted = number > largest ? kMissing : kRefused;
            if (verdict != verdicts.end()) switch (verdict->second) {
                    case Verdict::kNotPermitted: wanted = kRefused; break;
                    case Verdict::kNotThere: wanted = kMissing; break;
                    case Verdict::kAllow:
                    case Verdict::kClone:
                    case Verdict::kIoctl: wanted = kAllow; break;  // with arguments of zero
                }
            EXPECT_EQ(Ask(program, number), wanted) << number;
        }
    }
}

TEST(Filter, AllowsWhatServicesUseAndRefusesTheRest) {
    for (const char* name : {"read", "openat", "execve", "futex", "epoll_wait", "accept4", "mmap",
                             "rt_sigreturn", "exit_group", "getrandom", "statx", "prctl"})
        EXPECT_EQ(Ask(Default(), static_cast<uint32_t>(Number(name))), kAllow) << name;
    for (const char* name :
         {"mount",         "umount2",        "unshare",         "setns",
          "pivot_root",    "chroot",         "reboot",          "init_module",
          "finit_module",  "delete_module",  "kexec_load",      "kexec_file_load",
          "bpf",           "io_uring_setup", "io_uring_enter",  "keyctl",
          "add_key",       "request_key",    "perf_event_open", "userfaultfd",
          "swapon",        "settimeofday",   "clock_settime",   "open_by_handle_at",
          "syslog",        "iopl",           "ioperm",          "acct",
          "quotactl",      "fsopen",         "move_mount",      "open_tree",
          "mount_setattr", "nfsservctl",     "lookup_dcookie",  "uselib",
          "ustat",         "sysfs",          "vhangup"})
        if (int number = Number(name); number >= 0) {
            EXPECT_EQ(Ask(Default(), static_cast<uint32_t>(number)), kRefused) << name;
        }
}

TEST(Filter, OpensWhatACapabilityIsFor) {
    for (const auto& [capability, calls] : CapabilityAllowedCalls()) {
        const FilterProgram program = Assemble(DefaultVerdicts(uint64_t{1} << capability));
        for (const char* name : calls)
            if (int number = Number(name); number >= 0) {
                EXPECT_EQ(Ask(program, static_cast<uint32_t>(number)), kAllow) << name;
            }
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
        EXPECT_EQ(Ask(Assemble(DefaultVerdicts(uint64_t{1} << CAP_SYS_ADMIN)), SYS_clone, flag),
                  kAllow);
    }
    EXPECT_EQ(Ask(Default(), SYS_clone, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_THREAD), kAllow);
    EXPECT_EQ(Ask(Default(), SYS_clone, 17), kAllow) << "fork";
}

TEST(Filter, SaysThatClone3IsNotThereSoThatLibcsFallBack) {
    EXPECT_EQ(Ask(Default(), SYS_clone3), kMissing);
    EXPECT_EQ(Ask(Assemble(DefaultVerdicts(UINT64_MAX)), SYS_clone3), kMissing);
}

TEST(Filter, RefusesToPutWordsInATerminalsMouth) {
    for (uint64_t high : {uint64_t{0}, uint64_t{1} << 32, uint64_t{0xffffffff} << 32}) {
        EXPECT_EQ(Ask(Default(), SYS_ioctl, 0, high | 0x5412), kRefused) << "TIOCSTI";
        EXPECT_EQ(Ask(Default(), SYS_ioctl, 0, high | 0x541C), kRefused) << "TIOCLINUX";
        EXPECT_EQ(Ask(Default(), SYS_ioctl, 0, high | 0x5413), kAllow) << "TIOCGWINSZ";
    }
    EXPECT_EQ(Ask(Default(), SYS_ioctl, 0x5412, 0), kAllow) << "a descriptor, not a request";
    EXPECT_EQ(Ask(Assemble(DefaultVerdicts(UINT64_MAX)), SYS_ioctl, 0, 0x5412), kRefused);
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

TEST(Filter, IsSmallAndKeepsToWhatTheKernelTakes) {
    EXPECT_LT(Default().size(), 200u);
    EXPECT_LT(Assemble(DefaultVerdicts(UINT64_MAX)).size(), 200u);
    // Each jump goes forward and stays inside, each end is a return: seccomp_check_filter().
    for (size_t at = 0; at < Default().size(); ++at) {
        const sock_filter& step = Default()[at];
        const size_t left = Default().size() - at - 1;
        if (BPF_CLASS(step.code) != BPF_JMP) continue;
        EXPECT_LT(BPF_OP(step.code) == BPF_JA ? step.k : std::max(step.jt, step.jf), left);
    }
    EXPECT_EQ(BPF_CLASS(Default().back().code), BPF_RET);
}

TEST(Filter, WithFarJumpsIsRightToo) {
    // Alternating verdicts make a program in which a conditional jump cannot reach its other half.
    Verdicts verdicts;
    for (uint32_t number = 0; number < 2000; number += 2) verdicts[number] = Verdict::kAllow;
    const FilterProgram program = Assemble(verdicts);
    EXPECT_GT(program.size(), 512u);
    for (uint32_t number = 0; number < 2100; ++number)
        ASSERT_EQ(Ask(program, number), number >= 1999    ? kMissing
                                        : number % 2 == 0 ? kAllow
                                                          : kRefused)
            << number;
}

TEST(Filter, OfNoVerdictsKnowsNoCall) {
    EXPECT_EQ(Ask(Assemble({}), 0), kMissing);
    EXPECT_EQ(Ask(Assemble({{0, Verdict::kAllow}}), 0), kAllow);
    EXPECT_EQ(Ask(Assemble({{0, Verdict::kAllow}}), 1), kMissing);
}

// The same rules by libseccomp, as bytes.
FilterProgram ByLibseccomp(const Verdicts& verdicts) {
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    EXPECT_NE(filter, nullptr);
    EXPECT_EQ(seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS), 0);
    auto add = [&](uint32_t action, uint32_t number, std::vector<scmp_arg_cmp> conditions = {}) {
        EXPECT_EQ(seccomp_rule_add_exact_array(filter, action, static_cast<int>(number),
                                               static_cast<unsigned>(conditions.size()),
                                               conditions.data()),
                  0)
            << number;
    };
    // The kernel's words: the low half only.
    constexpr uint64_t kNamespaces = CLONE_NEWNS | 0x02000000ull | CLONE_NEWUTS | CLONE_NEWIPC |
                                     CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | 0x80;
    for (const auto& [number, verdict] : verdicts) switch (verdict) {
            case Verdict::kNotPermitted: break;
            case Verdict::kNotThere: add(SCMP_ACT_ERRNO(ENOSYS), number); break;
            case Verdict::kAllow: add(SCMP_ACT_ALLOW, number); break;
            case Verdict::kClone:
                add(SCMP_ACT_ALLOW, number, {SCMP_A0(SCMP_CMP_MASKED_EQ, kNamespaces, 0)});
                break;
            case Verdict::kIoctl:
                add(SCMP_ACT_ALLOW, number,
                    {SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffff, 0x5401)});  // one request: TCGETS
                break;
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

TEST(Filter, AnswersAsLibseccompsDoes) {
    for (uint64_t capabilities : {uint64_t{0}, uint64_t{1} << CAP_SYS_ADMIN}) {
        const Verdicts verdicts = DefaultVerdicts(capabilities);
        const FilterProgram ours = Assemble(verdicts), theirs = ByLibseccomp(verdicts);
        const uint32_t largest = verdicts.rbegin()->first;
        for (uint32_t number = 0; number <= largest; ++number)
            for (uint64_t first : {uint64_t{0}, uint64_t{CLONE_NEWUSER}, uint64_t{CLONE_VM},
                                   uint64_t{CLONE_NEWNS} | uint64_t{1} << 40})
                EXPECT_EQ(Ask(ours, number, first, 0x5401), Ask(theirs, number, first, 0x5401))
                    << number << " with " << first;
        for (uint32_t architecture : {uint32_t{AUDIT_ARCH_I386}, uint32_t{AUDIT_ARCH_AARCH64}})
            EXPECT_EQ(AskAs(architecture, ours, 1), AskAs(architecture, theirs, 1));
        EXPECT_LT(ours.size(), theirs.size());
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
