#include <gtest/gtest.h>
#include <signal.h>

#include "base/text.h"

namespace husk {
namespace {

using Parts = std::vector<std::string_view>;

TEST(Text, QuoteShowsWhatWouldDisturbATerminal) {
    EXPECT_EQ(Quote("web"), "'web'");
    EXPECT_EQ(Quote(""), "''");
    EXPECT_EQ(Quote(std::string_view("a\0\x1b[31m\n\x7f", 9)), "'a\\x00\\x1b[31m\\x0a\\x7f'");
    EXPECT_EQ(Quote("Übung"), "'Übung'");
    EXPECT_EQ(Quote("a\x9b 31m\xff"), "'a\\x9b 31m\\xff'");
    EXPECT_EQ(Quote("\u009b"), "'\\xc2\\x9b'");
    EXPECT_EQ(Quote("\u202etxt\u2069\u200f\u061c…\u2010"),
              "'\\xe2\\x80\\xaetxt\\xe2\\x81\\xa9\\xe2\\x80\\x8f\\xd8\\x9c…\u2010'");
}

TEST(Text, CatTakesTextOfEveryKindAndNulBytes) {
    const std::string string("b\0c", 3);
    EXPECT_EQ(Cat("a", string, std::string_view("d")), std::string("ab\0cd", 5));
    EXPECT_EQ(Cat(""), "");
    EXPECT_EQ(Cat(), "");
    const char* pointer = string.empty() ? "" : "e";
    const std::string_view nothing;
    EXPECT_EQ(Cat(string, nothing, pointer, std::string("f")), std::string("b\0cef", 5));
}

TEST(Text, CatTakesSixteenPartsInTheirOrder) {
    const std::string a = "a";
    const std::string_view b = "b";
    EXPECT_EQ(Cat(a, b, "c", a, b, "d", "e", "f", b, b, a, a, "g", "h", a, b), "abcabdefbbaaghab");
}

TEST(Text, SplitKeepsEmptyPartsAndSplitWordsDoesNot) {
    EXPECT_EQ(Split("a::b:", ':'), (Parts{"a", "", "b", ""}));
    EXPECT_EQ(Split("", ':'), (Parts{""}));
    EXPECT_EQ(SplitWords(" a \t b "), (Parts{"a", "b"}));
    EXPECT_EQ(SplitWords(""), Parts{});
    EXPECT_EQ(SplitWords(" \t"), Parts{});
}

TEST(Text, TrimTakesBlanksAndTabsOnly) {
    EXPECT_EQ(Trim(" \ta b\t "), "a b");
    EXPECT_EQ(Trim(" \t "), "");
    EXPECT_EQ(Trim("\na"), "\na");
}

TEST(Text, JoinPutsSeparatorsBetween) {
    EXPECT_EQ(Join({}, ", "), "");
    EXPECT_EQ(Join({"a"}, ", "), "a");
    EXPECT_EQ(Join({"a", "", "b"}, ", "), "a, , b");
    EXPECT_EQ(Join({"a", "a"}, "-"), "a-a");
}

TEST(Text, NumbersAreTheWholeTextAndFit) {
    EXPECT_EQ(ParseUnsigned("18446744073709551615"), UINT64_MAX);
    EXPECT_EQ(ParseSigned("-9223372036854775808"), INT64_MIN);
    for (const char* bad : {"", "-1", "+1", " 1", "1 ", "0x10", "1k", "18446744073709551616"})
        EXPECT_FALSE(ParseUnsigned(bad)) << bad;
    for (const char* bad : {"", "-", "+1", "9223372036854775808", "1.5"})
        EXPECT_FALSE(ParseSigned(bad)) << bad;
}

TEST(Text, NearestFindsWhatWasMeantAndNothingElse) {
    const Parts keys = {"Memory", "MemoryMax", "Image", "Exec"};
    EXPECT_EQ(Nearest("Memroy", keys), "Memory");
    EXPECT_EQ(Nearest("image", keys), "Image");
    EXPECT_EQ(Nearest("Volume", keys), std::nullopt);
    EXPECT_EQ(Nearest("x", {}), std::nullopt);
    EXPECT_EQ(EditDistance("kitten", "SITTING"), 3u);
    EXPECT_EQ(EditDistance("", "abc"), 3u);
}

TEST(Text, BytesAreShownInTheLargestUnit) {
    EXPECT_EQ(FormatBytes(0), "0B");
    EXPECT_EQ(FormatBytes(1023), "1023B");
    EXPECT_EQ(FormatBytes(64ull << 20), "64.0M");
    EXPECT_EQ(FormatBytes(UINT64_MAX), "16.0E");
}

TEST(Text, SpansHaveTwoPartsAtMost) {
    using namespace std::chrono_literals;
    EXPECT_EQ(FormatDuration(0ns), "0ms");
    EXPECT_EQ(FormatDuration(150ms), "150ms");
    EXPECT_EQ(FormatDuration(1s), "1s");
    EXPECT_EQ(FormatDuration(4250ms), "4.2s");
    EXPECT_EQ(FormatDuration(60s), "1min");
    EXPECT_EQ(FormatDuration(125s), "2min 5s");
    EXPECT_EQ(FormatDuration(3h + 12min + 5s), "3h 12min");
    EXPECT_EQ(FormatDuration(3h + 5s), "3h");
    EXPECT_EQ(FormatDuration(49h), "2d 1h");
    EXPECT_EQ(FormatDuration(kInfinite), "infinity");
}

TEST(Text, RealtimeIsInUtc) {
    EXPECT_EQ(FormatRealtime(0), "1970-01-01 00:00:00");
    EXPECT_EQ(FormatRealtime(1'795'324'206'000'000'000), "2026-11-22 05:10:06");
}

TEST(Text, EverySignalHasANameThatIsUnderstoodAgain) {
    for (int number = 1; number <= 64; ++number)
        EXPECT_EQ(ParseSignal(SignalName(number)), number) << SignalName(number);
    EXPECT_EQ(ParseSignal("SIGTERM"), SIGTERM);
    EXPECT_EQ(ParseSignal("TERM"), SIGTERM);
    EXPECT_EQ(ParseSignal("9"), SIGKILL);
    EXPECT_EQ(ParseSignal("SIGRTMIN+3"), SIGRTMIN + 3);
    EXPECT_EQ(ParseSignal("RTMAX"), SIGRTMAX);
    for (const char* bad : {"", "0", "65", "-1", "SIG", "SIGFOO", "RTMIN+65", "RTMIN+"})
        EXPECT_FALSE(ParseSignal(bad)) << bad;
}

}  // namespace
}  // namespace husk
