// System calls of this architecture by name, and systemd's groups of them.
#pragma once

#include <cstdint>

#include <optional>
#include <string_view>
#include <vector>

namespace husk {

// A set of groups: bits of the table that toolchain/syscall_table.c makes at build time, of
// libseccomp's names and numbers and base/syscall_groups.txt.
using SyscallGroups = uint64_t;

struct Syscall {
    std::string_view name;
    std::optional<uint32_t> number;  // nothing: another architecture's, or newer than libseccomp
    SyscallGroups groups = 0;
};

// By name, sorted; every call of any architecture that husk runs on, and more.
size_t SyscallCount();
Syscall SyscallAt(size_t index);
std::optional<Syscall> FindSyscall(std::string_view name);
// The number on this architecture.
std::optional<uint32_t> SyscallNumber(std::string_view name);
// One above the largest number that is known: what follows is newer than this table.
uint32_t FirstNewSyscall();

// The group "mount" (without the '@'); "known" is every call. Nothing where there is no such group.
std::optional<SyscallGroups> FindSyscallGroup(std::string_view name);
std::vector<std::string_view> SyscallGroupNames();
// The default profile of a container with these capabilities: a call of any of these groups.
SyscallGroups DefaultSyscallGroups(uint64_t capabilities);

}  // namespace husk
