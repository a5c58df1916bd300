// System call filters: rules to BPF instructions, when a unit is loaded.
#pragma once

#include <cstddef>
#include <cstdint>

#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "container/spec.h"

namespace husk::container {

// As SCMP_CMP_*: `argument & mask` against `value`, unsigned.
enum class Compare : uint8_t {
    kNotEqual,
    kLess,
    kLessOrEqual,
    kEqual,
    kGreaterOrEqual,
    kGreater,
};

struct Condition {
    uint8_t argument = 0;  // 0 to 5
    Compare compare = Compare::kEqual;
    uint64_t value = 0;
    // Only (in)equality knows a mask.
    uint64_t mask = UINT64_MAX;
    // Of arguments that the kernel reads as 32 bits: what a program leaves in the high half must
    // not matter to the filter either. Elsewhere both halves are compared.
    bool low_half = false;
    friend bool operator==(const Condition&, const Condition&) = default;
};

struct Rule {
    std::vector<Condition> conditions;  // all must hold; none: always
    uint32_t action = 0;                // SECCOMP_RET_*
    friend bool operator==(const Rule&, const Rule&) = default;
};
// The first that holds decides; where none does, the default action.
using Rules = std::vector<Rule>;

Rules Always(uint32_t action);
// SECCOMP_RET_ERRNO with this errno.
uint32_t Refuse(int error);
// The call is carried out.
bool IsPermissive(uint32_t action);

// What to answer for each number of the native architecture. Another architecture's and x32 calls
// kill the process.
class Filter {
  public:
    // Numbers that are larger than any that was named, and at least `first_new`, get
    // `newer_action`.
    Filter(uint32_t default_action, uint32_t newer_action, uint32_t first_new = 0);

    void Set(uint32_t number, Rules rules);
    const Rules& Of(uint32_t number) const;
    uint32_t default_action() const { return default_action_; }

    // Places where another set of rules begins, in rising order: pairs of the first number and the
    // index of a set.
    struct Range {
        uint32_t first = 0, set = 0;
    };
    std::vector<Range> Ranges() const;
    const std::vector<Rules>& sets() const { return sets_; }

  private:
    struct Call {
        uint32_t number = 0, set = 0;
    };
    uint32_t default_action_;
    uint32_t first_new_;
    std::vector<Rules> sets_;  // none twice; first the default's, then that of what is newer
    std::vector<Call> calls_;  // by number
};

// The default profile: husk's group of base/syscall_groups.txt. `capabilities` opens what a unit
// that was given them needs (CAP_SYS_ADMIN: mount(2), …). Not guarded yet.
Filter DefaultRules(uint64_t capabilities, uint32_t default_action);
// Guarded, and what it refuses is EPERM.
Filter DefaultFilter(uint64_t capabilities);

// What holds whatever a unit's list or profile says: no namespaces without CAP_SYS_ADMIN, no words
// in a terminal's mouth, no personality that weakens the process.
void Guard(Filter& filter, uint64_t capabilities);

// Pure: a balanced search over ranges of numbers with the same rules, since the kernel checks each
// instruction when the filter is installed and many of them at each call. An error where the
// kernel would not take that many.
Result<FilterProgram> Assemble(const Filter& filter);

// What a filter answers (SECCOMP_RET_*), by interpreting it. Understands what Assemble() and
// libseccomp emit; anything else is an error.
Result<uint32_t> Interpret(const FilterProgram& program, uint32_t architecture, uint32_t number,
                           const uint64_t (&arguments)[6]);
// Whether the native call `name` is carried out with arguments of zero; false for one that this
// architecture lacks.
bool Allows(const FilterProgram& program, std::string_view name);

// AUDIT_ARCH_* of this program.
uint32_t NativeArchitecture();

}  // namespace husk::container
