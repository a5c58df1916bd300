#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "supervisor/health_probe.h"

namespace husk::supervisor {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(HttpStatus, IsReadFromTheFirstLine) {
    EXPECT_EQ(HttpStatus("HTTP/1.1 200 OK\r\n"), 200);
    EXPECT_EQ(HttpStatus("HTTP/1.0 503 Service Unavailable\r\nX: y\r\n"), 503);
    EXPECT_EQ(HttpStatus("HTTP/1.1 204\r\n"), 204);
    EXPECT_EQ(HttpStatus("HTTP/1.1 301 \n"), 301);
}

TEST(HttpStatus, AHalfLineIsWaitedFor) {
    const std::string line = "HTTP/1.1 200 OK\r";
    for (size_t i = 0; i <= line.size(); ++i)
        EXPECT_EQ(HttpStatus(line.substr(0, i)), std::nullopt) << i;
}

TEST(HttpStatus, WhatIsNoHttpIsSaidAtOnce) {
    for (const char* text :
         {"SSH-2.0-dropbear\r\n", "H2", "HTTP/2 200\r\n", "HTTP/1.1 20\n", "HTTP/1.1 2000\n",
          "HTTP/1.1 -20 x\n", "HTTP/1.x 200 OK\n", "HTTP/1.1_200 OK\n", "HTTP/1.1 999 x\n", "\n"})
        EXPECT_EQ(HttpStatus(text), 0) << text;
    std::string endless = "HTTP/1.1 200 ";
    endless.resize(kMaxStatusLine - 1, 'x');
    EXPECT_EQ(HttpStatus(endless), std::nullopt);
    EXPECT_EQ(HttpStatus(endless + "x"), 0);
}

TEST(HttpRequest, NamesHostPortAndPath) {
    EXPECT_EQ(HttpRequest({.host = "localhost", .port = 80, .path = "/"}),
              "GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: husk\r\nAccept: */*\r\n"
              "Connection: close\r\n\r\n");
    EXPECT_NE(HttpRequest({.host = "::1", .port = 8080, .path = "/x?y=1"})
                  .find("GET /x?y=1 HTTP/1.1\r\nHost: [::1]:8080\r\n"),
              std::string::npos);
}

TEST(ProbeAddresses, LocalhostIsBothFamiliesAndOtherNamesAreNone) {
    const auto both = ProbeAddresses({.host = "localhost", .port = 1});
    ASSERT_EQ(both.size(), 2u);
    EXPECT_EQ(both[0].storage.ss_family, AF_INET);
    EXPECT_EQ(both[1].storage.ss_family, AF_INET6);
    EXPECT_EQ(ProbeAddresses({.host = "10.0.0.1", .port = 1}).size(), 1u);
    EXPECT_EQ(ProbeAddresses({.host = "fd00::2", .port = 1}).size(), 1u);
    EXPECT_TRUE(ProbeAddresses({.host = "db", .port = 1}).empty());
}

// A server of this test's own on a port of 127.0.0.1 that was free.
class Server {
  public:
    explicit Server(EventLoop& loop, std::string answer) : loop_(loop), answer_(std::move(answer)) {
        listener_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in address{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
        EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address),
                  0);
        EXPECT_EQ(::listen(listener_.get(), 8), 0);
        socklen_t size = sizeof address;
        EXPECT_EQ(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
        port = ntohs(address.sin_port);
        EXPECT_TRUE(loop_.Add(listener_.get(), EPOLLIN, [this](uint32_t) { Accept(); }));
    }
    ~Server() {
        loop_.Remove(listener_.get());
        if (client_) loop_.Remove(client_.get());
    }
    uint16_t port = 0;
    std::string asked;

