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

// How the text of a value becomes a T. Parser and member are data of a row, so that the code which
// brings them together is there once for a type and not once for a key.
template <typename T>
struct Parser {
    Value<T> (*plain)(std::string_view) = nullptr;
    Value<T> (*full)(std::string_view, const Specifiers&) = nullptr;
    bool expands = false;  // KeyCode::expands

    Value<T> operator()(const KeyInput& input) const {
        return full != nullptr ? full(input.text, input.specifiers) : plain(input.text);
    }
};

template <typename T>
constexpr Parser<T> ParserOf(Value<T> (*plain)(std::string_view)) {
    return {.plain = plain};
}
template <typename T>
constexpr Parser<T> ParserOf(Value<T> (*full)(std::string_view, const Specifiers&)) {
    return {.full = full};
}

// Text after specifiers, through a further parser of plain text.
template <auto Plain>
struct ExpandedTo {};
template <auto Plain>
constexpr ExpandedTo<Plain> Expanded;
template <auto Plain>
constexpr auto ParserOf(ExpandedTo<Plain>) {
    auto parser = ParserOf(Plain);
    parser.expands = true;
    return parser;
}

template <auto Parse>
constexpr auto kParser = ParserOf(Parse);

template <typename Target, typename Field>
Target TargetOf(Field Target::*member);

// The member at the end of a path of members, as in &Unit::service, &ServiceSection::nice.
template <auto First, auto... Rest>
auto& FieldOf(void* target) {
    using Target = decltype(TargetOf(First));
    return ((static_cast<Target*>(target)->*First).*....*Rest);
}

template <typename Field, typename T>
struct Setting {
    Parser<T> parse;
    Field& (*field)(void* target);
};
template <typename Field, typename T>
constexpr Setting<Field, T> SettingOf(Field& (*field)(void*), Parser<T> parse) {
    return {parse, field};
}
template <auto Parse, auto... Path>
constexpr auto kSetting = SettingOf(FieldOf<Path...>, kParser<Parse>);

// The member's value before any file. The accessor writes nothing; it is one for both.
template <typename Field>
const Field& DefaultOf(Field& (*field)(void*), const KeyInput& input) {
    return field(const_cast<void*>(input.defaults));
}

template <typename Field, typename T>
Outcome ApplySetting(const void* how, void* target, const KeyInput& input) {
    const auto& setting = *static_cast<const Setting<Field, T>*>(how);
    Field& field = setting.field(target);
    if (input.resets) {
        field = DefaultOf(setting.field, input);
        return {};
    }
    auto value = setting.parse(input);
    if (!value) return std::unexpected(std::move(value).error());
    field = std::move(*value);
    return {};
}

template <typename Field, typename T>
constexpr KeyCode SetBy(const Setting<Field, T>& setting) {
    return {ApplySetting<Field, T>, &setting, setting.parse.expands};
}
// A value into one member; a member of an optional type takes the plain value.
template <auto Parse, auto... Path>
constexpr KeyCode kSetPath = SetBy(kSetting<Parse, Path...>);

// A word of a fixed set into an enum.
struct ChoiceSetting {
    std::span<const Choice> choices;
    void (*store)(void* target, int value);
    int (*load)(const void* target);
};
template <auto Section, auto Member>
void StoreChoice(void* target, int value) {
    auto& field = FieldOf<Section, Member>(target);
    field = static_cast<std::remove_reference_t<decltype(field)>>(value);
}
template <auto Section, auto Member>
int LoadChoice(const void* target) {
    return static_cast<int>(FieldOf<Section, Member>(const_cast<void*>(target)));
}
Outcome ApplyChoice(const void* how, void* target, const KeyInput& input);

template <auto Section, auto Member, const auto& Choices>
constexpr ChoiceSetting kChoiceSetting = {Choices, StoreChoice<Section, Member>,
                                          LoadChoice<Section, Member>};
template <auto Section, auto Member, const auto& Choices>
constexpr KeyCode kSetChoicePath = {ApplyChoice, &kChoiceSetting<Section, Member, Choices>};

