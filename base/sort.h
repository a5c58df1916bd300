// Sorting without the algorithm once more for each type: std::sort is 1.5 KB in the binary for
// each, std::stable_sort 3 KB.
#pragma once

#include <cstddef>

#include <functional>
#include <utility>

namespace husk {

namespace internal {
// Both are told the places of two.
using IsBefore = bool (*)(const void* list, size_t a, size_t b);
using Exchange = void (*)(const void* list, size_t a, size_t b);
void Sort(size_t count, const void* list, IsBefore before, Exchange exchange);
}  // namespace internal

// Of any length and in any order; equal ones stay in theirs.
template <typename List, typename Before = std::less<>>
void Sort(List& list, Before before = {}) {
    const struct Sorted {
        List& list;
        Before& before;
    } sorted{list, before};
    internal::Sort(
        list.size(), &sorted,
        [](const void* how, size_t a, size_t b) -> bool {
            const auto& [items, is_before] = *static_cast<const Sorted*>(how);
            return is_before(std::as_const(items)[a], std::as_const(items)[b]);
        },
        [](const void* how, size_t a, size_t b) {
            using std::swap;
            auto& items = static_cast<const Sorted*>(how)->list;
            swap(items[a], items[b]);
        });
}

// What is short, or nearly in order already, by insertion; equal ones stay in their order.
template <typename List, typename Before = std::less<>>
void InsertionSort(List& list, Before before = {}) {
    for (size_t i = 1; i < list.size(); ++i) {
        if (!before(list[i], list[i - 1])) continue;
        auto moving = std::move(list[i]);
        size_t at = i;
        for (; at > 0 && before(moving, list[at - 1]); --at) list[at] = std::move(list[at - 1]);
        list[at] = std::move(moving);
    }
}

}  // namespace husk
