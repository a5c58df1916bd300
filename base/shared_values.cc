#include "base/shared_values.h"

#include <algorithm>
#include <ranges>
#include <utility>

namespace husk::internal {

SharedObjects::Pointer SharedObjects::Share(Pointer value, IsEqual is_equal) {
    // Those that are alike come together.
    for (const Pointer& known : values_ | std::views::reverse)
        if (is_equal(known.get(), value.get())) return known;
    std::erase_if(values_, [](const Pointer& known) { return known.use_count() == 1; });
    values_.push_back(value);
    return value;
}

}  // namespace husk::internal