// A value that is looked at and not kept: of keys that are not supported yet.
template <typename T>
Outcome ApplyCheck(const void* how, void*, const KeyInput& input) {
    if (input.resets) return {};
    auto value = (*static_cast<const Parser<T>*>(how))(input);
    if (!value) return std::unexpected(std::move(value).error());
    return {};
}
template <typename T>
constexpr KeyCode CheckBy(const Parser<T>& parser) {
    return {ApplyCheck<T>, &parser, parser.expands};
}
template <auto Parse>
constexpr KeyCode kCheck = CheckBy(kParser<Parse>);

// A key with code of its own, a function of the target and the input.
template <typename Target>
Target TargetOf(Outcome (*function)(Target&, const KeyInput&));
template <auto Function>
Outcome ApplyOwn(const void*, void* target, const KeyInput& input) {
    return Function(*static_cast<decltype(TargetOf(Function))*>(target), input);
}
template <auto Function>
constexpr KeyCode kOwn = {ApplyOwn<Function>};

constexpr KeyCode Later(KeyCode code) {
    code.later = true;
    return code;
}

constexpr KeyCode Live(KeyCode code) {
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

inline Value<Duration> ParseAnySpan(std::string_view text) { return ParseSpan(text); }
inline Value<std::string> AnyText(std::string_view text) { return std::string(text); }

Outcome CheckCount(size_t items);

template <typename Field, typename T>
Outcome ApplyAppend(const void* how, void* target, const KeyInput& input) {
    const auto& setting = *static_cast<const Setting<Field, T>*>(how);
    Field& list = setting.field(target);
    if (input.resets) {
        list.clear();
        return {};
    }
    auto value = setting.parse(input);
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
template <typename Field, typename T>
constexpr KeyCode AppendBy(const Setting<Field, T>& setting) {
    return {ApplyAppend<Field, T>, &setting, setting.parse.expands};
}
// Appends what Parse makes of the whole value: one item, or a vector of them.
template <auto Parse, auto... Path>
constexpr KeyCode kAppendPath = AppendBy(kSetting<Parse, Path...>);

// For lists that say where each item stands.
template <auto Parse>
auto WithPlace(std::string_view text)
    -> Value<Placed<typename decltype(Parse(std::string_view()))::value_type>> {
    auto value = Parse(text);
    if (!value) return std::unexpected(std::move(value).error());
    return Placed<typename decltype(value)::value_type>{.value = std::move(*value)};
}

// A key of system.conf that is about the last of several, which a key before it has begun, as
// Link= does: `Inner` has that one for its target.
template <typename Group>
Outcome ApplyInGroup(std::vector<Group>& groups, const KeyCode& inner, const char* begins,
                     const KeyInput& input) {
    if (groups.empty())
        return Bad(Cat("it stands before any ", begins, "="),
                   Cat("write ", begins, "= in front of it, with what it is for"));
    static const Group kDefaults{};
    KeyInput of_group = input;
    of_group.defaults = &kDefaults;
    return inner.apply(inner.how, &groups.back(), of_group);
}
template <auto Groups, const auto& Begins, const KeyCode& Inner>
Outcome InGroup(SystemConfig& system, const KeyInput& input) {
    return ApplyInGroup(system.*Groups, Inner, Begins, input);
}
template <auto Groups, const auto& Begins, const KeyCode& Inner>
constexpr KeyCode kInGroup = {ApplyOwn<InGroup<Groups, Begins, Inner>>, nullptr, Inner.expands};

// `text` with `instead` in place of the word `index` (empty: without it); nothing where quotes,
// escapes or specifiers may make other words than the blanks do.
std::optional<std::string> ReplaceWord(std::string_view text, size_t index,
                                       std::string_view instead);

// The words of a value (quotes and specifiers as ever), each through `parse`.
Value<std::vector<std::string>> ParseEach(std::string_view text, const Specifiers& specifiers,
                                          Value<std::string> (*parse)(std::string_view));
template <auto Parse>
Value<std::vector<std::string>> EachWord(std::string_view text, const Specifiers& specifiers) {
    return ParseEach(text, specifiers, Parse);
}

}  // namespace husk::config
