#include "config/escapes.h"

#include <optional>

#include "base/text.h"

namespace husk::config {
namespace {

std::optional<unsigned> DigitValue(char c, unsigned base) {
    unsigned value = base;
    if (c >= '0' && c <= '9') value = static_cast<unsigned>(c - '0');
    if (c >= 'a' && c <= 'f') value = static_cast<unsigned>(c - 'a') + 10;
    if (c >= 'A' && c <= 'F') value = static_cast<unsigned>(c - 'A') + 10;
    if (value >= base) return std::nullopt;
    return value;
}

// `count` digits from the front of `text`.
std::optional<unsigned> TakeDigits(std::string_view& text, size_t count, unsigned base) {
    if (text.size() < count) return std::nullopt;
    unsigned value = 0;
    for (size_t i = 0; i < count; ++i) {
        auto digit = DigitValue(text[i], base);
        if (!digit) return std::nullopt;
        value = value * base + *digit;
    }
    text.remove_prefix(count);
    return value;
}

void AppendUtf8(std::string& out, unsigned code) {
    auto byte = [&](unsigned value) { out += static_cast<char>(value); };
    if (code < 0x80) {
        byte(code);
    } else if (code < 0x800) {
        byte(0xc0 | code >> 6);
        byte(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        byte(0xe0 | code >> 12);
        byte(0x80 | (code >> 6 & 0x3f));
        byte(0x80 | (code & 0x3f));
    } else {
        byte(0xf0 | code >> 18);
        byte(0x80 | (code >> 12 & 0x3f));
        byte(0x80 | (code >> 6 & 0x3f));
        byte(0x80 | (code & 0x3f));
    }
}

}  // namespace

Outcome TakeEscape(std::string_view& text, std::string& out) {
    constexpr std::string_view kLetters = "abfnrtv\\\"'s";
    constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\\"' ";
    constexpr char kHint[] =
        "\\n \\t \\\\ \\\" \\' \\s, \\xHH, \\NNN (octal), \\uHHHH; for a backslash write two";
    if (text.empty()) return Bad("backslash at the end", "for a backslash write two");
    const char letter = text[0];
    if (size_t at = kLetters.find(letter); at != kLetters.npos) {
        out += kMeanings[at];
        text.remove_prefix(1);
        return {};
    }
    const std::string shown = Quote(Cat("\\", text.substr(0, 1)));
    std::optional<unsigned> code;
    if (letter >= '0' && letter <= '7') {
        code = TakeDigits(text, 3, 8);
        if (!code || *code > 255) return Bad("octal escape is not three digits up to 377", kHint);
    } else if (letter == 'x' || letter == 'u' || letter == 'U') {
        text.remove_prefix(1);
        code = TakeDigits(text, letter == 'x' ? 2 : letter == 'u' ? 4 : 8, 16);
        if (!code || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000))
            return Bad(Cat("escape ", shown, " is not followed by the digits of a character"),
                       kHint);
    } else {
        return Bad(Cat("unknown escape ", shown), kHint);
    }
    if (*code == 0) return Bad("escape makes a NUL byte", "no program can be given one");
    if (letter == 'u' || letter == 'U')
        AppendUtf8(out, *code);
    else
        out += static_cast<char>(*code);
    return {};
}

Value<std::string> Unescape(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const size_t backslash = text.find('\\');
        out += text.substr(0, backslash);
        if (backslash == text.npos) break;
        text.remove_prefix(backslash + 1);
        HUSK_TRY_VALUE(TakeEscape(text, out));
    }
    return out;
}

}  // namespace husk::config
