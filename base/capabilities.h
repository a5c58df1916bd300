// Capabilities by name.
#pragma once

#include <cstdint>

#include <span>
#include <string_view>

#include "base/error.h"

namespace husk {

// By number, without CAP_: include/uapi/linux/capability.h.
std::span<const std::string_view> CapabilityNames();
// "CAP_NET_BIND_SERVICE", with or without CAP_, any case -> its number (capabilities(7)).
Result<int> CapabilityNumber(std::string_view name);
// Every capability that this version knows.
uint64_t AllCapabilities();

}  // namespace husk
