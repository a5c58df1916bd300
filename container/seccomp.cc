#include "container/seccomp.h"

#include <cstring>
#include <linux/audit.h>
#include <linux/seccomp.h>

#include <algorithm>
#include <string>

#include "base/syscalls.h"
#include "base/text.h"

namespace husk::container {

Rules Always(uint32_t action) { return {Rule{{}, action}}; }

uint32_t Refuse(int error) {
    return SECCOMP_RET_ERRNO | (static_cast<uint32_t>(error) & SECCOMP_RET_DATA);
}

bool IsPermissive(uint32_t action) {
    return action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG;
}

Filter::Filter(uint32_t default_action, uint32_t newer_action, uint32_t first_new)
    : default_action_(default_action), first_new_(first_new), sets_{{}, {}} {
    if (newer_action != default_action) sets_[1] = Always(newer_action);
}

void Filter::Set(uint32_t number, Rules rules) {
    // Nothing is asked behind a rule that always holds, or where the rest is the default.
    for (size_t i = 0; i + 1 < rules.size(); ++i)
        if (rules[i].conditions.empty()) rules.resize(i + 1);
    while (!rules.empty() && rules.back().action == default_action_) rules.pop_back();
    size_t set = 0;
    while (set < sets_.size() && sets_[set] != rules) ++set;
    if (set == sets_.size()) sets_.push_back(std::move(rules));
    auto place = std::lower_bound(calls_.begin(), calls_.end(), number,
                                  [](const Call& a, uint32_t b) { return a.number < b; });
    if (place == calls_.end() || place->number != number) place = calls_.insert(place, {number, 0});
    place->set = static_cast<uint32_t>(set);
}

const Rules& Filter::Of(uint32_t number) const {
    for (const Call& call : calls_)
        if (call.number == number) return sets_[call.set];
    return sets_[0];
}

std::vector<Filter::Range> Filter::Ranges() const {
    std::vector<Range> ranges;
    auto add = [&](uint32_t first, uint32_t set) {
        if (!ranges.empty() && sets_[ranges.back().set] == sets_[set]) return;
        ranges.push_back({first, set});
    };
    // A gap: what is known and was not named, then what is newer.
    auto pass_over = [&](uint32_t from, uint32_t to) {
        if (from < std::min(to, first_new_)) add(from, 0);
        if (std::max(from, first_new_) < to) add(std::max(from, first_new_), 1);
    };
    // Own calls of 32-bit ARM lie far above the rest.
    constexpr uint32_t kHighest = 0x10000;
    uint32_t next = 0;
    for (const Call& call : calls_) {
        if (call.number < kHighest && call.number > next) add(next, 0);
        if (call.number >= kHighest) pass_over(next, call.number);
        add(call.number, call.set);
        next = call.number + 1;
    }
    pass_over(next, UINT32_MAX);
    return ranges;
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
            default: return Fail("instruction code ", std::to_string(step.code));
        }
    }
    return Fail("ran past the end");
}

bool Allows(const FilterProgram& program, std::string_view name) {
    const auto number = SyscallNumber(name);
    if (!number) return false;
    const uint64_t none[6] = {};
    const auto action = Interpret(program, NativeArchitecture(), *number, none);
    return action && IsPermissive(*action);
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
