// Typed values from text: pure, each with an error that says what would be right.
#pragma once

#include <cstdint>

#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "config/unit.h"

namespace husk::config {

// Text says what is wrong ("'12X' is not a size"), hint what to write.
struct BadValueText {
    std::string text;
    std::string hint;
    // The whole value as it should be, where just one is right; empty: the line should go.
    std::optional<std::string> instead = {};
};
struct DropBadValue {
    void operator()(BadValueText* text) const;
};
// By a pointer: every reader of a value hands one on, which is to be a few instructions.
using BadValue = std::unique_ptr<BadValueText, DropBadValue>;

template <typename T>
using Value = std::expected<T, BadValue>;
using Outcome = Value<void>;

// Out of line: there are well over a hundred calls, all of them on the way to a refusal. Nearly all
// hints are literals, and a pointer takes least code to pass.
[[gnu::cold]] std::unexpected<BadValue> Bad(std::string text, const char* hint = "");
[[gnu::cold]] std::unexpected<BadValue> Bad(std::string text, std::string hint);

// Returns the BadValue of an expression from the enclosing function.
#define HUSK_TRY_VALUE(expression)                                    \
    do {                                                              \
        if (auto husk_value = (expression); !husk_value) [[unlikely]] \
            return std::unexpected(std::move(husk_value).error());    \
    } while (false)

// One word of a fixed set. A word with a refusal is known but not taken; the refusal says why.
struct Choice {
    const char* name;
    int value = 0;
    const char* refusal = nullptr;
    const char* instead = nullptr;  // the word to write, where just one is right
};
Value<int> ParseChoice(std::string_view text, std::span<const Choice> choices);

// yes, no and systemd's other spellings.
Value<bool> ParseBoolean(std::string_view text);
// "1min 30s", "1.5h", a bare number in `bare` units, "infinity" (kInfinite).
Value<Duration> ParseSpan(std::string_view text, Duration bare = std::chrono::seconds(1));
// The same without "infinity".
Value<Duration> ParseFiniteSpan(std::string_view text);
// A span in which 0 too means for ever, as in systemd's Timeout…Sec=.
Value<Duration> ParseTimeout(std::string_view text);
// Whole seconds, as Podman's StopTimeout= takes them.
Value<Duration> ParseWholeSeconds(std::string_view text);
// "512M", "1.5G", base 1024.
Value<uint64_t> ParseSize(std::string_view text);
Value<uint64_t> ParsePositiveSize(std::string_view text);
// A size, "infinity" or a share "12.5%".
Value<MemoryLimit> ParseMemoryLimit(std::string_view text);
// The same, and zero is refused: a container without memory cannot start.
Value<MemoryLimit> ParseMemoryCeiling(std::string_view text);
// "12.5%" in hundredths of a percent; nothing where it is no share with at most two decimals.
std::optional<uint64_t> ParseShare(std::string_view text);
Value<int64_t> ParseRange(std::string_view text, int64_t least, int64_t most);
Value<unsigned> ParseFileMode(std::string_view text);
Value<int> ParseSignalValue(std::string_view text);
// Absolute and normalised: no "..", no doubled or trailing '/'.
Value<std::string> ParsePath(std::string_view text);
// True for `folder` and everything below it; both normalised.
bool IsBelow(std::string_view path, std::string_view folder);

// A user or group: a name or a number.
Value<std::string> ParseUserName(std::string_view text);
Value<std::string> ParseHostName(std::string_view text);
// Letters, digits and ". _ - @ :", begins with a letter, a digit or '_', at most 100 bytes.
bool IsUnitName(std::string_view name);
// "web", "web.container" or "web.service", all of them the unit "web".
Value<std::string> ParseUnitReference(std::string_view text);
// No unit, and the one target that After=, Wants= and Requires= may name.
inline constexpr std::string_view kOnlineTarget = "network-online.target";
// Whether it is a target of systemd's that has been reached before husk starts any unit, so that
// After= of it holds by itself.
bool HoldsBeforeUnits(std::string_view reference);

}  // namespace husk::config
