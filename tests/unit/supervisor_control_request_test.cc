#include <gtest/gtest.h>

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

}  // namespace
}  // namespace husk::supervisor
