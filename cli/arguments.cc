#include "cli/arguments.h"

#include <utility>

#include "base/text.h"

namespace husk::cli {
namespace {

const Option* ByLetter(std::span<const Option> known, char letter) {
    for (const auto& option : known)
        if (option.letter == letter) return &option;
    return nullptr;
}

const Option* ByName(std::span<const Option> known, std::string_view name) {
    for (const auto& option : known)
        if (option.name == name) return &option;
    return nullptr;
}

Error Unknown(std::span<const Option> known, std::string_view name) {
    std::vector<std::string_view> names;
    for (const auto& option : known) names.push_back(option.name);
    std::string text = Cat("unknown option ", Quote(Cat("--", name)));
    if (auto nearest = Nearest(name, names)) text += Cat(" (did you mean '--", *nearest, "'?)");
    return Error::Because(text);
}

// Takes the words one by one; `next` is the one behind the current.
class Parser {
  public:
    Parser(std::span<const Option> known, std::span<char* const> words, bool options_first)
        : known_(known), words_(words), options_first_(options_first) {}

    Result<Arguments> Parse() {
        bool only_operands = false;
        while (next_ < words_.size()) {
            const std::string_view word = words_[next_++];
            if (only_operands || word == "-" || !word.starts_with('-')) {
                out_.operands.emplace_back(word);
                only_operands |= options_first_;
            } else if (word == "--") {
                only_operands = true;
            } else if (word.starts_with("--")) {
                HUSK_TRY(Long(word.substr(2)));
            } else {
                HUSK_TRY(Letters(word.substr(1)));
            }
        }
        return std::move(out_);
    }

  private:
    Status Long(std::string_view word) {
        const size_t equals = word.find('=');
        const Option* option = ByName(known_, word.substr(0, equals));
        if (option == nullptr) return Fail(Unknown(known_, word.substr(0, equals)));
        std::optional<std::string_view> value;
        if (equals != std::string_view::npos) value = word.substr(equals + 1);
        if (value && option->argument == nullptr)
            return Fail("option '--", option->name, "' takes no value");
        return Take(*option, value);
    }

    Status Letters(std::string_view letters) {
        while (!letters.empty()) {
            const Option* option = ByLetter(known_, letters[0]);
            if (option == nullptr)
                return Fail("unknown option ", Quote(Cat("-", letters.substr(0, 1))));
            letters.remove_prefix(1);
            if (option->argument == nullptr) {
                HUSK_TRY(Take(*option, std::nullopt));
                continue;
            }
            std::optional<std::string_view> value;
            if (!letters.empty()) value = letters;
            return Take(*option, value);
        }
        return {};
    }

    Status Take(const Option& option, std::optional<std::string_view> value) {
        if (option.argument != nullptr && !value) {
            if (next_ == words_.size())
                return Fail("option '--", option.name, "' wants a value: ", option.argument);
            value = words_[next_++];
        }
        out_.options[option.name] = value.value_or("");
        out_.in_order.emplace_back(option.name, value.value_or(""));
        return {};
    }

    std::span<const Option> known_;
    std::span<char* const> words_;
    bool options_first_;
    size_t next_ = 0;
    Arguments out_;
};

}  // namespace

std::optional<std::string> Arguments::Get(std::string_view name) const {
    auto at = options.find(name);
    if (at == options.end()) return std::nullopt;
    return at->second;
}

Result<Arguments> ParseArguments(std::span<const Option> known, std::span<char* const> words,
                                 bool options_first) {
    return Parser(known, words, options_first).Parse();
}

}  // namespace husk::cli
