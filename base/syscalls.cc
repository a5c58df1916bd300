#include "base/syscalls.h"

#include <linux/capability.h>

#include <algorithm>
#include <iterator>

namespace husk {
namespace {

// Names, sets of groups and rows lie apart, so that the table is small and needs no relocations.
struct Row {
    uint16_t name;    // where it begins in kNames
    uint16_t number;  // kNoNumber, or below kArmRow, or an own call of 32-bit ARM
    uint8_t set;
};
struct CapabilityGroup {
    int capability;
    int group;
};
#include "syscall_table.inc"

constexpr uint16_t kNoNumber = 0xffff, kArmRow = 0xf000;
constexpr uint32_t kArmFirst = 0xf0000;
constexpr std::string_view kDefaultGroup = "husk";

// Of names with a NUL behind each; an empty name has no group that could be asked for.
std::vector<std::string_view> GroupNames() {
    std::vector<std::string_view> names;
    for (const char* name = kGroupNames; name != std::end(kGroupNames) - 1;) {
        names.emplace_back(name);
        name += names.back().size() + 1;
    }
    return names;
}

}  // namespace

size_t SyscallCount() { return std::size(kRows); }

Syscall SyscallAt(size_t index) {
    const Row& row = kRows[index];
    Syscall call{.name = kNames + row.name, .groups = kSets[row.set]};
    if (row.number < kArmRow)
        call.number = row.number;
    else if (row.number != kNoNumber)
        call.number = kArmFirst + (row.number - kArmRow);
    return call;
}

std::optional<Syscall> FindSyscall(std::string_view name) {
    const Row* row = std::lower_bound(std::begin(kRows), std::end(kRows), name,
                                      [](const Row& a, std::string_view wanted) {
                                          return std::string_view(kNames + a.name) < wanted;
                                      });
    if (row == std::end(kRows) || kNames + row->name != name) return std::nullopt;
    return SyscallAt(static_cast<size_t>(row - kRows));
}

std::optional<uint32_t> SyscallNumber(std::string_view name) {
    const auto call = FindSyscall(name);
    return call ? call->number : std::nullopt;
}

uint32_t FirstNewSyscall() {
    uint32_t first = 0;
    for (const Row& row : kRows)
        if (row.number < kArmRow) first = std::max(first, row.number + 1u);
    return first;
}

std::optional<SyscallGroups> FindSyscallGroup(std::string_view name) {
    const auto names = GroupNames();
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end() || name.empty()) return std::nullopt;
    return SyscallGroups{1} << (found - names.begin());
}

std::vector<std::string_view> SyscallGroupNames() {
    std::vector<std::string_view> names = GroupNames();
    std::erase_if(names,
                  [](std::string_view name) { return name.empty() || name == kDefaultGroup; });
    return names;
}

SyscallGroups DefaultSyscallGroups(uint64_t capabilities) {
    SyscallGroups groups = *FindSyscallGroup(kDefaultGroup);
    for (const CapabilityGroup& one : kCapabilityGroups)
        if (capabilities >> one.capability & 1) groups |= SyscallGroups{1} << one.group;
    return groups;
}

}  // namespace husk
