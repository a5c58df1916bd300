// Small pure helpers on text.
#pragma once

#include <cstdarg>
#include <cstdint>

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/time.h"

namespace husk {

// All parts in one string.
std::string Concatenate(std::initializer_list<std::string_view> parts);

namespace internal {
// What Cat() is given, as it lies in memory. Two bits for each part, the first in the lowest; 0
// ends.
enum PartKind : unsigned { kNoPart, kChars, kString, kView };
std::string Concatenate(unsigned kinds, ...);
std::string ConcatenateParts(unsigned kinds, va_list parts);

// As Text of base/rare.h.
template <typename Part>
concept HoldsString = requires(const Part& part) {
    part.operator const std::string&();
};

template <typename Part>
constexpr PartKind kPartKind = std::is_same_v<Part, std::string>        ? kString
                               : HoldsString<Part>                      ? kString
                               : std::is_same_v<Part, std::string_view> ? kView
                                                                        : kChars;
template <typename... Parts>
constexpr unsigned PartKinds() {
    static_assert(sizeof...(Parts) <= 16, "that many kinds fit");
    unsigned kinds = 0, shift = 0;
    ((kinds |= kPartKind<Parts> << shift, shift += 2), ...);
    return kinds;
}
template <typename Part>
constexpr const void* AddressOf(const Part& part) {
    if constexpr (kPartKind<Part> == kChars)
        return static_cast<const char*>(part);
    else if constexpr (HoldsString<Part>)
        return &static_cast<const std::string&>(part);
    else
        return &part;
}
}  // namespace internal

// The same for strings, views and characters up to a NUL; the plain way to build a message. There
// are over a thousand calls, each with other types: by address, a part is one instruction, and
// nothing is compiled for the types.
template <typename... Parts>
[[gnu::always_inline]] inline std::string Cat(const Parts&... parts) {
    return internal::Concatenate(internal::PartKinds<Parts...>(), internal::AddressOf(parts)...);
}

// A byte as \xNN.
std::string EscapedByte(char byte);
// 'text', with what would disturb a terminal (see PlainLength()) shown as \xNN.
std::string Quote(std::string_view text);

// Without leading and trailing blanks and tabs.
std::string_view Trim(std::string_view text);
// Parts between separators; empty parts are kept.
std::vector<std::string_view> Split(std::string_view text, char separator);
// Parts between runs of blanks and tabs; no empty ones.
std::vector<std::string_view> SplitWords(std::string_view text);
std::string Join(const std::vector<std::string>& parts, std::string_view separator);

// Decimal, whole text, no sign for the unsigned form; nothing where it does not fit.
std::optional<uint64_t> ParseUnsigned(std::string_view text);
std::optional<int64_t> ParseSigned(std::string_view text);

// Levenshtein distance, case ignored: for "did you mean".
size_t EditDistance(std::string_view a, std::string_view b);
// The nearest candidate that is near enough to be meant, or nothing.
std::optional<std::string_view> Nearest(std::string_view word,
                                        const std::vector<std::string_view>& candidates);

// "64.0M", "512B", base 1024.
std::string FormatBytes(uint64_t bytes);
// "150ms", "4.2s", "2min 5s", "3h 12min", "infinity": as systemd writes spans, two parts at most.
std::string FormatDuration(Duration span);
// "2026-11-22 05:10:06" in UTC.
std::string FormatRealtime(int64_t nanoseconds_since_1970);
// "SIGTERM", "SIGRTMIN+3", or the number.
std::string SignalName(int signal);
// With or without SIG; a number too.
std::optional<int> ParseSignal(std::string_view text);

}  // namespace husk
