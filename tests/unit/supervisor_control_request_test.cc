#include <gtest/gtest.h>

#include "base/text.h"
#include "supervisor/control_request.h"

namespace husk::supervisor {
namespace {

TEST(ControlRequest, IsReadWithAllItsFields) {
    auto request = ParseControlRequest(
        R"({"version":1,"verb":"kill","units":["web.container","db"],"signal":"SIGHUP"})");
    ASSERT_TRUE(request) << request.error().text();
    EXPECT_EQ(request->verb, "kill");
    EXPECT_EQ(request->units, (std::vector<std::string>{"web", "db"}));
    EXPECT_EQ(request->signal, "SIGHUP");
    EXPECT_FALSE(request->wait);
}

TEST(ControlRequest, OfAnApplyHasAFolderAndATime) {
    auto request =
        ParseControlRequest(R"({"version":1,"verb":"apply","path":"/tmp/units","confirm":90})");
    ASSERT_TRUE(request) << request.error().text();
    EXPECT_EQ(request->path, "/tmp/units");
    EXPECT_EQ(request->confirm_time, std::chrono::seconds(90));
    EXPECT_FALSE(request->partial);
    EXPECT_TRUE(ParseControlRequest(R"({"version":1,"verb":"reload","partial":true})")->partial);
}

TEST(ControlRequest, AFolderIsAbsoluteAndATimeIsBounded) {
    auto error = [](std::string_view fields) {
        auto request = ParseControlRequest(Cat(R"({"version":1,"verb":"apply",)", fields, "}"));
        return request ? std::string() : request.error().text();
    };
    EXPECT_EQ(error(R"("path":"units")"), "'path' is not absolute: 'units'");
    EXPECT_EQ(error(R"("path":"/a\u0000b")"), "'path' has a NUL in it");
    EXPECT_EQ(error(R"("path":7)"), "'path' is no string");
    EXPECT_EQ(error(R"("partial":1)"), "'partial' is neither true nor false");
    const std::string bounded = "'confirm' is no number of seconds from 1 to 86400 (1d)";
    for (const char* time : {"0", "-1", "86401", "1e300", "\"90\"", "1.5"})
        EXPECT_EQ(error(Cat("\"confirm\":", time)), bounded) << time;
    EXPECT_EQ(error("\"confirm\":86400"), "");
}

TEST(ControlRequest, OfAnotherVersionSaysSo) {
    auto request = ParseControlRequest(R"({"version":2,"verb":"status"})");
    ASSERT_FALSE(request);
    EXPECT_EQ(request.error().text(),
              "the request's version is not 1; are husk and its supervisor of the same version?");
}

TEST(ControlRequest, OfTheWrongShapeIsRefused) {
    for (const char* line : {"", "[]", "{", "\xff", R"({"version":1,"verb":7})",
                             R"({"version":1,"units":"web"})", R"({"version":1,"units":[1]})"})
        EXPECT_FALSE(ParseControlRequest(line)) << line;
}

TEST(ControlRequest, OfAnUpdateHasSettings) {
    auto request = ParseControlRequest(
        R"({"version":1,"verb":"update","units":["web"],"settings":["A=1","B="],"persist":true})");
    ASSERT_TRUE(request) << request.error().text();
    EXPECT_EQ(request->settings, (std::vector<std::string>{"A=1", "B="}));
    EXPECT_TRUE(request->persist);
    EXPECT_FALSE(ParseControlRequest(R"({"version":1,"verb":"update","settings":"A=1"})"));
    EXPECT_FALSE(ParseControlRequest(R"({"version":1,"verb":"update","settings":[1]})"));
    std::string many = R"({"version":1,"verb":"update","settings":[""])";
    for (int i = 0; i < 64; ++i) many.insert(many.size() - 1, ",\"\"");
    EXPECT_FALSE(ParseControlRequest(many + "}"));
}

TEST(ControlRequest, OfExecIsBoundedAndTyped) {
    auto request = ParseControlRequest(
        R"({"version":1,"verb":"exec","units":["web"],"command":["sh","-c","x"],"environment":["A=1"],)"
        R"("directory":"/x","terminal":true,"main_pid":12,"uid":1,"gid":2,"groups":[3,4]})");
    ASSERT_TRUE(request);
    EXPECT_EQ(request->exec.command, (std::vector<std::string>{"sh", "-c", "x"}));
    EXPECT_EQ(request->exec.environment, std::vector<std::string>{"A=1"});
    EXPECT_EQ(request->exec.directory, "/x");
    EXPECT_TRUE(request->exec.terminal && request->exec.has_user);
    EXPECT_EQ(request->exec.main_pid, 12);
    EXPECT_EQ(request->exec.groups, (std::vector<uint32_t>{3, 4}));
    for (const char* wrong :
         {R"("command":["a\u0000b"])", R"("command":"sh")", R"("command":[1])",
          R"("environment":["A"])", R"("environment":["=1"])", R"("directory":"x")", R"("uid":1)",
          R"("uid":-1,"gid":0)", R"("uid":4294967295,"gid":0)", R"("uid":1,"gid":1,"groups":["a"])",
          R"("terminal":1)", R"("main_pid":"1")"})
        EXPECT_FALSE(
            ParseControlRequest(Cat(R"({"version":1,"verb":"exec","units":["web"],)", wrong, "}")))
            << wrong;
}

}  // namespace
}  // namespace husk::supervisor
