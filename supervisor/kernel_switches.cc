#include "supervisor/kernel_switches.h"

#include <algorithm>

#include "base/text.h"

namespace husk::supervisor {

std::vector<std::string> MaskedUnits(std::string_view command_line) {
    constexpr std::string_view kSuffix = ".container";
    std::vector<std::string> names;
    for (std::string_view word : SplitWords(command_line.substr(0, command_line.find('\n')))) {
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
