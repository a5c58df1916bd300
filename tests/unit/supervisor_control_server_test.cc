// The control socket with real clients, all in one thread: the loop turns while a client waits.
#include <cstring>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/event_loop.h"
#include "supervisor/control_protocol.h"
#include "supervisor/control_server.h"
#include "tests/lib/temporary_folder.h"

namespace husk::supervisor {
namespace {

using namespace std::chrono_literals;

class ControlSocket : public ::testing::Test {
  protected:
    void SetUp() override {
        auto server = ControlServer::Create(
            loop_, folder_ / "control",
            [this](ControlServer::ConnectionId id, const std::string& request) {
                requests_.push_back({id, request});
                if (on_request_) on_request_(id, request);
            });
        ASSERT_TRUE(server) << server.error().text();
        server_ = std::move(*server);
    }

    OwnedFd Connect() {
        OwnedFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        sockaddr_un address{.sun_family = AF_UNIX};
        std::strcpy(address.sun_path, (folder_ / "control").c_str());
        EXPECT_EQ(::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0)
            << std::strerror(errno);
        return socket;
    }

    void Turn(int rounds = 1) {
        for (int i = 0; i < rounds; ++i) ASSERT_TRUE(loop_.RunOnce(0ns));
    }

    // As much as the socket takes, with the loop turning in between; whether all of it went.
    bool Send(int socket, std::string_view text) {
        while (!text.empty()) {
            const ssize_t put = ::send(socket, text.data(), text.size(), MSG_NOSIGNAL);
            if (put < 0 && errno != EAGAIN) return false;
            if (put > 0) text.remove_prefix(static_cast<size_t>(put));
            Turn();
        }
        return true;
    }

    // Everything up to the end of the connection.
    std::string Receive(int socket) {
        std::string text;
        const Instant limit = MonotonicNow() + 20s;
        while (MonotonicNow() < limit) {
            char data[4096];
            const ssize_t got = ::recv(socket, data, sizeof data, 0);
            if (got > 0)
                text.append(data, static_cast<size_t>(got));
            else if (got == 0 || errno != EAGAIN)
                return text;
            Turn();
        }
        ADD_FAILURE() << "the connection stays open";
        return text;
    }

    void AnswerAtOnce() {
        on_request_ = [this](auto id, const std::string& request) {
            server_->Answer(id, "{" + request + "}");
        };
    }

