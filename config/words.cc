#include "config/words.h"

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "config/escapes.h"
#include "config/limits.h"

namespace husk::config {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

std::string Unescaped(std::string_view text) {
    // systemd's unit_name_path_unescape: '-' is '/', \xNN a byte. Unit names hold no backslash
    // here.
    std::string out(text);
    std::replace(out.begin(), out.end(), '-', '/');
    return out;
}

std::optional<std::string_view> Lookup(const std::vector<std::string>& environment,
                                       std::string_view name) {
    for (const std::string& entry : environment)
        if (entry.size() > name.size() && entry[name.size()] == '=' && entry.starts_with(name))
            return std::string_view(entry).substr(name.size() + 1);
    return std::nullopt;
}

}  // namespace

Value<std::vector<std::string>> SplitQuoted(std::string_view text) {
    std::vector<std::string> words;
    std::string word;
    bool in_word = false;
    char quote = 0;
    while (!text.empty()) {
        const char c = text[0];
        text.remove_prefix(1);
        if (quote == 0 && IsBlank(c)) {
            if (in_word) words.push_back(std::move(word));
            if (words.size() > kMaxListItems)
                return Bad(Cat("over ", std::to_string(kMaxListItems), " words"),
                           "a line holds no more; repeat a list key");
            word.clear();
            in_word = false;
            continue;
        }
        in_word = true;
        if (c == '\\') {
            HUSK_TRY_VALUE(TakeEscape(text, word));
        } else if (quote == 0 && (c == '\'' || c == '"')) {
            quote = c;
        } else if (quote != 0 && c == quote) {
            quote = 0;
        } else {
            word += c;
        }
    }
    if (quote != 0)
        return Bad(
            Cat("quote ", std::string(1, quote), " is not closed"),
            Cat("close it, or write \\", std::string(1, quote), " for the character itself"));
    if (in_word) words.push_back(std::move(word));
    words.shrink_to_fit();  // most of them are kept
    return words;
}

Value<std::string> ExpandSpecifiers(std::string_view text, const Specifiers& specifiers) {
    const std::string_view unit = specifiers.unit;
    const size_t at = unit.find('@');
    const std::string_view prefix = unit.substr(0, at);
    const std::string_view instance = at == unit.npos ? std::string_view() : unit.substr(at + 1);
    std::string out;
    while (!text.empty()) {
        const size_t percent = text.find('%');
        out += text.substr(0, percent);
        if (percent == text.npos) break;
        const std::string_view specifier = text.substr(percent, 2);
        text.remove_prefix(percent + specifier.size());
        auto known = [&](std::string_view fact) -> Outcome {
            if (fact.empty())
                return Bad(Cat("specifier '", specifier, "' is not known on this device"));
            out += fact;
            return {};
        };
        switch (specifier.size() == 2 ? specifier[1] : 0) {
            case '%': out += '%'; break;
            case 'n': out += Cat(unit, ".container"); break;
            case 'N': out += unit; break;
            case 'p': out += prefix; break;
            case 'i': out += instance; break;
            case 'I': out += Unescaped(instance); break;
            case 'H': HUSK_TRY_VALUE(known(specifiers.host.host_name)); break;
            case 'm': HUSK_TRY_VALUE(known(specifiers.host.machine_id)); break;
            case 'b': HUSK_TRY_VALUE(known(specifiers.host.boot_id)); break;
            case 'v': HUSK_TRY_VALUE(known(specifiers.host.kernel_release)); break;
            case 't': out += "/run"; break;
            case 'S': out += "/var/lib"; break;
            case 'C': out += "/var/cache"; break;
            case 'L': out += "/var/log"; break;
            case 'E': out += "/etc"; break;
            default:
                return Bad(
                    Cat("unknown specifier ", Quote(specifier)),
                    "%n %N %p %i %I %H %m %b %v %t %S %C %L %E; for a percent sign write %%");
        }
    }
    return out;
}

Value<std::vector<std::string>> ExpandedWords(std::string_view text, const Specifiers& specifiers) {
    auto words = SplitQuoted(text);
    if (!words) return words;
    for (std::string& word : *words) {
        auto expanded = ExpandSpecifiers(word, specifiers);
        if (!expanded) return std::unexpected(std::move(expanded).error());
        word = std::move(*expanded);
    }
    return words;
}

bool IsVariableName(std::string_view name) {
    auto letter = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    };
    return !name.empty() && letter(name[0]) && std::all_of(name.begin(), name.end(), [&](char c) {
        return letter(c) || (c >= '0' && c <= '9');
    });
}

Value<std::vector<std::string>> ParseAssignments(std::string_view text,
                                                 const Specifiers& specifiers) {
    auto words = ExpandedWords(text, specifiers);
    if (!words) return words;
    for (const std::string& word : *words) {
        const size_t equals = word.find('=');
        if (equals == word.npos)
            return Bad(
                Cat(Quote(word), " has no '='"),
                "NAME=VALUE; quote the whole of it where the value has blanks: \"NAME=a b\"");
        if (!IsVariableName(std::string_view(word).substr(0, equals)))
            return Bad(Cat(Quote(word.substr(0, equals)), " cannot name a variable"),
                       "letters, digits and '_', not beginning with a digit");
    }
    return words;
}

std::vector<std::string> ExpandVariables(const std::vector<std::string>& command,
                                         const std::vector<std::string>& environment,
                                         std::vector<std::string>& missing) {
    auto value_of = [&](std::string_view name) {
        auto value = Lookup(environment, name);
        if (!value) missing.emplace_back(name);
        return value.value_or(std::string_view());
    };
    std::vector<std::string> out;
    out.reserve(command.size());
    for (std::string_view word : command) {
        if (word.size() > 1 && word[0] == '$' && IsVariableName(word.substr(1))) {
            const std::string_view value = value_of(word.substr(1));
            // Quotes in the value hold; where they do not close, its blanks alone split.
            if (auto words = SplitQuoted(value)) {
                out.insert(out.end(), words->begin(), words->end());
            } else {
                for (std::string_view part : SplitWords(value)) out.emplace_back(part);
            }
            continue;
        }
        std::string text;
        while (!word.empty()) {
            const size_t dollar = word.find('$');
            text += word.substr(0, dollar);
            if (dollar == word.npos) break;
            word.remove_prefix(dollar);
            const size_t close = word.find('}');
            if (word.starts_with("$$")) {
                text += '$';
                word.remove_prefix(2);
            } else if (word.starts_with("${") && close != word.npos &&
                       IsVariableName(word.substr(2, close - 2))) {
                text += value_of(word.substr(2, close - 2));
                word.remove_prefix(close + 1);
            } else {
                text += '$';
                word.remove_prefix(1);
            }
        }
        out.push_back(std::move(text));
    }
    return out;
}

}  // namespace husk::config
