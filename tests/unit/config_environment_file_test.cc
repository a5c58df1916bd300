#include <gtest/gtest.h>

#include "base/text.h"
#include "config/environment_file.h"

namespace husk::config {
namespace {

using Variables = std::vector<std::string>;

Variables Read(std::string_view text) {
    auto read = ParseEnvironmentText(text);
    EXPECT_TRUE(read) << (read ? "" : read.error().text());
    return read ? std::move(*read) : Variables{};
}

std::string ErrorOf(std::string_view text) {
    auto read = ParseEnvironmentText(text);
    EXPECT_FALSE(read) << text;
    return read ? "" : read.error().text();
}

TEST(EnvironmentText, IsAssignmentsByLine) {
    EXPECT_EQ(Read(""), Variables{});
    EXPECT_EQ(Read("A=1\nB=two words\r\n  C = 3 \n"), (Variables{"A=1", "B=two words", "C=3"}));
    EXPECT_EQ(Read("A=1"), Variables{"A=1"}) << "without a newline at the end";
    EXPECT_EQ(Read("A=\nB= \t\n"), (Variables{"A=", "B="}));
    EXPECT_EQ(Read("A=1\nA=2\n"), (Variables{"A=1", "A=2"}));
    EXPECT_EQ(Read("A=b=c\n"), Variables{"A=b=c"});
}

TEST(EnvironmentText, PassesOverCommentsAndLinesWithoutAssignment) {
    EXPECT_EQ(Read("# A=1\n;B=2\n\n  # C=3\nno assignment\nD=4 # not a comment\n"),
              Variables{"D=4 # not a comment"});
    EXPECT_EQ(Read("# joined by nothing \\\nA=1\n"), Variables{"A=1"}) << "as systemd from 254 on";
}

TEST(EnvironmentText, TakesQuotes) {
    EXPECT_EQ(Read("A='  a  '\nB=\"  b  \"\n"), (Variables{"A=  a  ", "B=  b  "}));
    EXPECT_EQ(Read("A='one\ntwo'\nB=3\n"), (Variables{"A=one\ntwo", "B=3"}));
    EXPECT_EQ(Read("A='a' \"b\" c d \n"), Variables{"A=abc d"}) << "parts follow each other";
    EXPECT_EQ(Read("A=it's \"so\"\n"), Variables{"A=it's \"so\""}) << "not in the middle";
    EXPECT_EQ(Read("A='\\n\\'\n"), Variables{"A=\\n\\"});
    EXPECT_EQ(Read(R"(A="\$x \"y\" \\ \` \n")"), Variables{R"(A=$x "y" \ ` \n)"});
    EXPECT_EQ(Read("A=\"one \\\ntwo\"\n"), Variables{"A=one two"});
}

TEST(EnvironmentText, TakesBackslashes) {
    EXPECT_EQ(Read("A=one \\\n  two\\\n\nB=1\n"), (Variables{"A=one   two", "B=1"}));
    EXPECT_EQ(Read("A=\\n\\ \\'\n"), Variables{"A=n '"});
    EXPECT_EQ(Read("A=a\\ \n"), Variables{"A=a "}) << "an escaped blank stays";
    EXPECT_EQ(Read("A=a\\"), Variables{"A=a"});
}

TEST(EnvironmentText, RefusesWhatItWouldHaveToGuess) {
    EXPECT_EQ(ErrorOf("# x\nexport A=1\n"),
              "line 2: 'export A' cannot name a variable; write NAME=VALUE");
    EXPECT_EQ(ErrorOf("A=1\n=2\n"), "line 2: '' cannot name a variable; write NAME=VALUE");
    EXPECT_EQ(ErrorOf("A=1\nB='x\ny\n"), "line 2: a quote ' is not closed");
    EXPECT_EQ(ErrorOf("B=\"x\\"), "line 1: a quote \" is not closed");
    EXPECT_EQ(ErrorOf("A=\xff\n"), "line 1: the value of 'A' is no UTF-8");
    EXPECT_EQ(ErrorOf(std::string_view("A=\0", 3)), "it has a NUL byte; it is no text");
    std::string many;
    for (size_t i = 0; i <= kMaxEnvironmentFileVariables; ++i) many += "A=\n";
    EXPECT_EQ(ErrorOf(many), "line 1001: over 1000 variables; drop some");
}

}  // namespace
}  // namespace husk::config
