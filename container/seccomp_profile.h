// The default profile as data. Names that the architecture at hand lacks are passed over.
#pragma once

#include <span>

namespace husk::container {

std::span<const char* const> DefaultAllowedCalls();

struct CapabilityCalls {
    int capability;
    std::span<const char* const> calls;
};
// What a capability opens; without it the kernel would refuse the calls anyway.
std::span<const CapabilityCalls> CapabilityAllowedCalls();

}  // namespace husk::container
