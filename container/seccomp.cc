#include "container/seccomp.h"

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>

#include <span>
#include <vector>

#include "base/sys.h"
#include "base/text.h"
#include "container/seccomp_profile.h"
#include "container/syscalls.h"

namespace husk::container {
namespace {

constexpr uint32_t kNamespaceFlags = CLONE_NEWNS | static_cast<uint32_t>(sys::kCloneNewCgroup) |
                                     CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
                                     CLONE_NEWNET | static_cast<uint32_t>(sys::kCloneNewTime);
constexpr uint32_t kTiocsti = 0x5412, kTioclinux = 0x541C;
constexpr uint32_t kX32Bit = 0x40000000;

// The low half of argument `index`: the kernel looks at no more for the calls that are checked
// here.
constexpr uint32_t LowHalf(size_t index) {
    const size_t high_first = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0;
    return static_cast<uint32_t>(offsetof(seccomp_data, args) + 8 * index + high_first);
}

constexpr sock_filter Load(uint32_t offset) { return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset); }
constexpr sock_filter Return(uint32_t value) { return BPF_STMT(BPF_RET | BPF_K, value); }
constexpr sock_filter Jump(uint16_t test, uint32_t value, uint8_t if_true, uint8_t if_false) {
    return BPF_JUMP(static_cast<uint16_t>(BPF_JMP | BPF_K | test), value, if_true, if_false);
}
constexpr uint32_t Refuse(int error) {
    return SECCOMP_RET_ERRNO | (static_cast<uint32_t>(error) & SECCOMP_RET_DATA);
}

FilterProgram Leaf(Verdict verdict) {
    switch (verdict) {
        case Verdict::kNotPermitted: return {Return(Refuse(EPERM))};
        case Verdict::kNotThere: return {Return(Refuse(ENOSYS))};
        case Verdict::kAllow: return {Return(SECCOMP_RET_ALLOW)};
        case Verdict::kClone:
            return {Load(LowHalf(0)), Jump(BPF_JSET, kNamespaceFlags, 0, 1), Return(Refuse(EPERM)),
                    Return(SECCOMP_RET_ALLOW)};
        case Verdict::kIoctl:
            return {Load(LowHalf(1)), Jump(BPF_JEQ, kTiocsti, 1, 0),
                    Jump(BPF_JEQ, kTioclinux, 0, 1), Return(Refuse(EPERM)),
                    Return(SECCOMP_RET_ALLOW)};
    }
    return {};
}

struct Range {
    uint32_t first = 0;
    Verdict verdict{};
};

// From every number's verdict to the places where it changes.
std::vector<Range> Ranges(const Verdicts& verdicts) {
    std::vector<Range> ranges;
    uint32_t next = 0;
    auto add = [&](uint32_t first, Verdict verdict) {
        if (ranges.empty() || ranges.back().verdict != verdict) ranges.push_back({first, verdict});
    };
    for (const auto& [number, verdict] : verdicts) {
        if (number != next) add(next, Verdict::kNotPermitted);
        add(number, verdict);
        next = number + 1;
    }
    add(next, Verdict::kNotThere);
    return ranges;
}

FilterProgram Search(std::span<const Range> ranges) {
    if (ranges.size() == 1) return Leaf(ranges.front().verdict);
    const size_t middle = ranges.size() / 2;
    FilterProgram below = Search(ranges.first(middle)), above = Search(ranges.subspan(middle));
    FilterProgram program;
    if (below.size() <= UINT8_MAX) {
        program.push_back(
            Jump(BPF_JGE, ranges[middle].first, static_cast<uint8_t>(below.size()), 0));
    } else {  // a conditional jump reaches 255 instructions, JA any
        program.push_back(Jump(BPF_JGE, ranges[middle].first, 0, 1));
        program.push_back(BPF_STMT(BPF_JMP | BPF_JA, static_cast<uint32_t>(below.size())));
    }
    program.insert(program.end(), below.begin(), below.end());
    program.insert(program.end(), above.begin(), above.end());
    return program;
}

// A call that this architecture lacks needs no verdict.
void Set(Verdicts& verdicts, std::string_view name, Verdict verdict) {
    if (auto number = SyscallNumber(name)) verdicts[*number] = verdict;
}

void Allow(Verdicts& verdicts, std::span<const char* const> names) {
    for (const char* name : names) Set(verdicts, name, Verdict::kAllow);
}

}  // namespace

