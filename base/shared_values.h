// Values that do not change and that many hold alike: of equal ones there is one, for as long as
// somebody has it.
#pragma once

#include <memory>
#include <vector>

namespace husk {

namespace internal {
// Of any one type, so that it is compiled once.
class SharedObjects {
  public:
    using Pointer = std::shared_ptr<const void>;
    using IsEqual = bool (*)(const void* a, const void* b);

    Pointer Share(Pointer value, IsEqual is_equal);

  private:
    std::vector<Pointer> values_;
};
}  // namespace internal

template <typename T>
class SharedValues {
  public:
    using Pointer = std::shared_ptr<const T>;

    // The one that is there already, or this one.
    Pointer Share(Pointer value) {
        return std::static_pointer_cast<const T>(
            values_.Share(std::move(value), [](const void* a, const void* b) {
                return *static_cast<const T*>(a) == *static_cast<const T*>(b);
            }));
    }

  private:
    internal::SharedObjects values_;
};

}  // namespace husk
