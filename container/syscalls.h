// System calls of this architecture by name.
#pragma once

#include <cstdint>

#include <optional>
#include <string_view>

namespace husk::container {

// The table is libseccomp's, taken at build time (toolchain/syscall_table.c). Nothing where the
// architecture has no such call.
std::optional<uint32_t> SyscallNumber(std::string_view name);

}  // namespace husk::container
