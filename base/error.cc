#include "base/error.h"

#include <cstring>

namespace husk {

Error Error::FromErrno(int code, std::string what) {
    what += ": ";
    what += std::strerror(code);
    return Error(code, std::move(what));
}

Error Error::Wrap(std::string_view context) && {
    std::string text;
    text.reserve(context.size() + 2 + text_.size());
    text.append(context).append(": ").append(text_);
    return Error(code_, std::move(text));
}

}  // namespace husk
