// Filter to instructions.
#include <cstddef>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <algorithm>
#include <span>
#include <string>

#include "base/text.h"
#include "container/seccomp.h"

namespace husk::container {
namespace {

constexpr uint32_t kX32Bit = 0x40000000;
// A conditional jump reaches 255 instructions; one more may come between that it is asked for and
// that it is made.
constexpr size_t kReach = 250;

constexpr uint32_t HalfOf(size_t argument, bool high) {
    const bool second = high == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
    return static_cast<uint32_t>(offsetof(seccomp_data, args) + 8 * argument + (second ? 4 : 0));
}

// Makes the program from its last instruction to its first, since all jumps go forward: where one
// leads is there already, so that ends and whole rules are shared by all who lead to them.
class Emitter {
  public:
    explicit Emitter(const Filter& filter) : filter_(filter) {}

    FilterProgram Run();

  private:
    using Label = size_t;  // place of an instruction, from the end
    static constexpr uint32_t kNothing = UINT32_MAX;
    // Where to go on. What begins with a load can be entered behind it by whom has loaded that.
    struct Target {
        Label at = 0;
        uint32_t loads = kNothing;
    };
    struct End {
        uint32_t action = 0;
        Label at = 0;
    };

    Label Emit(uint16_t code, uint32_t value, uint8_t if_true = 0, uint8_t if_false = 0) {
        code_.push_back({code, if_true, if_false, value});
        return code_.size() - 1;
    }
    // One that a conditional jump that is made next reaches.
    Label Near(Label label) {
        if (code_.size() - label <= kReach) return label;
        return Emit(BPF_JMP | BPF_JA, static_cast<uint32_t>(code_.size() - label - 1));
    }
    // Both ways lead to the same place: nothing is made.
    Label Branch(uint16_t test, uint32_t value, Label yes, Label no);
    // In front of the instruction that was made last.
    Target Load(uint32_t word) { return {Emit(BPF_LD | BPF_W | BPF_ABS, word), word}; }
    static Label Enter(Target target, uint32_t loaded) {
        return target.at - (target.loads != kNothing && target.loads == loaded ? 1 : 0);
    }
    Target Return(uint32_t action);

    Target HalfEquals(const Condition& condition, bool high, Target yes, Target no);
    Target Equals(const Condition& condition, Target yes, Target no);
    Target Exceeds(const Condition& condition, bool or_equal, Target yes, Target no);
    Target Check(const Condition& condition, Target yes, Target no);
    Target Apply(const Rules& rules);
    Target Leaf(uint32_t set);
    Target Search(std::span<const Filter::Range> ranges);

