#include "base/disk_bytes.h"

#include <algorithm>

namespace husk {
namespace {

void AppendUtf8(std::string& text, uint32_t unit) {
    auto tail = [](uint32_t bits) { return static_cast<char>(0x80 | (bits & 0x3f)); };
    if (unit < 0x80) {
        text += static_cast<char>(unit);
    } else if (unit < 0x800) {
        text += static_cast<char>(0xc0 | unit >> 6);
        text += tail(unit);
    } else if (unit < 0xd800 || unit > 0xdfff) {
        text += static_cast<char>(0xe0 | unit >> 12);
        text += tail(unit >> 6);
        text += tail(unit);
    }
}

}  // namespace

uint8_t DiskBytes::Byte(size_t at) const {
    return at < bytes_.size() ? static_cast<uint8_t>(bytes_[at]) : uint8_t{0};
}

uint64_t DiskBytes::Number(size_t at, size_t size) const {
    uint64_t number = 0;
    for (size_t i = size; i-- > 0;) number = number << 8 | Byte(at + i);
    return number;
}

uint64_t DiskBytes::BigEndian(size_t at, size_t size) const {
    uint64_t number = 0;
    for (size_t i = 0; i < size; ++i) number = number << 8 | Byte(at + i);
    return number;
}

bool DiskBytes::Has(size_t at, std::string_view what) const {
    return at <= bytes_.size() && bytes_.substr(at).starts_with(what);
}

std::string DiskBytes::Text(size_t at, size_t size) const {
    std::string text(at < bytes_.size() ? bytes_.substr(at, size) : std::string_view());
    text.resize(std::min(text.size(), text.find('\0')));
    while (text.ends_with(' ')) text.pop_back();
    return text;
}

std::string DiskBytes::Utf16(size_t at, size_t units) const {
    std::string text;
    for (size_t i = 0; i < units; ++i) {
        const auto unit = static_cast<uint32_t>(Number(at + 2 * i, 2));
        if (unit == 0) break;
        AppendUtf8(text, unit);
    }
    return text;
}

std::string DiskBytes::Uuid(size_t at) const {
    std::string text;
    bool any = false;
    for (size_t i = 0; i < 16; ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
        text += Hex(Byte(at + i), 2);
        any |= Byte(at + i) != 0;
    }
    return any ? text : std::string();
}

std::string Hex(uint64_t number, size_t digits) {
    std::string text(digits, '0');
    for (size_t i = digits; i-- > 0; number >>= 4) text[i] = "0123456789abcdef"[number & 15];
    return text;
}

}  // namespace husk
