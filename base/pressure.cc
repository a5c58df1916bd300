#include "base/pressure.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/text.h"

namespace husk {
namespace {

// "12.34" as 1234.
uint32_t Hundredths(std::string_view text) {
    const auto dot = text.find('.');
    const auto whole = ParseUnsigned(text.substr(0, dot));
    uint64_t part = 0;
    if (dot != text.npos) {
        std::string digits(text.substr(dot + 1, 2));
        digits.resize(2, '0');
        part = ParseUnsigned(digits).value_or(0);
    }
    return static_cast<uint32_t>(std::min<uint64_t>(whole.value_or(0), 1000) * 100 + part);
}

// What stands behind "key=" among the words.
std::string_view ValueOf(const std::vector<std::string_view>& words, std::string_view key) {
    for (auto word : words)
        if (word.size() > key.size() && word[key.size()] == '=' && word.starts_with(key))
            return word.substr(key.size() + 1);
    return {};
}

}  // namespace

Pressure ParsePressure(std::string_view text) {
    Pressure pressure;
    for (auto line : Split(text, '\n')) {
        const auto words = SplitWords(line);
        if (words.size() < 5) continue;
        auto& part = words[0] == "some" ? pressure.some : pressure.full;
        if (words[0] != "some" && words[0] != "full") continue;
        part = Pressure::Line{.avg10 = Hundredths(ValueOf(words, "avg10")),
                              .avg60 = Hundredths(ValueOf(words, "avg60")),
                              .avg300 = Hundredths(ValueOf(words, "avg300")),
                              .total = ParseUnsigned(ValueOf(words, "total")).value_or(0)};
    }
    return pressure;
}

IoCounts ParseIoStat(std::string_view text) {
    IoCounts sum;
    for (auto line : Split(text, '\n')) {
        const auto words = SplitWords(line);
        sum.read_bytes += ParseUnsigned(ValueOf(words, "rbytes")).value_or(0);
        sum.written_bytes += ParseUnsigned(ValueOf(words, "wbytes")).value_or(0);
        sum.reads += ParseUnsigned(ValueOf(words, "rios")).value_or(0);
        sum.writes += ParseUnsigned(ValueOf(words, "wios")).value_or(0);
    }
    return sum;
}

}  // namespace husk
