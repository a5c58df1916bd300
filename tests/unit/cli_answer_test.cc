#include <gtest/gtest.h>

#include "cli/answer.h"

namespace husk::cli {
namespace {

std::string ErrorOf(std::string_view line) {
    auto answer = ParseAnswer(line);
    return answer ? "no error" : answer.error().text();
}

TEST(CliAnswer, ReadsEveryFieldOfAUnit) {
    auto answer = ParseAnswer(
        R"({"version":1,"ok":true,"units":[{"name":"web","description":"a page","path":"/u/web",
        "state":"backoff","reason":"r","since":5,"since_monotonic":6,"main_pid":7,"restarts":8,
        "next_try_ms":9.5,"last_exit":{"kind":"signal","code":0,"signal":11,"text":"t","at":10},
        "cgroup":"/c","memory":{"current":1,"peak":2,"max":3},"tasks":{"current":4,"max":null},
        "cpu_usec":12,"problems":[{"severity":"error","file":"f","line":3,"key":"K","text":"x",
        "hint":"h"}],"history":[{"at":1,"monotonic":2,"text":"y"}]}]})");
    ASSERT_TRUE(answer) << answer.error().text();
    ASSERT_EQ(answer->units.size(), 1u);
    const UnitView& unit = answer->units[0];
    EXPECT_EQ(unit.name, "web");
    EXPECT_EQ(unit.since_monotonic, 6);
    EXPECT_EQ(unit.restarts, 8u);
    EXPECT_EQ(unit.next_try_ms, 9.5);
    EXPECT_EQ(unit.last_exit->signal, "SIGSEGV");
    EXPECT_EQ(unit.memory_peak, 2u);
    EXPECT_EQ(unit.tasks_current, 4u);
    EXPECT_FALSE(unit.tasks_max);
    EXPECT_EQ(unit.problems[0].line, 3);
    EXPECT_EQ(unit.history[0].text, "y");
}

TEST(CliAnswer, MissingAndUnknownFieldsAreFine) {
    auto answer = ParseAnswer(
        R"({"version":1,"ok":true,"new":{},"units":[{"name":"a","state":"new","memory":null}]})");
    ASSERT_TRUE(answer);
    EXPECT_FALSE(answer->units[0].memory_current);
    EXPECT_FALSE(answer->units[0].last_exit);
}

TEST(CliAnswer, AWrongTypeIsNamedByItsPath) {
    EXPECT_EQ(ErrorOf(R"({"version":1,"ok":1})"),
              "the supervisor's answer: 'ok' is not true or false");
    EXPECT_EQ(ErrorOf(R"({"version":1,"units":[{"name":"a","state":"b"},{"name":3}]})"),
              "the supervisor's answer: 'units[1].name' is not a string");
    EXPECT_EQ(ErrorOf(R"({"version":1,"units":[{"name":"a","state":"b","memory":{"peak":-1}}]})"),
              "the supervisor's answer: 'units[0].memory.peak' is not an unsigned integer");
    EXPECT_EQ(ErrorOf(R"({"version":1,"units":{}})"),
              "the supervisor's answer: 'units' is not an array");
    EXPECT_EQ(ErrorOf(R"({"version":1,"units":[7]})"),
              "the supervisor's answer: 'units[0]' is not an object");
    EXPECT_EQ(ErrorOf(R"({"version":1,"units":[{}]})"),
              "the supervisor's answer: 'units[0].name' is not there");
    EXPECT_EQ(ErrorOf("[]"), "the supervisor's answer: '' is not an object");
}

TEST(CliAnswer, AnotherVersionIsRefused) {
    EXPECT_NE(ErrorOf(R"({"version":2,"ok":true})").find("version 2 of the control protocol"),
              std::string::npos);
}

TEST(CliAnswer, WhatIsNoJsonIsRefused) {
    EXPECT_NE(ErrorOf("{\"version\":1").find("not JSON"), std::string::npos);
    EXPECT_NE(ErrorOf("").find("not JSON"), std::string::npos);
    // Depth is no danger to the stack.
    EXPECT_NE(ErrorOf(std::string(1'000'000, '[')).find("not JSON"), std::string::npos);
}

TEST(CliAnswer, ARequestHoldsWhatIsSet) {
    EXPECT_EQ(WriteRequest({.verb = "status"}), "{\"version\":1,\"verb\":\"status\"}\n");
    EXPECT_EQ(WriteRequest({.verb = "kill", .units = {"a\"b", "c"}, .signal = "SIGHUP"}),
              "{\"version\":1,\"verb\":\"kill\",\"units\":[\"a\\\"b\",\"c\"],"
              "\"signal\":\"SIGHUP\"}\n");
    EXPECT_EQ(WriteRequest({.verb = "is-system-running", .wait = true}),
              "{\"version\":1,\"verb\":\"is-system-running\",\"wait\":true}\n");
}

TEST(CliAnswer, JsonStringsAreValidWhateverComes) {
    EXPECT_EQ(JsonString("a\"\n\x01"), "\"a\\\"\\n\\u0001\"");
    EXPECT_EQ(JsonString("\xff"), "\"\xef\xbf\xbd\"");
}

}  // namespace
}  // namespace husk::cli
