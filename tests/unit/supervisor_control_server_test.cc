// The control socket with real clients, all in one thread: the loop turns while a client waits.
#include <climits>
#include <cstring>
#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>

#include "base/event_loop.h"
#include "supervisor/control_protocol.h"
#include "supervisor/control_server.h"
#include "tests/lib/temporary_folder.h"

namespace husk::supervisor {
namespace {

using namespace std::chrono_literals;

class ControlSocket : public ::testing::Test {
  protected:
    void SetUp() override { Serve(); }

    void Serve() {
        server_.reset();
        auto server = ControlServer::Create(
            loop_, folder_ / "control",
            [this](ControlServer::ConnectionId id, Access access, const std::string& request) {
                requests_.push_back({id, request});
                accesses_.push_back(access);
                if (on_request_) on_request_(id, request);
            },
            readers_, limits_);
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
    std::vector<Access> accesses_;
    std::optional<gid_t> readers_;
    ControlServer::Limits limits_;
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
    Turn(210);
    ASSERT_EQ(requests_.size(), 200u);
    for (const auto& [id, request] : requests_) server_->Answer(id, request);  // later
    for (size_t i = 0; i < clients.size(); ++i)
        EXPECT_EQ(Receive(clients[i].get()), std::to_string(i) + "\n");
}

// Becomes somebody else for as long as it lives, as SO_PEERCRED and SO_PEERGROUPS see it.
class Somebody {
  public:
    explicit Somebody(const Peer& peer) {
        EXPECT_EQ(::setgroups(peer.groups.size(), peer.groups.data()), 0);
        EXPECT_EQ(::setegid(peer.gid), 0);
        EXPECT_EQ(::seteuid(peer.uid), 0);
    }
    ~Somebody() {
        EXPECT_EQ(::seteuid(0), 0);
        EXPECT_EQ(::setegid(0), 0);
        EXPECT_EQ(::setgroups(0, nullptr), 0);
    }
};

class ReadersSocket : public ControlSocket {
  protected:
    static constexpr gid_t kReaders = 4711;

    void SetUp() override {
        if (::geteuid() != 0) GTEST_SKIP() << "needs root to be somebody else";
        ASSERT_EQ(::chmod((folder_ / "").c_str(), 0755), 0);
        readers_ = kReaders;
        Serve();
    }

