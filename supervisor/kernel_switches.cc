#include "supervisor/kernel_switches.h"

#include <algorithm>

#include "base/text.h"

namespace husk::supervisor {

namespace {

std::vector<std::string_view> Words(std::string_view command_line) {
    return SplitWords(command_line.substr(0, command_line.find('\n')));
}

}  // namespace

bool WantsRescue(std::string_view command_line) {
    const auto words = Words(command_line);
    return std::ranges::find(words, std::string_view(kRescueSwitch)) != words.end();
}

std::vector<std::string> MaskedUnits(std::string_view command_line) {
    constexpr std::string_view kSuffix = ".container";
    std::vector<std::string> names;
    for (std::string_view word : Words(command_line)) {
        if (!word.starts_with(kMaskSwitch)) continue;
        word.remove_prefix(std::string_view(kMaskSwitch).size());
        for (std::string_view name : Split(word, ',')) {
            if (name.ends_with(kSuffix)) name.remove_suffix(kSuffix.size());
            if (!name.empty() && std::ranges::find(names, name) == names.end())
                names.emplace_back(name);
        }
    }
    return names;
}

}  // namespace husk::supervisor
