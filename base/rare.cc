#include "base/rare.h"

namespace husk {

const std::string Text::kNone;

}  // namespace husk
