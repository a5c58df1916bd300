#include "container/syscalls.h"

#include <algorithm>
#include <iterator>

namespace husk::container {
namespace {

// The name lies in the row, so that the table needs no relocations at start.
struct Row {
    char name[30];
    uint16_t number;
};
constexpr Row kRows[] = {
#include "syscall_table.inc"
};

}  // namespace

std::optional<uint32_t> SyscallNumber(std::string_view name) {
    const Row* row = std::lower_bound(
        std::begin(kRows), std::end(kRows), name,
        [](const Row& a, std::string_view wanted) { return std::string_view(a.name) < wanted; });
    if (row == std::end(kRows) || row->name != name) return std::nullopt;
    return row->number;
}

}  // namespace husk::container
