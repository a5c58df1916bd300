// Seccomp profiles as Docker and the OCI runtime specification write them.
#pragma once

#include <cstddef>
#include <cstdint>

#include <string_view>

#include "base/error.h"
#include "container/seccomp.h"

namespace husk::container {

// Docker's own profile has 15 KB.
inline constexpr size_t kMaxSeccompProfile = 256 << 10;

// Pure. A filter of the profile's rules for this architecture, a container with `capabilities` and
// the kernel `release` ("6.12.4-arm64"); guarded. As in runc: a rule without conditions holds
// whatever the others say, several conditions on one argument are rules of their own, what is
// newer than every call that is named is ENOSYS unless the default allows, and of the fields the
// unknown ones are passed over. Names that husk does not know are passed over where the default
// refuses, and an error where it allows.
Result<Filter> ParseSeccompProfile(std::string_view json, uint64_t capabilities,
                                   std::string_view release);

}  // namespace husk::container
