// Seccomp profiles: whatever one says, its filter is one that the kernel takes, and what always
// holds does.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/syscall.h>

#include <algorithm>
#include <string_view>

#include "container/seccomp_json.h"

namespace {

using namespace husk::container;

void Hold(bool holds) {
    if (!holds) std::abort();
}

// seccomp_check_filter(): jumps stay inside, the end is a return.
void CheckSound(const FilterProgram& program) {
    Hold(!program.empty() && BPF_CLASS(program.back().code) == BPF_RET);
    for (size_t at = 0; at < program.size(); ++at) {
        const sock_filter& step = program[at];
        if (BPF_CLASS(step.code) != BPF_JMP) continue;
        const size_t far = BPF_OP(step.code) == BPF_JA ? step.k : std::max(step.jt, step.jf);
        Hold(far < program.size() - at - 1);
    }
}

bool Allowed(const FilterProgram& program, uint32_t number, uint64_t first, uint64_t second) {
    const uint64_t arguments[6] = {first, second, 0, 0, 0, 0};
    const auto action = Interpret(program, NativeArchitecture(), number, arguments);
    Hold(action.has_value());
    return IsPermissive(*action);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    for (uint64_t capabilities : {uint64_t{0}, UINT64_MAX}) {
        auto filter = ParseSeccompProfile(text, capabilities, "6.12.3");
        if (!filter) {
            Hold(!filter.error().text().empty() &&
                 filter.error().text().find('\n') == std::string_view::npos);
            continue;
        }
        auto program = Assemble(*filter);
        if (!program) continue;
        CheckSound(*program);
        for (uint32_t number = 0; number < 600; ++number)
            (void)Allowed(*program, number, number, uint64_t{number} << 32);
        Hold(!Allowed(*program, SYS_ioctl, 0, 0x5412));
        Hold(!Allowed(*program, SYS_personality, 0x40000, 0));
        if (capabilities != 0) continue;
        Hold(!Allowed(*program, SYS_clone, CLONE_NEWUSER, 0));
        Hold(!Allowed(*program, SYS_unshare, CLONE_NEWNET, 0));
        Hold(!Allowed(*program, SYS_setns, 0, 0) && !Allowed(*program, SYS_clone3, 0, 0));
    }
    return 0;
}