    const Filter& filter_;
    FilterProgram code_;  // the last instruction first
    std::vector<End> ends_;
    std::vector<std::pair<uint32_t, Target>> leaves_;  // of sets of rules
};

Emitter::Label Emitter::Branch(uint16_t test, uint32_t value, Label yes, Label no) {
    if (yes == no) return yes;
    yes = Near(yes);
    no = Near(no);
    const size_t here = code_.size();
    return Emit(static_cast<uint16_t>(BPF_JMP | BPF_K | test), value,
                static_cast<uint8_t>(here - yes - 1), static_cast<uint8_t>(here - no - 1));
}

// A new one costs no more than the jump to one that is far.
Emitter::Target Emitter::Return(uint32_t action) {
    for (End& end : ends_) {
        if (end.action != action) continue;
        if (code_.size() - end.at > kReach / 2) end.at = Emit(BPF_RET | BPF_K, action);
        return {end.at};
    }
    ends_.push_back({action, Emit(BPF_RET | BPF_K, action)});
    return {ends_.back().at};
}

Emitter::Target Emitter::HalfEquals(const Condition& condition, bool high, Target yes, Target no) {
    const int shift = high ? 32 : 0;
    const auto value = static_cast<uint32_t>(condition.value >> shift);
    const auto mask = static_cast<uint32_t>(condition.mask >> shift);
    const uint32_t word = HalfOf(condition.argument, high);
    if ((value & ~mask) != 0 || yes.at == no.at) return no;
    if (mask == 0) return yes;
    if (value == 0 && mask != UINT32_MAX) {
        Branch(BPF_JSET, mask, Enter(no, word), Enter(yes, word));
    } else if (mask == UINT32_MAX) {
        Branch(BPF_JEQ, value, Enter(yes, word), Enter(no, word));
    } else {
        Branch(BPF_JEQ, value, yes.at, no.at);
        Emit(BPF_ALU | BPF_AND | BPF_K, mask);
    }
    return Load(word);
}

Emitter::Target Emitter::Equals(const Condition& condition, Target yes, Target no) {
    const Target low = HalfEquals(condition, false, yes, no);
    return condition.low_half ? low : HalfEquals(condition, true, low, no);
}

Emitter::Target Emitter::Exceeds(const Condition& condition, bool or_equal, Target yes, Target no) {
    if (yes.at == no.at) return no;
    const uint32_t low_word = HalfOf(condition.argument, false);
    Branch(or_equal ? BPF_JGE : BPF_JGT, static_cast<uint32_t>(condition.value),
           Enter(yes, low_word), Enter(no, low_word));
    const Target low = Load(low_word);
    if (condition.low_half) return low;
    const uint32_t word = HalfOf(condition.argument, true);
    const auto value = static_cast<uint32_t>(condition.value >> 32);
    const Label equal = Branch(BPF_JEQ, value, low.at, Enter(no, word));
    Branch(BPF_JGT, value, Enter(yes, word), equal);
    return Load(word);
}

Emitter::Target Emitter::Check(const Condition& condition, Target yes, Target no) {
    switch (condition.compare) {
        case Compare::kEqual: return Equals(condition, yes, no);
        case Compare::kNotEqual: return Equals(condition, no, yes);
        case Compare::kGreater: return Exceeds(condition, false, yes, no);
        case Compare::kLessOrEqual: return Exceeds(condition, false, no, yes);
        case Compare::kGreaterOrEqual: return Exceeds(condition, true, yes, no);
        case Compare::kLess: return Exceeds(condition, true, no, yes);
    }
    return no;
}

Emitter::Target Emitter::Apply(const Rules& rules) {
    Target next = Return(filter_.default_action());
    for (size_t i = rules.size(); i-- > 0;) {
        const Rule& rule = rules[i];
        Target holds = Return(rule.action);
        for (size_t j = rule.conditions.size(); j-- > 0;)
            holds = Check(rule.conditions[j], holds, next);
        next = holds;
    }
    return next;
}

Emitter::Target Emitter::Leaf(uint32_t set) {
    const Rules& rules = filter_.sets()[set];
    if (rules.empty()) return Return(filter_.default_action());
    if (rules.front().conditions.empty()) return Return(rules.front().action);
    for (const auto& [of, target] : leaves_)
        if (of == set) return target;
    leaves_.emplace_back(set, Apply(rules));
    return leaves_.back().second;
}

Emitter::Target Emitter::Search(std::span<const Filter::Range> ranges) {
    if (ranges.size() == 1) return Leaf(ranges[0].set);
    // One number that is unlike those around it.
    if (ranges.size() == 3 && ranges[0].set == ranges[2].set &&
        ranges[1].first + 1 == ranges[2].first) {
        const Target one = Leaf(ranges[1].set), others = Leaf(ranges[0].set);
        return {Branch(BPF_JEQ, ranges[1].first, one.at, others.at)};
    }
    const size_t middle = ranges.size() / 2;
    const Target below = Search(ranges.first(middle)), above = Search(ranges.subspan(middle));
    return {Branch(BPF_JGE, ranges[middle].first, above.at, below.at)};
}

FilterProgram Emitter::Run() {
    const std::vector<Filter::Range> ranges = filter_.Ranges();
    const Target search = Search(ranges);
    Target kill;
    if (NativeArchitecture() == AUDIT_ARCH_X86_64) {
        kill = Return(SECCOMP_RET_KILL_PROCESS);
        Branch(BPF_JGE, kX32Bit, kill.at, search.at);
    } else if (search.at + 1 != code_.size()) {
        Emit(BPF_JMP | BPF_JA, static_cast<uint32_t>(code_.size() - search.at - 1));
    }
    const Target number = Load(offsetof(seccomp_data, nr));
    kill = Return(SECCOMP_RET_KILL_PROCESS);
    Branch(BPF_JEQ, NativeArchitecture(), number.at, kill.at);
    Load(offsetof(seccomp_data, arch));
    std::reverse(code_.begin(), code_.end());
    return std::move(code_);
}

}  // namespace

Result<FilterProgram> Assemble(const Filter& filter) {
    FilterProgram program = Emitter(filter).Run();
    if (program.size() > BPF_MAXINSNS)
        return Fail("the filter would have ", std::to_string(program.size()),
                    " instructions, and the kernel takes ", std::to_string(BPF_MAXINSNS),
                    ": give it fewer rules");
    return program;
}

}  // namespace husk::container
