#include <gtest/gtest.h>

#include "cli/arguments.h"

namespace husk::cli {
namespace {

constexpr Option kOptions[] = {
    {'f', "follow", nullptr, ""},
    {'n', "lines", "N", ""},
    {'\0', "json", nullptr, ""},
};

Result<Arguments> Parse(std::vector<std::string> words) {
    std::vector<char*> pointers;
    for (auto& word : words) pointers.push_back(word.data());
    return ParseArguments(kOptions, pointers);
}

std::string ErrorOf(std::vector<std::string> words) {
    auto parsed = Parse(std::move(words));
    return parsed ? "no error" : parsed.error().text();
}

TEST(CliArguments, AValueMayStandInEveryUsualPlace) {
    for (auto words : std::vector<std::vector<std::string>>{
             {"-n5"}, {"-n", "5"}, {"--lines=5"}, {"--lines", "5"}, {"-fn5"}, {"-fn", "5"}}) {
        auto parsed = Parse(words);
        ASSERT_TRUE(parsed);
        EXPECT_EQ(parsed->Get("lines"), "5");
    }
}

TEST(CliArguments, OperandsMayStandBetweenOptions) {
    auto parsed = Parse({"web", "-f", "redis", "--", "--json"});
    ASSERT_TRUE(parsed);
    EXPECT_TRUE(parsed->Has("follow"));
    EXPECT_FALSE(parsed->Has("json"));
    EXPECT_EQ(parsed->operands, (std::vector<std::string>{"web", "redis", "--json"}));
}

TEST(CliArguments, TheLastValueCounts) {
    EXPECT_EQ(Parse({"-n1", "--lines=2"})->Get("lines"), "2");
}

TEST(CliArguments, ErrorsNameWhatIsMeant) {
    EXPECT_EQ(ErrorOf({"--folow"}), "unknown option '--folow' (did you mean '--follow'?)");
    EXPECT_EQ(ErrorOf({"-x"}), "unknown option '-x'");
    EXPECT_EQ(ErrorOf({"--json=1"}), "option '--json' takes no value");
    EXPECT_EQ(ErrorOf({"-n"}), "option '--lines' wants a value: N");
}

TEST(CliArguments, ADashAloneIsAnOperand) {
    EXPECT_EQ(Parse({"-"})->operands, (std::vector<std::string>{"-"}));
}

TEST(CliArguments, BehindACommandOptionsAreItsOwn) {
    std::vector<std::string> words = {"-n1", "--lines=2", "web", "-f", "--json"};
    std::vector<char*> pointers;
    for (auto& word : words) pointers.push_back(word.data());
    auto parsed = ParseArguments(kOptions, pointers, true);
    ASSERT_TRUE(parsed);
    EXPECT_FALSE(parsed->Has("follow") || parsed->Has("json"));
    EXPECT_EQ(parsed->operands, (std::vector<std::string>{"web", "-f", "--json"}));
    EXPECT_EQ(parsed->in_order,
              (std::vector<std::pair<std::string, std::string>>{{"lines", "1"}, {"lines", "2"}}));
}

}  // namespace
}  // namespace husk::cli
