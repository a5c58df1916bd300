// Sorting of what is short, or nearly in order already.
#pragma once

#include <cstddef>

#include <functional>
#include <utility>

namespace husk {

// By insertion; equal ones stay in their order. std::sort is 1.5 KB in the binary for each type,
// std::stable_sort 3 KB. What may be long and in any order (names of a folder) is for those.
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