Verdicts DefaultVerdicts(uint64_t capabilities) {
    Verdicts verdicts;
    Allow(verdicts, DefaultAllowedCalls());
    for (const auto& [capability, calls] : CapabilityAllowedCalls())
        if (capabilities >> capability & 1) Allow(verdicts, calls);
    if ((capabilities >> CAP_SYS_ADMIN & 1) == 0) Set(verdicts, "clone", Verdict::kClone);
    // Its flags lie in memory, where no filter can look; without it libcs use clone(2).
    Set(verdicts, "clone3", Verdict::kNotThere);
    Set(verdicts, "ioctl", Verdict::kIoctl);
    return verdicts;
}

FilterProgram Assemble(const Verdicts& verdicts) {
    FilterProgram program = {
        Load(offsetof(seccomp_data, arch)),
        Jump(BPF_JEQ, NativeArchitecture(), 1, 0),
        Return(SECCOMP_RET_KILL_PROCESS),
        Load(offsetof(seccomp_data, nr)),
    };
    if (NativeArchitecture() == AUDIT_ARCH_X86_64) {
        program.push_back(Jump(BPF_JGE, kX32Bit, 0, 1));
        program.push_back(Return(SECCOMP_RET_KILL_PROCESS));
    }
    const std::vector<Range> ranges = Ranges(verdicts);
    const FilterProgram search = Search(ranges);
    program.insert(program.end(), search.begin(), search.end());
    return program;
}

Result<uint32_t> Interpret(const FilterProgram& program, uint32_t architecture, uint32_t number,
                           const uint64_t (&arguments)[6]) {
    seccomp_data data{};
    data.nr = static_cast<int>(number);
    data.arch = architecture;
    std::memcpy(data.args, arguments, sizeof data.args);
    uint32_t accumulator = 0;
    for (size_t at = 0; at < program.size(); ++at) {
        const sock_filter& step = program[at];
        auto jump = [&](bool taken) { at += taken ? step.jt : step.jf; };
        switch (step.code) {
            case BPF_LD | BPF_W | BPF_ABS:
                if (step.k % 4 != 0 || step.k > sizeof data - 4)
                    return Fail("load outside the data");
                std::memcpy(&accumulator, reinterpret_cast<const char*>(&data) + step.k, 4);
                break;
            case BPF_JMP | BPF_JA: at += step.k; break;
            case BPF_JMP | BPF_JEQ | BPF_K: jump(accumulator == step.k); break;
            case BPF_JMP | BPF_JGT | BPF_K: jump(accumulator > step.k); break;
            case BPF_JMP | BPF_JGE | BPF_K: jump(accumulator >= step.k); break;
            case BPF_JMP | BPF_JSET | BPF_K: jump((accumulator & step.k) != 0); break;
            case BPF_ALU | BPF_AND | BPF_K: accumulator &= step.k; break;
            case BPF_RET | BPF_K: return step.k;
            default: return Fail(Cat("instruction code ", std::to_string(step.code)));
        }
    }
    return Fail("ran past the end");
}

uint32_t NativeArchitecture() {
#if defined(__x86_64__)
    return AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
    return AUDIT_ARCH_AARCH64;
#elif defined(__arm__)
    return AUDIT_ARCH_ARM;
#elif defined(__riscv) && __riscv_xlen == 64
    return AUDIT_ARCH_RISCV64;
#endif
}

}  // namespace husk::container
