#include <gtest/gtest.h>
#include <rapidjson/document.h>

#include "supervisor/status_json.h"

namespace husk::supervisor {
namespace {

rapidjson::Document Parsed(const std::string& json) {
    rapidjson::Document document;
    document.Parse<rapidjson::kParseValidateEncodingFlag>(json.data(), json.size());
    EXPECT_FALSE(document.HasParseError()) << json;
    EXPECT_EQ(json.find('\n'), std::string::npos) << "one line";
    return document;
}

TEST(Answers, SayTheirVersionAndThatAllIsWell) {
    Answer answer;
    answer.Add("text", std::string("a\"b\n\0c", 6));
    answer.Add("number", int64_t{-5});
    answer.AddList("list", {"a", "b"});
    auto document = Parsed(answer.Finish());
    EXPECT_EQ(document["version"].GetInt(), 1);
    EXPECT_TRUE(document["ok"].GetBool());
    EXPECT_EQ(std::string(document["text"].GetString(), document["text"].GetStringLength()),
              std::string("a\"b\n\0c", 6));
    EXPECT_EQ(document["number"].GetInt64(), -5);
    EXPECT_EQ(document["list"].Size(), 2u);
}

TEST(Answers, OfAFailureHaveACodeAndAText) {
    auto document = Parsed(Answer::Failure("no-such-unit", "no unit 'w\xff'"));
    EXPECT_FALSE(document["ok"].GetBool());
    EXPECT_STREQ(document["code"].GetString(), "no-such-unit");
    EXPECT_STREQ(document["error"].GetString(), "no unit 'w?'");
}

TEST(Answers, AreUtf8WhateverAUnitFileHolds) {
    const std::pair<std::string, std::string> texts[] = {
        {"Übung €𝄞", "Übung €𝄞"},
        {"\xff\xfe", "??"},
        {"a\xc3", "a?"},               // cut short
        {"\xc0\x80", "??"},            // longer than it must be
        {"\xe0\x80\x80", "???"},       // the same
        {"\xed\xa0\x80", "???"},       // half of a surrogate pair
        {"\xf4\x90\x80\x80", "????"},  // above the last character
        {"\xf8\x88\x80\x80\x80", "?????"},
    };
    for (const auto& [odd, shown] : texts) {
        Answer answer;
        answer.Add("text", odd);
        EXPECT_STREQ(Parsed(answer.Finish())["text"].GetString(), shown.c_str());
    }
}

TEST(Answers, ListARefusedUnitWithItsFirstReasonAndAllProblems) {
    using config::Severity;
    RefusedUnit unit{.name = "web", .path = "/etc/husk/units/web.container"};
    unit.problems = {{Severity::kWarning, {"web.container", 1}, "", "odd", ""},
                     {Severity::kError, {"web.container", 7}, "Memroy", "unknown key", "Memory?"},
                     {Severity::kError, {"web.container", 9}, "", "another", ""}};
    Answer answer;
    answer.BeginUnits();
    answer.AddRefused(unit);
    answer.EndUnits();
    auto document = Parsed(answer.Finish());
    const auto& shown = document["units"][0];
    EXPECT_STREQ(shown["state"].GetString(), "refused");
    const std::string reason = shown["reason"].GetString();
    EXPECT_EQ(reason.find("web.container:7: error: unknown key"), 0u) << reason;
    EXPECT_NE(reason.find("(and 1 more)"), std::string::npos) << reason;
    EXPECT_EQ(shown["problems"].Size(), 3u);
    EXPECT_EQ(shown["problems"][1]["line"].GetInt(), 7);
    EXPECT_STREQ(shown["problems"][0]["severity"].GetString(), "warning");
    EXPECT_EQ(shown["main_pid"].GetInt(), 0);
}

}  // namespace
}  // namespace husk::supervisor