  private:
    void Accept() {
        client_.reset(::accept(listener_.get(), nullptr, nullptr));
        EXPECT_TRUE(loop_.Add(client_.get(), EPOLLIN, [this](uint32_t) {
            char bytes[1024];
            const ssize_t got = ::recv(client_.get(), bytes, sizeof bytes, 0);
            if (got > 0) asked.append(bytes, static_cast<size_t>(got));
            if (got <= 0 || asked.ends_with("\r\n\r\n")) loop_.Remove(client_.get());
            if (got <= 0 || answer_ == "silence") return;
            (void)!::send(client_.get(), answer_.data(), answer_.size(), MSG_NOSIGNAL);
            client_.reset();
        }));
    }
    EventLoop& loop_;
    OwnedFd listener_, client_;
    std::string answer_;
};

class HealthProbeTest : public testing::Test {
  protected:
    CheckResult Run(config::HealthTarget target, bool http, Duration timeout = seconds(10)) {
        std::optional<CheckResult> result;
        HealthProbe probe(loop, target, http, timeout, [&](CheckResult r) { result = r; });
        probe.Start(-1);
        EXPECT_FALSE(result.has_value());  // only from the loop
        const Instant until = MonotonicNow() + seconds(10);
        while (!result && MonotonicNow() < until) (void)loop.RunOnce(milliseconds(100));
        EXPECT_TRUE(result.has_value());
        return result.value_or(CheckResult{});
    }
    EventLoop loop = std::move(*EventLoop::Create());
};

TEST_F(HealthProbeTest, AStatusOf2xxAnd3xxIsHealthy) {
    for (int status : {200, 204, 302, 399, 100, 400, 404, 500, 503}) {
        Server server(loop, "HTTP/1.1 " + std::to_string(status) + " Words\r\n\r\n");
        const auto result = Run({.host = "127.0.0.1", .port = server.port, .path = "/h"}, true);
        EXPECT_EQ(result.good, status >= 200 && status < 400) << status;
        EXPECT_EQ(result.text, "HTTP status " + std::to_string(status));
        EXPECT_TRUE(server.asked.starts_with("GET /h HTTP/1.1\r\n"));
        EXPECT_GT(result.realtime, 0);
    }
}

TEST_F(HealthProbeTest, OnlyTheFirstLineOfAChunkedAnswerIsRead) {
    Server server(loop, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n" +
                            std::string(100'000, 'x'));
    EXPECT_TRUE(Run({.host = "localhost", .port = server.port}, true).good);
}

TEST_F(HealthProbeTest, ABadAnswerSaysWhatIsWrongWithIt) {
    for (auto [answer, text] : {std::pair{"SSH-2.0-x\r\n", "gave an answer that is not HTTP"},
                                {"", "closed the connection without an answer"},
                                {"HTTP/1.1 2", "closed the connection within its first line"}}) {
        Server server(loop, answer);
        const auto result = Run({.host = "127.0.0.1", .port = server.port}, true);
        EXPECT_FALSE(result.good);
        EXPECT_EQ(result.text, text);
    }
}

TEST_F(HealthProbeTest, APortThatAcceptsIsHealthyByTcp) {
    Server server(loop, "");
    const auto result = Run({.host = "localhost", .port = server.port}, false);
    EXPECT_TRUE(result.good);
    EXPECT_EQ(result.text, "accepts connections");
}

TEST_F(HealthProbeTest, ARefusedConnectionIsUnhealthy) {
    uint16_t port = 0;
    { port = Server(loop, "").port; }
    for (bool http : {false, true}) {
        const auto result = Run({.host = "localhost", .port = port}, http);
        EXPECT_FALSE(result.good);
        EXPECT_TRUE(result.text.starts_with("connect: ")) << result.text;
    }
}

TEST_F(HealthProbeTest, ASilentServerMeetsTheTimeout) {
    Server server(loop, "silence");
    const auto result = Run({.host = "127.0.0.1", .port = server.port}, true, milliseconds(50));
    EXPECT_FALSE(result.good);
    EXPECT_EQ(result.text, "no answer within 50ms");
}

TEST_F(HealthProbeTest, AHostThatIsNoAddressIsAnError) {
    EXPECT_FALSE(Run({.host = "db", .port = 1}, true).good);
}

}  // namespace
}  // namespace husk::supervisor
