#include "base/error.h"

#include <cerrno>
#include <cstdarg>
#include <cstring>

namespace husk {

Error::Error(int code, std::string text) : body_(new Body{code, std::move(text)}) {}

Error::Error(const Error& other)
    : body_(other.body_ == nullptr ? nullptr : new Body(*other.body_)) {}

void Error::Drop() { delete std::exchange(body_, nullptr); }

Error Error::FromErrno(std::string what) { return FromErrno(errno, std::move(what)); }

Error Error::FromErrno(int code, std::string what) {
    what += ": ";
    what += std::strerror(code);
    return Error(code, std::move(what));
}

Error Error::WrapParts(unsigned kinds, ...) && {
    va_list parts;
    va_start(parts, kinds);
    std::string context = internal::ConcatenateParts(kinds, parts);
    va_end(parts);
    body_->text.insert(0, context.append(": "));
    return std::move(*this);
}

std::unexpected<Error> internal::Fail(unsigned kinds, ...) {
    va_list parts;
    va_start(parts, kinds);
    std::string text = ConcatenateParts(kinds, parts);
    va_end(parts);
    return std::unexpected(Error::Because(std::move(text)));
}

std::unexpected<Error> internal::FailErrno(unsigned kinds, ...) {
    const int code = errno;
    va_list parts;
    va_start(parts, kinds);
    std::string what = ConcatenateParts(kinds, parts);
    va_end(parts);
    return std::unexpected(Error::FromErrno(code, std::move(what)));
}

}  // namespace husk
