#include "cli/terminal.h"

#include <cstdlib>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/text.h"
#include "base/utf8.h"

namespace husk::cli {
namespace {

constexpr size_t kDefaultWidth = 80;
constexpr size_t kMinimumWidth = 40;  // narrower lines would say nothing
constexpr std::string_view kReset = "\x1b[0m";

std::string_view Environment(const char* name) {
    const char* value = ::getenv(name);
    return value == nullptr ? std::string_view() : std::string_view(value);
}

size_t WidthOf(int fd) {
    winsize size{};
    size_t width = 0;
    if (::ioctl(fd, TIOCGWINSZ, &size) == 0) width = size.ws_col;
    if (width == 0)
        if (auto columns = ParseUnsigned(Environment("COLUMNS")); columns && *columns < 10'000)
            width = *columns;
    if (width == 0) width = kDefaultWidth;
    return width < kMinimumWidth ? kMinimumWidth : width;
}

// Length of "ESC [ digits and ; m" at the start of `text`, 0 where it is anything else.
size_t ColourSequence(std::string_view text) {
    if (!text.starts_with("\x1b[")) return 0;
    size_t end = text.find_first_not_of("0123456789;", 2);
    return end != std::string_view::npos && text[end] == 'm' ? end + 1 : 0;
}

}  // namespace

Style StyleOf(int fd) {
    Style style;
    if (::isatty(fd) != 1) return style;
    const auto term = Environment("TERM");
    style.terminal = true;
    style.colour = !term.empty() && term != "dumb" && Environment("NO_COLOR").empty();
    style.width = WidthOf(fd);
    return style;
}

std::string Paint(const Style& style, Colour colour, std::string_view text) {
    if (!style.colour || colour == Colour::kNone || text.empty()) return std::string(text);
    const char* start = "";
    switch (colour) {
        case Colour::kNone: break;
        case Colour::kDim: start = "\x1b[2m"; break;
        case Colour::kBold: start = "\x1b[1m"; break;
        case Colour::kRed: start = "\x1b[31m"; break;
        case Colour::kGreen: start = "\x1b[32m"; break;
        case Colour::kYellow: start = "\x1b[33m"; break;
    }
    return Cat(start, text, kReset);
}

size_t Columns(std::string_view text) {
    size_t columns = 0;
    for (char c : text)
        if ((static_cast<unsigned char>(c) & 0xc0) != 0x80) ++columns;
    return columns;
}

std::string Shorten(std::string_view text, size_t width) {
    if (width == 0 || Columns(text) <= width) return std::string(text);
    size_t columns = 0, end = 0;
    for (; end < text.size(); ++end) {
        if ((static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) continue;
        if (++columns == width) break;
    }
    return Cat(text.substr(0, end), "…");
}

std::string PadRight(std::string_view text, size_t width) {
    std::string out(text);
    for (size_t columns = Columns(text); columns < width; ++columns) out += ' ';
    return out;
}

std::string PadLeft(std::string_view text, size_t width) {
    std::string out;
    for (size_t columns = Columns(text); columns < width; ++columns) out += ' ';
    return out.append(text);
}

std::string Visible(const Style& style, std::string_view text) {
    std::string out;
    out.reserve(text.size());
    bool coloured = false;
    while (!text.empty()) {
        size_t length = ColourSequence(text);
        if (length != 0) {
            if (style.colour) out.append(text.substr(0, length));
            coloured = style.colour;
            text.remove_prefix(length);
            continue;
        }
        length = text[0] == '\t' ? 1 : PlainLength(text);
        if (length != 0)
            out += text.substr(0, length);
        else
            out += EscapedByte(text[0]);
        text.remove_prefix(length == 0 ? 1 : length);
    }
    if (coloured) out.append(kReset);
    return out;
}

}  // namespace husk::cli
