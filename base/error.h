// An error that carries errno and a chain of context, and the result type that everything which
// can fail returns.
//
// Contract: errno is taken where the call failed (Error::FromErrno does it), context is put in
// front on the way up (Error::Wrap), and the top of the program logs once. Texts begin in lower
// case, name their object in single quotes and say what to do where a person can do something:
//     unit 'web': mount 'tmpfs' on '/tmp': No space left on device
#pragma once

#include <cerrno>

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace husk {

class [[nodiscard]] Error {
  public:
    // A refusal of our own, without an errno.
    static Error Because(std::string text) { return Error(0, std::move(text)); }
    // The failure of a system call: `what` is "verb 'object'"; takes errno at once.
    static Error FromErrno(std::string what) { return FromErrno(errno, std::move(what)); }
    static Error FromErrno(int code, std::string what);

    // The same error with "context: " in front.
    Error Wrap(std::string_view context) &&;

    // 0 where no system call failed.
    int code() const { return code_; }
    const std::string& text() const { return text_; }

  private:
    Error(int code, std::string text) : code_(code), text_(std::move(text)) {}

    int code_;
    std::string text_;
};

template <typename T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

inline std::unexpected<Error> Fail(Error error) { return std::unexpected(std::move(error)); }
inline std::unexpected<Error> Fail(std::string text) {
    return std::unexpected(Error::Because(std::move(text)));
}
// errno is read before `what` may be moved, so this is safe with a temporary.
inline std::unexpected<Error> FailErrno(std::string what) {
    return std::unexpected(Error::FromErrno(std::move(what)));
}

}  // namespace husk

// Returns the error of a Status or Result from the enclosing function, with context in front.
#define HUSK_TRY(expression)                                            \
    do {                                                                \
        if (auto husk_status = (expression); !husk_status) [[unlikely]] \
            return std::unexpected(std::move(husk_status).error());     \
    } while (false)
#define HUSK_TRY_WRAP(expression, context)                                        \
    do {                                                                          \
        if (auto husk_status = (expression); !husk_status) [[unlikely]]           \
            return std::unexpected(std::move(husk_status).error().Wrap(context)); \
    } while (false)
