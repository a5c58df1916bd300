// An error that carries errno and a chain of context, and the result types that everything which
// can fail returns.
//
// Contract: errno is taken where the call failed (FailErrno() does it), context is put in front on
// the way up (Error::Wrap), and the top of the program logs once. Texts begin in lower case, name
// their object in single quotes and say what to do where a person can do something:
//     unit 'web': mount 'tmpfs' on '/tmp': No space left on device
//
// There are two thousand places that make an error or hand one on. Each is a few instructions: an
// error is a pointer, and what makes its text is compiled once (Parts: base/text.h).
#pragma once

#include <expected>
#include <string>
#include <utility>

#include "base/text.h"

namespace husk {

class [[nodiscard]] Error {
  public:
    // A refusal of our own, without an errno.
    static Error Because(std::string text) { return Error(0, std::move(text)); }
    // The failure of a system call: `what` is "verb 'object'"; takes errno at once.
    static Error FromErrno(std::string what);
    static Error FromErrno(int code, std::string what);

    Error(Error&& other) noexcept : body_(std::exchange(other.body_, nullptr)) {}
    Error& operator=(Error&& other) noexcept {
        std::swap(body_, other.body_);
        return *this;
    }
    Error(const Error& other);
    ~Error() {
        if (body_ != nullptr) Drop();
    }

    // The same error with "context: " in front.
    template <typename... Parts>
    [[gnu::always_inline]] Error Wrap(const Parts&... context) && {
        return std::move(*this).WrapParts(internal::PartKinds<Parts...>(),
                                          internal::AddressOf(context)...);
    }

    // 0 where no system call failed.
    int code() const { return body_->code; }
    const std::string& text() const { return body_->text; }

  private:
    friend class Status;
    struct Body {
        int code;
        std::string text;
    };

    Error() = default;
    Error(int code, std::string text);
    Error WrapParts(unsigned kinds, ...) &&;
    void Drop();

    Body* body_ = nullptr;  // nullptr: moved from, or that of a good Status
};

template <typename T>
using Result = std::expected<T, Error>;

// Success, or an error: in the words of std::expected<void, Error>, and of a pointer's size.
class [[nodiscard]] Status {
  public:
    Status() = default;
    Status(std::unexpected<Error> failure) : error_(std::move(failure).error()) {}

    explicit operator bool() const { return has_value(); }
    bool has_value() const { return error_.body_ == nullptr; }
    const Error& error() const& { return error_; }
    Error&& error() && { return std::move(error_); }

  private:
    Error error_;
};

inline std::unexpected<Error> Fail(Error error) { return std::unexpected(std::move(error)); }

namespace internal {
std::unexpected<Error> Fail(unsigned kinds, ...);
std::unexpected<Error> FailErrno(unsigned kinds, ...);
}  // namespace internal

// Of a text in parts, as Cat() takes them.
template <typename... Parts>
[[gnu::always_inline]] inline std::unexpected<Error> Fail(const Parts&... parts) {
    return internal::Fail(internal::PartKinds<Parts...>(), internal::AddressOf(parts)...);
}
// Of the system call that has just failed; making the parts has to leave errno alone.
template <typename... Parts>
[[gnu::always_inline]] inline std::unexpected<Error> FailErrno(const Parts&... parts) {
    return internal::FailErrno(internal::PartKinds<Parts...>(), internal::AddressOf(parts)...);
}

}  // namespace husk

// Returns the error of a Status or Result from the enclosing function, with context in front.
#define HUSK_TRY(expression)                                            \
    do {                                                                \
        if (auto husk_status = (expression); !husk_status) [[unlikely]] \
            return std::unexpected(std::move(husk_status).error());     \
    } while (false)
#define HUSK_TRY_WRAP(expression, ...)                                                \
    do {                                                                              \
        if (auto husk_status = (expression); !husk_status) [[unlikely]]               \
            return std::unexpected(std::move(husk_status).error().Wrap(__VA_ARGS__)); \
    } while (false)
