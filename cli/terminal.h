// What the output goes to, and text that is safe and fits there.
#pragma once

#include <cstddef>

#include <string>
#include <string_view>

namespace husk::cli {

// How to write: decided once from the descriptor and the environment, an argument of everything
// that formats.
struct Style {
    bool terminal = false;  // a person looks at it: dots, and control bytes made visible
    bool colour = false;
    size_t width = 0;  // columns; 0 = any length (not a terminal)
};

// isatty(3), TIOCGWINSZ (a serial line says 0 columns: then COLUMNS, then 80), TERM, NO_COLOR.
Style StyleOf(int fd);

enum class Colour { kNone, kDim, kBold, kRed, kGreen, kYellow };
std::string Paint(const Style& style, Colour colour, std::string_view text);

// Columns that a text takes, one for a code point; good enough for names and messages.
size_t Columns(std::string_view text);
// At most `width` columns, the last one "…" where something was cut; 0 = as it is.
std::string Shorten(std::string_view text, size_t width);
std::string PadRight(std::string_view text, size_t width);
std::string PadLeft(std::string_view text, size_t width);

// What a container or a unit file wrote, made harmless for a person's terminal: control
// characters, those that turn a text's direction and bytes that are no UTF-8 as \xNN. Tabs stay.
// Colours (CSI … m) stay where `style` has colours, with a reset after them, and are dropped
// elsewhere.
std::string Visible(const Style& style, std::string_view text);

}  // namespace husk::cli