    OwnedFd ConnectAs(const Peer& peer) {
        Somebody somebody(peer);
        return Connect();
    }
    OwnedFd Reader() { return ConnectAs({1000, kReaders, {}}); }
};

TEST_F(ReadersSocket, IsForItsGroupToo) {
    struct stat file {};
    ASSERT_EQ(::stat((folder_ / "control").c_str(), &file), 0);
    EXPECT_EQ(file.st_mode & 0777, 0660u);
    EXPECT_EQ(file.st_gid, kReaders);
}

TEST_F(ReadersSocket, TellsRootFromMembersOfTheGroup) {
    AnswerAtOnce();
    std::vector<gid_t> many(200);  // more than are asked for at first
    for (size_t i = 0; i < many.size(); ++i) many[i] = static_cast<gid_t>(5000 + i);
    many[150] = kReaders;
    const Peer peers[] = {
        {0, 0, {}}, {1000, kReaders, {}}, {1000, 1000, {1, kReaders}}, {1000, 1000, many}};
    for (const auto& peer : peers) {
        OwnedFd client = ConnectAs(peer);
        ASSERT_TRUE(Send(client.get(), "x\n"));
        EXPECT_EQ(Receive(client.get()), "{x}\n");
    }
    EXPECT_EQ(accesses_, (std::vector{Access::kAll, Access::kRead, Access::kRead, Access::kRead}));
}

TEST_F(ReadersSocket, AnswersNobodyElseWhoeverCanConnect) {
    ASSERT_EQ(::chmod((folder_ / "control").c_str(), 0666), 0);
    const Peer peers[] = {{65534, 65534, {}}, {1000, 1000, {1, 2, 3}}};
    for (const auto& peer : peers) {
        OwnedFd client = ConnectAs(peer);
        Turn(2);
        (void)::send(client.get(), "{}\n", 3, MSG_NOSIGNAL);  // it may be closed by now
        EXPECT_NE(Receive(client.get()).find("\"not-allowed\""), std::string::npos);
    }
    EXPECT_TRUE(requests_.empty());
}

TEST_F(ReadersSocket, LeavesRoomForRootHoweverManyReadersThereAre) {
    limits_.connections = 20;
    Serve();
    std::vector<OwnedFd> readers;
    for (int i = 0; i < 10; ++i) {
        readers.push_back(Reader());
        ASSERT_TRUE(Send(readers.back().get(), "wait\n"));  // nobody answers: none can be let go
    }
    Turn(30);
    ASSERT_EQ(requests_.size(), 10u);
    OwnedFd one_more = Reader();
    EXPECT_NE(Receive(one_more.get()).find("\"busy\""), std::string::npos);
    AnswerAtOnce();
    OwnedFd root = Connect();
    ASSERT_TRUE(Send(root.get(), "x\n"));
    EXPECT_EQ(Receive(root.get()), "{x}\n");
}

TEST_F(ReadersSocket, WorksOnRootsRequestsFirst) {
    std::vector<OwnedFd> clients;
    for (int i = 0; i < 5; ++i) clients.push_back(Reader());
    clients.push_back(Connect());
    Turn(10);
    for (auto& client : clients) ASSERT_EQ(::send(client.get(), "x\n", 2, 0), 2);
    Turn();
    ASSERT_EQ(accesses_.size(), 1u) << "one in a turn";
    EXPECT_EQ(accesses_[0], Access::kAll);
    Turn(5);
    EXPECT_EQ(accesses_.size(), 6u);
}

TEST_F(ReadersSocket, BoundsTheBytesThatWaitForSlowReaders) {
    limits_.queued = 4 << 20;
    Serve();
    size_t taken = 0;
    on_request_ = [&](auto id, const std::string& request) {
        taken += request == "long";
        server_->Answer(id, request == "long" ? std::string(1 << 20, 'y') : request);
    };
    std::vector<OwnedFd> readers;
    for (int i = 0; i < 20; ++i) {
        readers.push_back(Reader());
        ASSERT_TRUE(Send(readers.back().get(), "long\n"));
    }
    Turn(60);
    EXPECT_EQ(taken, 2u) << "beyond the half of all bytes nothing is worked on for them";
    EXPECT_NE(Receive(readers.back().get()).find("\"busy\""), std::string::npos);
    // Root's requests go on, long and short.
    OwnedFd root = Connect();
    ASSERT_TRUE(Send(root.get(), "long\n"));
    EXPECT_EQ(Receive(root.get()).size(), (1u << 20) + 1);
    // And theirs do once the slow ones have taken what they asked for.
    for (auto& reader : readers) Receive(reader.get());
    OwnedFd again = Reader();
    ASSERT_TRUE(Send(again.get(), "x\n"));
    EXPECT_EQ(Receive(again.get()), "x\n");
}

TEST_F(ControlSocket, LeavesALongAnswerOutRatherThanToGrow) {
    limits_.queued = 1 << 20;
    Serve();
    std::vector<OwnedFd> clients;
    for (int i = 0; i < 5; ++i) {
        clients.push_back(Connect());
        ASSERT_TRUE(Send(clients.back().get(), "wait\n"));
    }
    Turn(10);
    ASSERT_EQ(requests_.size(), 5u);  // all are worked on; then all are done at once
    for (const auto& [id, request] : requests_) server_->Answer(id, std::string(2 << 20, 'y'));
    EXPECT_EQ(Receive(clients[0].get()).size(), (2u << 20) + 1);
    for (size_t i = 1; i < clients.size(); ++i)
        EXPECT_NE(Receive(clients[i].get()).find("\"busy\""), std::string::npos);
}

TEST_F(ControlSocket, BoundsRequestsThatNeverEnd) {
    limits_.queued = 256 << 10;
    Serve();
    std::vector<OwnedFd> clients;
    size_t refused = 0;
    for (int i = 0; i < 50; ++i) {
        clients.push_back(Connect());
        Send(clients.back().get(), std::string(60'000, 'x'));
    }
    Turn(20);
    for (auto& client : clients) {
        char data[200];
        const ssize_t got = ::recv(client.get(), data, sizeof data, 0);
        refused += got > 0 && std::string(data, static_cast<size_t>(got)).contains("\"busy\"");
    }
    EXPECT_GE(refused, 40u);
}

class Crowd : public ControlSocket {
  protected:
    void SetUp() override {
        ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit_), 0);
        rlimit more = limit_;
        more.rlim_cur = std::min<rlim_t>(4096, limit_.rlim_max);
        if (more.rlim_cur < 2200 || ::setrlimit(RLIMIT_NOFILE, &more) != 0)
            GTEST_SKIP() << "too few descriptors";
        Serve();
    }
    void TearDown() override { EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &limit_), 0); }

