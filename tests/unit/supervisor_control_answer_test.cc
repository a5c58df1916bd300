#include <gtest/gtest.h>
#include <rapidjson/document.h>

#include "config/keys.h"
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
    EXPECT_STREQ(document["error"].GetString(), "no unit 'w\xef\xbf\xbd'");
}

TEST(Answers, AreUtf8WhateverAUnitFileHolds) {
    const std::pair<std::string, std::string> texts[] = {
        {"Übung €𝄞", "Übung €𝄞"},
        {"\xff\xfe", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"a\xc3", "a\xef\xbf\xbd"},                                // cut short
        {"\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd"},                  // longer than it must be
        {"\xe0\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},  // the same
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},  // half of a surrogate pair
        {"\xf4\x90\x80\x80",
         "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},  // above the last character
        {"\xf8\x88\x80\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    };
    for (const auto& [odd, shown] : texts) {
        Answer answer;
        answer.Add("text", odd);
        EXPECT_STREQ(Parsed(answer.Finish())["text"].GetString(), shown.c_str());
    }
}

TEST(Answers, ListChangesWithTheKeysThatMakeThemSo) {
    const uint16_t exec = *config::KeyIndex("Container.Exec");
    Answer answer("failed", "unit 'web': exited with code 1");
    answer.AddChanges({{.name = "db", .change = Change::kStop, .because = "its file is gone"},
                       {.name = "web",
                        .change = Change::kRestart,
                        .keys = {{exec, KeyChange::Kind::kChanged, {"/u/web.container", 4}},
                                 {kUnknownKey, KeyChange::Kind::kGone, {}}}}});
    auto document = Parsed(answer.Finish());
    EXPECT_FALSE(document["ok"].GetBool());
    const auto& db = document["changes"][0];
    EXPECT_STREQ(db["change"].GetString(), "stop");
    EXPECT_STREQ(db["because"].GetString(), "its file is gone");
    EXPECT_EQ(db["keys"].Size(), 0u);
    const auto& keys = document["changes"][1]["keys"];
    EXPECT_STREQ(keys[0]["key"].GetString(), "Container.Exec");
    EXPECT_STREQ(keys[0]["change"].GetString(), "changed");
    EXPECT_STREQ(keys[0]["file"].GetString(), "/u/web.container");
    EXPECT_EQ(keys[0]["line"].GetInt(), 4);
    EXPECT_STREQ(keys[1]["key"].GetString(), "unknown");
    EXPECT_STREQ(keys[1]["change"].GetString(), "gone");
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
