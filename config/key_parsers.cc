#include "config/key_parsers.h"

namespace husk::config {

Outcome ApplyChoice(const void* how, void* target, const KeyInput& input) {
    const auto& setting = *static_cast<const ChoiceSetting*>(how);
    if (input.resets) {
        setting.store(target, setting.load(input.defaults));
        return {};
    }
    auto value = ParseChoice(input.text, setting.choices);
    if (!value) return std::unexpected(std::move(value).error());
    setting.store(target, *value);
    return {};
}

Outcome CheckCount(size_t items) {
    if (items <= kMaxListItems) return {};
    return Bad(Cat("list of ", std::to_string(items), " items"),
               Cat("at most ", std::to_string(kMaxListItems)));
}

Value<std::vector<std::string>> ParseEach(std::string_view text, const Specifiers& specifiers,
                                          Value<std::string> (*parse)(std::string_view)) {
    auto words = ExpandedWords(text, specifiers);
    if (!words) return words;
    for (size_t i = 0; i < words->size(); ++i) {
        auto value = parse((*words)[i]);
        if (!value) {
            BadValue bad = std::move(value).error();
            if (bad->instead) bad->instead = ReplaceWord(text, i, *bad->instead);
            return std::unexpected(std::move(bad));
        }
        (*words)[i] = std::move(*value);
    }
    return words;
}

}  // namespace husk::config