    // Turns of the loop until another client has its answer.
    int TurnsForAnAnswer() {
        AnswerAtOnce();
        OwnedFd client = Connect();
        EXPECT_EQ(::send(client.get(), "x\n", 2, 0), 2);
        for (int turns = 1; turns < 10'000; ++turns) {
            Turn();
            char data[16];
            if (::recv(client.get(), data, sizeof data, 0) > 0) return turns;
        }
        return INT_MAX;
    }

    rlimit limit_{};
};

TEST_F(Crowd, OfAThousandThatSayNothingHoldsNobodyUp) {
    std::vector<OwnedFd> clients;
    for (int i = 0; i < 1000; ++i) {
        clients.push_back(Connect());
        Turn();
    }
    EXPECT_LE(TurnsForAnAnswer(), 5);
    // Beyond what there is room for, the oldest of them goes, and is told why.
    for (int i = 0; i < 100; ++i) {
        clients.push_back(Connect());
        Turn();
    }
    EXPECT_LE(TurnsForAnAnswer(), 5);
    EXPECT_NE(Receive(clients.front().get()).find("\"busy\""), std::string::npos);
}

TEST_F(Crowd, OfAThousandThatTakeNoAnswerHoldsNobodyUp) {
    on_request_ = [this](auto id, const std::string&) {
        server_->Answer(id, std::string(300'000, 'y'));
    };
    std::vector<OwnedFd> clients;
    for (int i = 0; i < 1000; ++i) {
        clients.push_back(Connect());
        ASSERT_EQ(::send(clients.back().get(), "x\n", 2, 0), 2);
        Turn(2);
    }
    OwnedFd client = Connect();
    ASSERT_EQ(::send(client.get(), "x\n", 2, 0), 2);
    Turn(5);
    char data[200];
    const ssize_t got = ::recv(client.get(), data, sizeof data, 0);
    ASSERT_GT(got, 0);
    EXPECT_TRUE(std::string(data, static_cast<size_t>(got)).contains("\"busy\""));
    clients.resize(980);  // 20 hang up: what they held is free
    Turn(30);
    EXPECT_LE(TurnsForAnAnswer(), 5);
}

TEST_F(Crowd, OfAThousandAtOnceIsAnsweredOneATurn) {
    std::vector<OwnedFd> clients;
    for (int i = 0; i < 1000; ++i) clients.push_back(Connect());  // the backlog takes them
    for (auto& client : clients) ASSERT_EQ(::send(client.get(), "x\n", 2, 0), 2);
    AnswerAtOnce();
    size_t before = 0;
    for (int i = 0; i < 2100 && requests_.size() < 1000; ++i) {
        Turn();
        ASSERT_LE(requests_.size() - before, 1u) << "what units need comes between any two";
        before = requests_.size();
    }
    for (auto& client : clients) ASSERT_EQ(Receive(client.get()), "{x}\n");
}

TEST_F(Crowd, TellsClientsThatAreTooManyToTryAgain) {
    std::vector<OwnedFd> clients;
    for (int i = 0; i < 1024; ++i) {
        clients.push_back(Connect());
        ASSERT_EQ(::send(clients.back().get(), "wait\n", 5, 0), 5);
        Turn(2);
    }
    OwnedFd late = Connect();
    EXPECT_NE(Receive(late.get()).find("\"busy\""), std::string::npos);
    clients.resize(1000);
    Turn(50);
    AnswerAtOnce();
    OwnedFd again = Connect();
    ASSERT_TRUE(Send(again.get(), "x\n"));
    EXPECT_EQ(Receive(again.get()), "{x}\n");
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
    auto next =
        ControlServer::Create(loop_, folder_ / "control", [](auto, Access, const std::string&) {});
    EXPECT_TRUE(next) << next.error().text();
}

TEST_F(ControlSocket, SaysWhyItCannotListen) {
    auto handler = [](auto, Access, const std::string&) {};
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

// --- streams

TEST_F(ControlSocket, AStreamGoesOnUntilTheClientHangsUp) {
    OwnedFd client = Connect();
    ControlServer::ConnectionId id = 0;
    on_request_ = [&](auto asked, const std::string&) {
        id = asked;
        EXPECT_TRUE(server_->BeginStream(asked, "first\n"));
    };
    ASSERT_TRUE(Send(client.get(), "follow\n"));
    Turn(3);
    EXPECT_TRUE(server_->SendLine(id, "one"));
    EXPECT_TRUE(server_->SendLine(id, "two"));
    Turn(3);
    char data[100] = {};
    EXPECT_EQ(::recv(client.get(), data, sizeof data, 0), 14);
    EXPECT_STREQ(data, "first\none\ntwo\n");
    client.reset();
    Turn(2);
    EXPECT_FALSE(server_->IsOpen(id));
    EXPECT_FALSE(server_->SendLine(id, "three"));
}

TEST_F(ControlSocket, ASlowFollowerIsToldHowManyLinesItMissed) {
    OwnedFd client = Connect();
    ControlServer::ConnectionId id = 0;
    on_request_ = [&](auto asked, const std::string&) {
        id = asked;
        server_->BeginStream(asked, "first\n");
    };
    ASSERT_TRUE(Send(client.get(), "follow\n"));
    Turn(3);
    const std::string line(1000, 'x');
    constexpr uint64_t kLines = 2000;
    for (uint64_t i = 0; i < kLines; ++i) EXPECT_TRUE(server_->SendLine(id, line));
    std::string text;
    uint64_t missed = 0;
    const Instant limit = MonotonicNow() + 20s;
    while (missed == 0 && MonotonicNow() < limit) {
        char data[65536];
        const ssize_t got = ::recv(client.get(), data, sizeof data, 0);
        if (got > 0) text.append(data, static_cast<size_t>(got));
        Turn();
        const auto at = text.find("\"count\":");
        if (at != text.npos && text.ends_with("}\n")) missed = std::stoull(text.substr(at + 8));
    }
    const auto whole = static_cast<uint64_t>(std::ranges::count(text, 'x')) / 1000;
    EXPECT_GT(missed, 0u);
    EXPECT_EQ(whole + missed, kLines);
    // And then it goes on.
    EXPECT_TRUE(server_->SendLine(id, "last"));
    Turn(2);
    char data[100] = {};
    EXPECT_EQ(::recv(client.get(), data, sizeof data, 0), 5);
}

TEST_F(ControlSocket, TheNumberOfFollowersIsBounded) {
    size_t streams = 0;
    on_request_ = [&](auto asked, const std::string&) {
        streams += server_->BeginStream(asked, "first\n");
    };
    std::vector<OwnedFd> clients;
    for (size_t i = 0; i < ControlServer::kMostStreams; ++i) {
        clients.push_back(Connect());
        ASSERT_TRUE(Send(clients.back().get(), "follow\n"));
        Turn(3);
    }
    EXPECT_EQ(streams, ControlServer::kMostStreams);
    OwnedFd one_more = Connect();
    ASSERT_TRUE(Send(one_more.get(), "follow\n"));
    EXPECT_NE(Receive(one_more.get()).find("busy"), std::string::npos);
    clients.pop_back();
    Turn(2);
    clients.push_back(Connect());
    ASSERT_TRUE(Send(clients.back().get(), "follow\n"));
    Turn(3);
    EXPECT_EQ(streams, ControlServer::kMostStreams + 1);
}

}  // namespace
}  // namespace husk::supervisor
