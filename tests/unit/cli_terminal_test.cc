#include <gtest/gtest.h>

#include "cli/terminal.h"

#include "base/utf8.h"

namespace husk::cli {
namespace {

const Style kPlain;
const Style kColour{.terminal = true, .colour = true, .width = 80};

TEST(CliTerminal, ControlBytesOfAContainerDoNotReachATerminal) {
    EXPECT_EQ(Visible(kColour, "\x1b]0;title\x07"), "\\x1b]0;title\\x07");
    EXPECT_EQ(Visible(kColour, "\x1b[2J"), "\\x1b[2J");
    EXPECT_EQ(Visible(kColour, "a\rb\tc\x7f"), "a\\x0db\tc\\x7f");
    EXPECT_EQ(Visible(kColour,
                      "\xc2\x9b"
                      "2J"),
              "\\xc2\\x9b2J");
    EXPECT_EQ(Visible(kColour, "\xff\xc0\x80"), "\\xff\\xc0\\x80");
    EXPECT_EQ(Visible(kColour, "grün"), "grün");
}

TEST(CliTerminal, ColoursStayWhereThereAreColours) {
    EXPECT_EQ(Visible(kColour, "\x1b[1;31mred"), "\x1b[1;31mred\x1b[0m");
    EXPECT_EQ(Visible(kPlain, "\x1b[1;31mred\x1b[0m"), "red");
    EXPECT_EQ(Visible(kPlain, "\x1b[1;31"), "\\x1b[1;31");
}

TEST(CliTerminal, ShorteningCountsCodePoints) {
    EXPECT_EQ(Shorten("abcdef", 6), "abcdef");
    EXPECT_EQ(Shorten("abcdef", 5), "abcd…");
    EXPECT_EQ(Shorten("äöüäöü", 3), "äö…");
    EXPECT_EQ(Shorten("abcdef", 0), "abcdef");
    EXPECT_EQ(PadRight("ä", 3), "ä  ");
    EXPECT_EQ(PadLeft("ä", 3), "  ä");
}

TEST(CliTerminal, Utf8IsCheckedAsTheStandardSays) {
    for (std::string_view bad : {"\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80",
                                 "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xe2\x82", "\xf5\x80"})
        EXPECT_EQ(Utf8Length(bad), 0u);
    EXPECT_EQ(Utf8Length("\xe2\x82\xac"), 3u);
    EXPECT_EQ(Utf8Length("\xf0\x9f\x98\x80"), 4u);
    EXPECT_EQ(ValidUtf8("a\xff\xc3\xa4"), "a\xef\xbf\xbd\xc3\xa4");
}

TEST(CliTerminal, PaintIsNothingWithoutColours) {
    EXPECT_EQ(Paint(kPlain, Colour::kRed, "x"), "x");
    EXPECT_EQ(Paint(kColour, Colour::kRed, "x"), "\x1b[31mx\x1b[0m");
    EXPECT_EQ(Paint(kColour, Colour::kNone, "x"), "x");
}

}  // namespace
}  // namespace husk::cli
