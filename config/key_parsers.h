// The parsers that the key tables are made of. Only for the tables (config/keys_*.cc).
#pragma once

#include <concepts>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/text.h"
#include "config/container_values.h"
#include "config/keys.h"
#include "config/limits.h"

namespace husk::config {

// Calls a value parser, with the specifiers where it asks for them.
template <auto Parse, typename Target>
auto Parsed(std::string_view text, const KeyInput<Target>& input) {
    if constexpr (std::is_invocable_v<decltype(Parse), std::string_view>)
        return Parse(text);
    else
        return Parse(text, input.specifiers);
}

// A value into one member; a member of an optional type takes the plain value.
template <auto Section, auto Member, auto Parse>
Outcome Set(Unit& unit, const UnitInput& input) {
    auto& field = unit.*Section.*Member;
    if (input.text.empty()) {
        field = input.defaults.*Section.*Member;
        return {};
    }
    auto value = Parsed<Parse>(input.text, input);
    if (!value) return std::unexpected(std::move(value).error());
    field = std::move(*value);
    return {};
}

// A word of a fixed set into an enum.
template <auto Section, auto Member, const auto& Choices>
Outcome SetChoice(Unit& unit, const UnitInput& input) {
    auto& field = unit.*Section.*Member;
    if (input.text.empty()) {
        field = input.defaults.*Section.*Member;
        return {};
    }
    auto value = ParseChoice(input.text, Choices);
    if (!value) return std::unexpected(std::move(value).error());
    field = static_cast<std::remove_reference_t<decltype(field)>>(*value);
    return {};
}

// A value that is looked at and not kept: of keys that are not supported yet.
template <auto Parse, typename Target = Unit>
Outcome Check(Target&, const KeyInput<Target>& input) {
    if (input.text.empty()) return {};
    auto value = Parsed<Parse>(input.text, input);
    if (!value) return std::unexpected(std::move(value).error());
    return {};
}

template <auto Parse>
constexpr auto kCheck = &Check<Parse, Unit>;

template <typename Target>
constexpr KeyCode<Target> Later(Outcome (*parse)(Target&, const KeyInput<Target>&)) {
    KeyCode<Target> code(parse);
    code.later = true;
    return code;
}

template <typename Target>
constexpr KeyCode<Target> Live(Outcome (*parse)(Target&, const KeyInput<Target>&)) {
    KeyCode<Target> code(parse);
    code.live = true;
    return code;
}

// A word of a fixed set.
template <const auto& Choices>
Value<int> Word(std::string_view text) {
    return ParseChoice(text, Choices);
}

template <int64_t Least, int64_t Most>
Value<int> Between(std::string_view text) {
    auto number = ParseRange(text, Least, Most);
    if (!number) return std::unexpected(std::move(number).error());
    return static_cast<int>(*number);
}

// Text after specifiers, through a further parser of plain text.
template <auto Parse>
auto Expanded(std::string_view text, const Specifiers& specifiers)
    -> decltype(Parse(std::string_view())) {
    auto expanded = ExpandSpecifiers(text, specifiers);
    if (!expanded) return std::unexpected(std::move(expanded).error());
    return Parse(*expanded);
}

inline Value<Duration> ParseAnySpan(std::string_view text) { return ParseSpan(text); }
inline Value<std::string> AnyText(std::string_view text) { return std::string(text); }

inline Outcome CheckCount(size_t items) {
    if (items <= kMaxListItems) return {};
    return Bad(Cat("list of ", std::to_string(items), " items"),
               Cat("at most ", std::to_string(kMaxListItems)));
}

// Appends what Parse makes of the whole value: one item, or a vector of them.
template <auto Section, auto Member, auto Parse>
Outcome Append(Unit& unit, const UnitInput& input) {
    auto& list = unit.*Section.*Member;
    if (input.text.empty()) {
        list.clear();
        return {};
    }
    auto value = Parsed<Parse>(input.text, input);
    if (!value) return std::unexpected(std::move(value).error());
    if constexpr (requires { list.push_back(std::move(*value)); }) {
        if constexpr (requires { value->at = input.at; }) value->at = input.at;
        list.push_back(std::move(*value));
    } else {
        list.insert(list.end(), std::make_move_iterator(value->begin()),
                    std::make_move_iterator(value->end()));
    }
    return CheckCount(list.size());
}

// `text` with `instead` in place of the word `index` (empty: without it); nothing where quotes,
// escapes or specifiers may make other words than the blanks do.
std::optional<std::string> ReplaceWord(std::string_view text, size_t index,
                                       std::string_view instead);

// The words of a value (quotes and specifiers as ever), each through Parse.
template <auto Parse>
Value<std::vector<std::string>> EachWord(std::string_view text, const Specifiers& specifiers) {
    auto words = ExpandedWords(text, specifiers);
    if (!words) return words;
    for (size_t i = 0; i < words->size(); ++i) {
        auto value = Parse((*words)[i]);
        if (!value) {
            BadValue bad = std::move(value).error();
            if (bad.instead) bad.instead = ReplaceWord(text, i, *bad.instead);
            return std::unexpected(std::move(bad));
        }
        (*words)[i] = std::move(*value);
    }
    return words;
}

}  // namespace husk::config
