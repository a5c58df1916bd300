#include <gtest/gtest.h>

#include "base/text.h"
#include "cli/http_server.h"

namespace husk::cli {
namespace {

constexpr std::string_view kHost = "Host: x\r\n\r\n";

HttpStatus Judge(std::string_view line) { return JudgeRequest(Cat(line, "\r\n", kHost)); }

TEST(HttpServer, GivesTheOneDocument) {
    EXPECT_EQ(Judge("GET /metrics HTTP/1.1"), HttpStatus::kOk);
    EXPECT_EQ(Judge("GET /metrics?collect=all HTTP/1.1"), HttpStatus::kOk);
    EXPECT_EQ(JudgeRequest("GET /metrics HTTP/1.0\r\n\r\n"), HttpStatus::kOk);
    EXPECT_EQ(JudgeRequest(Cat("\r\nGET /metrics HTTP/1.1\r\n", kHost)), HttpStatus::kOk);
}

TEST(HttpServer, RefusesAnythingElseByItsProperCode) {
    EXPECT_EQ(Judge("GET / HTTP/1.1"), HttpStatus::kNotFound);
    EXPECT_EQ(Judge("GET /metricsx HTTP/1.1"), HttpStatus::kNotFound);
    EXPECT_EQ(Judge("GET /../metrics HTTP/1.1"), HttpStatus::kNotFound);
    EXPECT_EQ(Judge("POST /metrics HTTP/1.1"), HttpStatus::kNotAllowed);
    EXPECT_EQ(Judge("HEAD /metrics HTTP/1.1"), HttpStatus::kNotAllowed);
    for (const char* line :
         {"GET /metrics", "GET  /metrics HTTP/1.1", "GET /metrics HTTP/2", "GET metrics HTTP/1.1",
          "G(T /metrics HTTP/1.1", "\x16\x03\x01 x y", "GET /metrics HTTP/1.1 x", "", "get"})
        EXPECT_EQ(Judge(line), HttpStatus::kBadRequest) << line;
}

TEST(HttpServer, RefusesHeadersThatAreNone) {
    EXPECT_EQ(JudgeRequest("GET /metrics HTTP/1.1\r\n\r\n"), HttpStatus::kBadRequest) << "no Host";
    for (const char* header : {"Host: a\r\nHost: b", "no colon\r\nHost: a", "Host : a",
                               " folded\r\nHost: a", "Host: a\x01"})
        EXPECT_EQ(JudgeRequest(Cat("GET /metrics HTTP/1.1\r\n", header, "\r\n\r\n")),
                  HttpStatus::kBadRequest)
            << header;
}

TEST(HttpServer, WaitsForARequestAndNotForEver) {
    const std::string whole = Cat("GET /metrics HTTP/1.1\r\n", kHost);
    for (size_t size = 0; size < whole.size(); ++size)
        EXPECT_EQ(JudgeRequest(whole.substr(0, size)), HttpStatus::kIncomplete) << size;
    EXPECT_EQ(JudgeRequest(std::string(kLargestHttpRequest + 1, 'x')), HttpStatus::kTooLarge);
    EXPECT_EQ(
        JudgeRequest(Cat("GET /metrics HTTP/1.1\r\nA: ", std::string(5000, 'x'), "\r\n", kHost)),
        HttpStatus::kTooLarge);
}

TEST(HttpServer, SaysHowLongItsReplyIs) {
    EXPECT_EQ(HttpReply(HttpStatus::kOk, "text/plain", "abc"),
              "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n"
              "Connection: close\r\n\r\nabc");
    EXPECT_TRUE(
        HttpReply(HttpStatus::kNotAllowed, "text/plain", "").contains("\r\nAllow: GET\r\n"));
}

TEST(HttpServer, ListensToThisDeviceUnlessToldOtherwise) {
    auto text = [](std::string_view address) {
        auto at = ParseListenAddress(address);
        return at ? Cat(at->address, " ", std::to_string(at->port), at->v6 ? " v6" : "")
                  : std::string("no");
    };
    EXPECT_EQ(text("9100"), "127.0.0.1 9100");
    EXPECT_EQ(text("0.0.0.0:9100"), "0.0.0.0 9100");
    EXPECT_EQ(text("[::1]:65535"), "::1 65535 v6");
    for (const char* bad : {"", "0", "65536", "localhost:1", "::1:9100", "[::1]", ":9100", "-1",
                            "127.0.0.1:", "[127.0.0.1]:1"})
        EXPECT_EQ(text(bad), "no") << bad;
}

}  // namespace
}  // namespace husk::cli
