// Values that do not change and that many hold alike: of equal ones there is one, for as long as
// somebody has it.
#pragma once

#include <algorithm>
#include <memory>
#include <ranges>
#include <utility>
#include <vector>

namespace husk {

template <typename T>
class SharedValues {
  public:
    using Pointer = std::shared_ptr<const T>;

    // The one that is there already, or this one.
    Pointer Share(Pointer value) {
        // Those that are alike come together.
        for (const Pointer& known : values_ | std::views::reverse)
            if (*known == *value) return known;
        std::erase_if(values_, [](const Pointer& known) { return known.use_count() == 1; });
        values_.push_back(value);
        return value;
    }

  private:
    std::vector<Pointer> values_;
};

}  // namespace husk
