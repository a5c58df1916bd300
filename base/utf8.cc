#include "base/utf8.h"

namespace husk {

size_t Utf8Length(std::string_view text) {
    if (text.empty()) return 0;
    auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(0);
    if (first < 0x80) return 1;
    const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
    for (size_t i = 1; i < length; ++i)
        if ((byte(i) & 0xc0) != 0x80) return 0;
    if (first == 0xe0 && byte(1) < 0xa0) return 0;   // overlong
    if (first == 0xed && byte(1) >= 0xa0) return 0;  // surrogates
    if (first == 0xf0 && byte(1) < 0x90) return 0;   // overlong
    if (first == 0xf4 && byte(1) >= 0x90) return 0;  // over U+10FFFF
    return length;
}

size_t PlainLength(std::string_view text) {
    const size_t length = Utf8Length(text);
    if (length == 0) return 0;
    auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
    if (length == 1) return byte(0) < 0x20 || byte(0) == 0x7f ? 0 : 1;
    const unsigned last = byte(length - 1);
    // U+0080 to U+009F, U+061C; U+200E and U+200F, U+202A to U+202E, U+2066 to U+2069
    if (length == 2)
        return (byte(0) == 0xc2 && last < 0xa0) || (byte(0) == 0xd8 && last == 0x9c) ? 0 : 2;
    if (length == 3 && byte(0) == 0xe2 && byte(1) == 0x80)
        return last == 0x8e || last == 0x8f || (last >= 0xaa && last <= 0xae) ? 0 : 3;
    if (length == 3 && byte(0) == 0xe2 && byte(1) == 0x81)
        return last >= 0xa6 && last <= 0xa9 ? 0 : 3;
    return length;
}

std::string ValidUtf8(std::string_view text) {
    constexpr std::string_view kReplacement = "\xef\xbf\xbd";
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const size_t length = Utf8Length(text);
        out.append(length == 0 ? kReplacement : text.substr(0, length));
        text.remove_prefix(length == 0 ? 1 : length);
    }
    return out;
}

}  // namespace husk
