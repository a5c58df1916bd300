#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "config/words.h"

namespace husk::config {
namespace {

using Words = std::vector<std::string>;

const HostFacts kHost{"box", "mid", "bid", "6.1.0-9"};
const Specifiers kInstance{"web@a-b", kHost};

TEST(Words, SplitsAtBlanksAndQuotesHoldTogether) {
    EXPECT_EQ(SplitQuoted("  a\t b  c ").value(), (Words{"a", "b", "c"}));
    EXPECT_EQ(SplitQuoted("'a b' \"c d\"").value(), (Words{"a b", "c d"}));
    EXPECT_EQ(SplitQuoted("a'b c'd").value(), (Words{"ab cd"}));
    EXPECT_EQ(SplitQuoted("'' \"\"").value(), (Words{"", ""}));
    EXPECT_EQ(SplitQuoted("'a\"b' \"a'b\"").value(), (Words{"a\"b", "a'b"}));
    EXPECT_EQ(SplitQuoted("").value(), Words{});
}

// Examples of systemd.service(5) and systemd.syntax(7).
TEST(Words, TakesCEscapes) {
    EXPECT_EQ(SplitQuoted("a\\nb\\t\\s\\\\").value(), (Words{"a\nb\t \\"}));
    EXPECT_EQ(SplitQuoted("\\x41\\102\\u00e4\\U0001f600").value(),
              (Words{"AB\xc3\xa4\xf0\x9f\x98\x80"}));
    EXPECT_EQ(SplitQuoted("\"a\\\"b\" 'c\\'d'").value(), (Words{"a\"b", "c'd"}));
    EXPECT_EQ(SplitQuoted("a\\ b").error()->text, "unknown escape '\\ '");
    EXPECT_EQ(SplitQuoted("\\d").error()->text, "unknown escape '\\d'");
    EXPECT_EQ(SplitQuoted("\\x00").error()->text, "escape makes a NUL byte");
    for (const char* bad :
         {"\\x4", "\\xg0", "\\08", "\\400", "\\ud800", "\\U00110000", "\\u12", "\\"})
        EXPECT_FALSE(SplitQuoted(bad)) << bad;
}

TEST(Words, AnOpenQuoteIsAnError) {
    EXPECT_EQ(SplitQuoted("a 'b").error()->text, "quote ' is not closed");
    EXPECT_EQ(SplitQuoted("it's").error()->hint, "close it, or write \\' for the character itself");
}

TEST(Words, SpecifiersExpandAndUnknownOnesAreErrors) {
    EXPECT_EQ(ExpandSpecifiers("%n %N %p %i %I %%", kInstance).value(),
              "web@a-b.container web@a-b web a-b a/b %");
    EXPECT_EQ(ExpandSpecifiers("%H %m %b %v", kInstance).value(), "box mid bid 6.1.0-9");
    EXPECT_EQ(ExpandSpecifiers("%t%S%C%L%E", kInstance).value(),
              "/run/var/lib/var/cache/var/log/etc");
    EXPECT_EQ(ExpandSpecifiers("%p%i", Specifiers{"plain", kHost}).value(), "plain");
    EXPECT_EQ(ExpandSpecifiers("50%", kInstance).error()->text, "unknown specifier '%'");
    EXPECT_EQ(ExpandSpecifiers("%z", kInstance).error()->text, "unknown specifier '%z'");
    EXPECT_EQ(ExpandSpecifiers("%m", Specifiers{"x", HostFacts{}}).error()->text,
              "specifier '%m' is not known on this device");
}

TEST(Words, AnExpansionNeverSplits) {
    const HostFacts spaced{"two words", "", "", ""};
    EXPECT_EQ(ExpandedWords("a %H", Specifiers{"x", spaced}).value(), (Words{"a", "two words"}));
}

TEST(Words, AssignmentsNeedANameAndAnEquals) {
    EXPECT_EQ(ParseAssignments("A=1 'B=x y' C=", kInstance).value(), (Words{"A=1", "B=x y", "C="}));
    EXPECT_EQ(ParseAssignments("A=b=c", kInstance).value(), (Words{"A=b=c"}));
    EXPECT_FALSE(ParseAssignments("A", kInstance));
    EXPECT_FALSE(ParseAssignments("=1", kInstance));
    EXPECT_FALSE(ParseAssignments("A-B=1", kInstance));
}

// The examples of "Command lines" in systemd.service(5).
TEST(Words, VariablesExpandAsSystemdsDo) {
    const Words environment = {"ONE=one", "TWO=two two", "QUOTED='a b' c", "EMPTY="};
    auto expand = [&](Words command) {
        Words missing;
        return ExpandVariables(command, environment, missing);
    };
    EXPECT_EQ(expand({"echo", "$ONE", "$TWO", "${TWO}"}),
              (Words{"echo", "one", "two", "two", "two two"}));
    EXPECT_EQ(expand({"$QUOTED"}), (Words{"a b", "c"}));
    EXPECT_EQ(expand({"$EMPTY", "${EMPTY}"}), (Words{""}));
    EXPECT_EQ(expand({"a${ONE}b${ONE}"}), (Words{"aonebone"}));
    EXPECT_EQ(expand({"a$ONE", "$$ONE", "$", "${", "${1}", "100$"}),
              (Words{"a$ONE", "$ONE", "$", "${", "${1}", "100$"}));
}

// systemd.syntax(7): quotes hold blanks, and each kind holds the other; an escape works in both.
TEST(Words, QuotesAndEscapesWorkTogether) {
    EXPECT_EQ(SplitQuoted("\"two words\" 'it is \"so\"' \"it's\"").value(),
              (Words{"two words", "it is \"so\"", "it's"}));
    EXPECT_EQ(SplitQuoted("\"tab\\there\" 'line\\nend'").value(),
              (Words{"tab\there", "line\nend"}));
    EXPECT_EQ(SplitQuoted("a\\x20b 'c\\x20d' \\s").value(), (Words{"a b", "c d", " "}));
    EXPECT_EQ(SplitQuoted("/bin/sh -c 'a ; b && c | d > e'").value(),
              (Words{"/bin/sh", "-c", "a ; b && c | d > e"}));
    // No comment begins within a value.
    EXPECT_EQ(SplitQuoted("a # b ; c").value(), (Words{"a", "#", "b", ";", "c"}));
}

TEST(Words, SpecifiersExpandWithinQuotesAndAPercentSignIsWrittenTwice) {
    EXPECT_EQ(ExpandedWords("'%p of %i' 100%% %%i", kInstance).value(),
              (Words{"web of a-b", "100%", "%i"}));
    EXPECT_FALSE(ExpandedWords("50% of", kInstance));
}

// systemd.service(5), "Command lines": what the words of a variable become, and what stays.
TEST(Words, AVariableSplitsOnItsOwnAndHoldsTogetherInBraces) {
    const Words environment = {"LIST='a b' c", "PLAIN=x  y", "ONE=1", "DOLLAR=$ONE"};
    auto expand = [&](Words command) {
        Words missing;
        return ExpandVariables(command, environment, missing);
    };
    EXPECT_EQ(expand({"$PLAIN", "${PLAIN}"}), (Words{"x", "y", "x  y"}));
    EXPECT_EQ(expand({"${LIST}", "-${ONE}${ONE}-"}), (Words{"'a b' c", "-11-"}));
    // Within a word only braces expand, and what came of a variable is not looked at again.
    EXPECT_EQ(expand({"--x=$ONE", "--x=${ONE}"}), (Words{"--x=$ONE", "--x=1"}));
    EXPECT_EQ(expand({"${DOLLAR}", "$DOLLAR"}), (Words{"$ONE", "$ONE"}));
    EXPECT_EQ(expand({"$$", "$$$$", "$$ONE", "$${ONE}", "a$$b"}),
              (Words{"$", "$$", "$ONE", "${ONE}", "a$b"}));
}

TEST(Words, VariablesThatNothingSetsAreEmptyAndNamed) {
    Words missing;
    EXPECT_EQ(ExpandVariables({"x", "$A", "-${B}-"}, {}, missing), (Words{"x", "--"}));
    EXPECT_EQ(missing, (Words{"A", "B"}));
}

}  // namespace
}  // namespace husk::config