    testing::TemporaryFolder folder_;
    EventLoop loop_ = std::move(*EventLoop::Create());
    std::function<void(ControlServer::ConnectionId, const std::string&)> on_request_;
    std::vector<std::pair<ControlServer::ConnectionId, std::string>> requests_;
    std::unique_ptr<ControlServer> server_;
};

TEST_F(ControlSocket, AnswersOneLineWithOneLineAndCloses) {
    AnswerAtOnce();
    OwnedFd client = Connect();
    ASSERT_TRUE(Send(client.get(), "hello\n"));
    EXPECT_EQ(Receive(client.get()), "{hello}\n");
    EXPECT_EQ(requests_.size(), 1u);
}

TEST_F(ControlSocket, IsForItsOwnerOnly) {
    struct stat file {};
    ASSERT_EQ(::stat((folder_ / "control").c_str(), &file), 0);
    EXPECT_EQ(file.st_mode & 0777, 0600u);
}

TEST_F(ControlSocket, TakesARequestInPieces) {
    AnswerAtOnce();
    OwnedFd client = Connect();
    for (char c : std::string("one byte at a time\n")) ASSERT_TRUE(Send(client.get(), {&c, 1}));
    EXPECT_EQ(Receive(client.get()), "{one byte at a time}\n");
}

TEST_F(ControlSocket, TakesTheLargestRequestAndRefusesALargerOne) {
    AnswerAtOnce();
    OwnedFd client = Connect();
    const std::string largest(kMaxControlRequest, 'x');
    ASSERT_TRUE(Send(client.get(), largest + "\n"));
    EXPECT_EQ(Receive(client.get()), "{" + largest + "}\n");
    OwnedFd other = Connect();
    Send(other.get(), std::string(kMaxControlRequest + 1, 'x'));
    EXPECT_NE(Receive(other.get()).find("\"too-large\""), std::string::npos);
    EXPECT_EQ(requests_.size(), 1u);
}

TEST_F(ControlSocket, RefusesAFloodThatNeverEnds) {
    OwnedFd client = Connect();
    EXPECT_FALSE(Send(client.get(), std::string(8 << 20, 'x'))) << "it is cut off";
    EXPECT_TRUE(requests_.empty());
}

TEST_F(ControlSocket, WritesALongAnswerAsTheClientTakesIt) {
    const std::string long_answer(4 << 20, 'y');
    on_request_ = [&](auto id, const std::string&) { server_->Answer(id, long_answer); };
    OwnedFd slow = Connect();
    ASSERT_TRUE(Send(slow.get(), "status\n"));
    // It takes nothing yet, and another one is served meanwhile.
    Turn(100);
    AnswerAtOnce();
    OwnedFd quick = Connect();
    ASSERT_TRUE(Send(quick.get(), "version\n"));
    EXPECT_EQ(Receive(quick.get()), "{version}\n");
    EXPECT_EQ(Receive(slow.get()), long_answer + "\n");
}

TEST_F(ControlSocket, ServesManyClientsAtOnceInAnyOrder) {
    std::vector<OwnedFd> clients;
    for (int i = 0; i < 200; ++i) {
        clients.push_back(Connect());
        Turn();
    }
    for (size_t i = clients.size(); i-- > 0;)
        ASSERT_TRUE(Send(clients[i].get(), std::to_string(i) + "\n"));
    Turn(10);
    ASSERT_EQ(requests_.size(), 200u);
    for (const auto& [id, request] : requests_) server_->Answer(id, request);  // later
    for (size_t i = 0; i < clients.size(); ++i)
        EXPECT_EQ(Receive(clients[i].get()), std::to_string(i) + "\n");
}

TEST_F(ControlSocket, AnswersTheDevicesRootOnlyWhoeverCanConnect) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root to be somebody else";
    ASSERT_EQ(::chmod((folder_ / "").c_str(), 0755), 0);
    ASSERT_EQ(::chmod((folder_ / "control").c_str(), 0666), 0);
    ASSERT_EQ(::seteuid(65534), 0);
    OwnedFd client = Connect();
    ASSERT_EQ(::seteuid(0), 0);
    Turn(2);
    (void)::send(client.get(), "{}\n", 3, MSG_NOSIGNAL);  // it may be closed by now
    EXPECT_NE(Receive(client.get()).find("\"not-allowed\""), std::string::npos);
    EXPECT_TRUE(requests_.empty());
}

TEST_F(ControlSocket, TellsClientsThatAreTooManyToTryAgain) {
    rlimit limit{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
    rlimit more = limit;
    more.rlim_cur = std::min<rlim_t>(4096, limit.rlim_max);
    if (more.rlim_cur < 2200 || ::setrlimit(RLIMIT_NOFILE, &more) != 0)
        GTEST_SKIP() << "too few descriptors";
    std::vector<OwnedFd> clients;
    for (int i = 0; i < 1024; ++i) {
        clients.push_back(Connect());
        Turn();
    }
    OwnedFd late = Connect();
    EXPECT_NE(Receive(late.get()).find("\"busy\""), std::string::npos);
    clients.resize(1000);
    Turn(50);
    AnswerAtOnce();
    OwnedFd again = Connect();
    ASSERT_TRUE(Send(again.get(), "x\n"));
    EXPECT_EQ(Receive(again.get()), "{x}\n");
    clients.clear();
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
}

TEST_F(ControlSocket, ForgetsAClientThatHangsUp) {
    OwnedFd client = Connect();
    ASSERT_TRUE(Send(client.get(), "wait\n"));
    Turn(3);
    ASSERT_EQ(requests_.size(), 1u);
    client.reset();
    Turn(3);
    server_->Answer(requests_[0].first, "late");  // nobody is there, and nothing happens
    server_->Answer(12345, "never there");
}

TEST_F(ControlSocket, TakesNoSecondRequestWhileTheFirstIsWorkedOn) {
    OwnedFd client = Connect();
    ASSERT_TRUE(Send(client.get(), "wait\n"));
    Turn(3);
    ASSERT_TRUE(Send(client.get(), "more\n"));
    Turn(3);
    ASSERT_EQ(requests_.size(), 1u);
    server_->Answer(requests_[0].first, "{}");
    EXPECT_EQ(Receive(client.get()), "{}\n");
    EXPECT_EQ(requests_.size(), 1u);
}

TEST_F(ControlSocket, AnswersAClientThatHasNothingMoreToSay) {
    OwnedFd client = Connect();
    ASSERT_TRUE(Send(client.get(), "wait\n"));
    ASSERT_EQ(::shutdown(client.get(), SHUT_WR), 0);
    Turn(3);
    ASSERT_EQ(requests_.size(), 1u);
    server_->Answer(requests_[0].first, "{}");
    EXPECT_EQ(Receive(client.get()), "{}\n");
}

TEST_F(ControlSocket, HandsDescriptorsOverWithTheFirstByte) {
    folder_.Write("log", "line");
    on_request_ = [&](auto id, const std::string&) {
        std::vector<OwnedFd> descriptors;
        descriptors.push_back(std::move(*OpenFile(folder_ / "log", O_RDONLY)));
        server_->Answer(id, std::string(1 << 20, 'z'), std::move(descriptors));
    };
    OwnedFd client = Connect();
    ASSERT_TRUE(Send(client.get(), "logs\n"));
    Turn(3);
    char byte;
    iovec part{&byte, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))];
    msghdr message{.msg_iov = &part,
                   .msg_iovlen = 1,
                   .msg_control = control,
                   .msg_controllen = sizeof control};
    ASSERT_EQ(::recvmsg(client.get(), &message, MSG_CMSG_CLOEXEC), 1);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    ASSERT_NE(header, nullptr);
    ASSERT_EQ(header->cmsg_len, CMSG_LEN(sizeof(int))) << "one descriptor, once";
    int number;
    std::memcpy(&number, CMSG_DATA(header), sizeof number);
    OwnedFd log(number);
    EXPECT_EQ(ReadAll(log.get(), 100, "log"), "line");
    EXPECT_EQ(Receive(client.get()).size(), size_t{1 << 20});
}

TEST_F(ControlSocket, TakesThePlaceOfAnEarlierSupervisorsSocket) {
    auto next = ControlServer::Create(loop_, folder_ / "control", [](auto, const std::string&) {});
    EXPECT_TRUE(next) << next.error().text();
}

TEST_F(ControlSocket, SaysWhyItCannotListen) {
    auto handler = [](auto, const std::string&) {};
    EXPECT_NE(ControlServer::Create(loop_, "/" + std::string(200, 'x'), handler)
                  .error()
                  .text()
                  .find("too long"),
              std::string::npos);
    EXPECT_EQ(ControlServer::Create(loop_, "/nonexistent/control", handler).error().code(), ENOENT);
}

TEST_F(ControlSocket, GoesWithItsClients) {
    OwnedFd client = Connect();
    Turn();
    server_.reset();
    EXPECT_EQ(Receive(client.get()), "");
}

}  // namespace
}  // namespace husk::supervisor
