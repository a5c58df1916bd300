#include "base/sort.h"

#include <algorithm>
#include <vector>

namespace husk::internal {

void Sort(size_t count, const void* list, IsBefore before, Exchange exchange) {
    std::vector<size_t> sorted(count), place(count);
    for (size_t i = 0; i < count; ++i) sorted[i] = i;
    std::sort(sorted.begin(), sorted.end(), [&](size_t a, size_t b) {
        return before(list, a, b) || (a < b && !before(list, b, a));
    });
    for (size_t i = 0; i < count; ++i) place[sorted[i]] = i;
    // Each exchange brings one to where it stays.
    for (size_t i = 0; i < count; ++i)
        for (size_t to = place[i]; to != i; to = place[i]) {
            exchange(list, i, to);
            std::swap(place[i], place[to]);
        }
}

}  // namespace husk::internal
