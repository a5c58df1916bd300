// System call filters: rules to BPF instructions, when a unit is loaded.
#pragma once

#include <cstdint>

#include <map>
#include <memory>

#include "base/error.h"
#include "container/spec.h"

namespace husk::container {

enum class Verdict : uint8_t {
    kNotPermitted,  // EPERM
    kNotThere,      // ENOSYS: libcs fall back to an older call
    kAllow,
    kClone,  // allowed without namespace flags, else EPERM
    kIoctl,  // allowed but for TIOCSTI and TIOCLINUX, which put words in a terminal's mouth
};
// Verdicts by system call number, for the native architecture. A number that is not in the map but
// below the largest one is not permitted; one above it is not there.
using Verdicts = std::map<uint32_t, Verdict>;

// The default profile: what ordinary services use (systemd's @system-service and Docker's default
// profile, roughly). `capabilities` opens what a unit that was given them needs (CAP_SYS_ADMIN:
// mount(2), …). Names are those of libseccomp.
Verdicts DefaultVerdicts(uint64_t capabilities);

// Pure: a balanced search over ranges of numbers with the same verdict, since the kernel checks
// each instruction when the filter is installed and most of them at each call. Another
// architecture's and x32 calls kill the process.
FilterProgram Assemble(const Verdicts& verdicts);

// What a filter answers (SECCOMP_RET_*), by interpreting it: for tests and `husk show`. Understands
// what Assemble() and libseccomp emit; anything else is an error.
Result<uint32_t> Interpret(const FilterProgram& program, uint32_t architecture, uint32_t number,
                           const uint64_t (&arguments)[6]);

// AUDIT_ARCH_* of this program.
uint32_t NativeArchitecture();

}  // namespace husk::container
