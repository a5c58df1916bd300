// The client against a fake supervisor: over a socket pair where one answer is enough, in a child
// process where connecting counts.
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "base/text.h"
#include "cli/client.h"

namespace husk::cli {
namespace {

constexpr Duration kSoon = std::chrono::milliseconds(50);
constexpr std::string_view kOk = "{\"version\":1,\"ok\":true}\n";

class CliExchange : public testing::Test {
  protected:
    void SetUp() override {
        int ends[2];
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
        client_.reset(ends[0]);
        server_.reset(ends[1]);
    }
    void Answer(std::string_view text) {
        ASSERT_EQ(::send(server_.get(), text.data(), text.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(text.size()));
    }
    std::string ErrorOfExchange() {
        auto reply = Exchange(client_.get(), {.verb = "status"}, kSoon);
        return reply ? "no error" : reply.error().text();
    }

    OwnedFd client_, server_;
};

TEST_F(CliExchange, SendsOneLineAndReadsOneLine) {
    Answer("{\"version\":1,\"ok\":true,\"state\":\"running\"}\nwhat follows is not read");
    auto reply = Exchange(client_.get(), {.verb = "status", .units = {"web"}}, kSoon);
    ASSERT_TRUE(reply) << reply.error().text();
    EXPECT_EQ(reply->answer.state, "running");
    EXPECT_EQ(reply->line, "{\"version\":1,\"ok\":true,\"state\":\"running\"}");
    char got[256]{};
    ASSERT_GT(::recv(server_.get(), got, sizeof got - 1, 0), 0);
    EXPECT_STREQ(got, "{\"version\":1,\"verb\":\"status\",\"units\":[\"web\"]}\n");
}

TEST_F(CliExchange, TakesDescriptors) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    char control[CMSG_SPACE(sizeof ends)]{};
    iovec part{const_cast<char*>(kOk.data()), kOk.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof ends);
    std::memcpy(CMSG_DATA(header), ends, sizeof ends);
    ASSERT_GT(::sendmsg(server_.get(), &message, 0), 0);
    ::close(ends[0]);
    ::close(ends[1]);
    auto reply = Exchange(client_.get(), {.verb = "logs"}, kSoon);
    ASSERT_TRUE(reply) << reply.error().text();
    ASSERT_EQ(reply->files.size(), 2u);
    EXPECT_EQ(::fcntl(reply->files[0].get(), F_GETFD), FD_CLOEXEC);
}

TEST_F(CliExchange, ASilentSupervisorIsNotWaitedForForEver) {
    EXPECT_NE(ErrorOfExchange().find("has not answered within 50ms"), std::string::npos);
}

TEST_F(CliExchange, AnAnswerThatIsCutIsASupervisorThatWentAway) {
    Answer("{\"version\":1,\"ok\":tr");
    server_.reset();
    auto reply = Exchange(client_.get(), {.verb = "status"}, kSoon);
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code(), ECONNRESET);
}

TEST_F(CliExchange, ARequestThatIsTooLongIsNotSent) {
    auto reply =
        Exchange(client_.get(), {.verb = "start", .units = {std::string(65536, 'x')}}, kSoon);
    ASSERT_FALSE(reply);
    EXPECT_NE(reply.error().text().find("name fewer units"), std::string::npos);
}

TEST_F(CliExchange, AnAnswerBeforeTheRequestIsReadWhereTheServerTurnsAway) {
    Answer("{\"version\":1,\"ok\":false,\"code\":\"busy\",\"error\":\"too many clients\"}\n");
    ::shutdown(server_.get(), SHUT_RD);
    auto reply = Exchange(client_.get(), {.verb = "status"}, kSoon);
    ASSERT_TRUE(reply) << reply.error().text();
    EXPECT_EQ(reply->answer.error, "too many clients");
}

// A folder of its own with a control socket, served by a child process.
class CliCall : public testing::Test {
  protected:
    void SetUp() override {
        char name[] = "/tmp/husk-cli-XXXXXX";
        ASSERT_NE(::mkdtemp(name), nullptr);
        options_.run_directory = name;
        options_.answer_patience = std::chrono::seconds(10);
    }
    void TearDown() override {
        if (child_ > 0) {
            ::kill(child_, SIGKILL);
            ::waitpid(child_, nullptr, 0);
        }
        ::unlink(Path().c_str());
        ::rmdir(options_.run_directory.c_str());
    }
    std::string Path() const { return options_.run_directory + "/control"; }
    int Listen() {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strcpy(address.sun_path, Path().c_str());
        const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ::unlink(address.sun_path);
        if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return -1;
        return ::listen(fd, 4) == 0 ? fd : -1;
    }
    void Serve(const std::function<void()>& server) {
        child_ = ::fork();
        ASSERT_GE(child_, 0);
        if (child_ == 0) {
            server();
            ::_exit(0);
        }
    }
    // Accepts one client; answers it or lets go of it.
    static void AcceptOne(int listener, bool answer) {
        const int fd = ::accept(listener, nullptr, nullptr);
        char request[512];
        (void)!::read(fd, request, sizeof request);
        if (answer) (void)!::write(fd, kOk.data(), kOk.size());
        ::close(fd);
    }

    CallOptions options_;
    pid_t child_ = -1;
};

TEST_F(CliCall, WhereNothingListensTheErrorSaysWhatToDo) {
    options_.connect_patience = kSoon;
    auto reply = Call(options_, {.verb = "status"});
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code(), ENOENT);
    EXPECT_NE(reply.error().text().find("'husk supervise' by hand?"), std::string::npos);
    EXPECT_NE(reply.error().text().find(Path()), std::string::npos);
}

TEST_F(CliCall, WithoutARunFolderThereIsNothingToWaitFor) {
    options_.connect_patience = std::chrono::hours(1);
    options_.run_directory += "/none";
    EXPECT_EQ(Call(options_, {.verb = "status"}).error().code(), ENOENT);
    options_.run_directory.resize(options_.run_directory.size() - 5);
}

TEST_F(CliCall, APathThatIsTooLongIsSaid) {
    CallOptions options;
    options.run_directory = "/" + std::string(200, 'x');
    EXPECT_NE(Call(options, {.verb = "status"}).error().text().find("too long"), std::string::npos);
}

TEST_F(CliCall, ASupervisorThatIsStartedAgainIsWaitedFor) {
    ::close(Listen());  // a socket that nobody listens on: refused
    Serve([&] {
        ::usleep(150'000);
        const int listener = Listen();
        AcceptOne(listener, true);
    });
    auto reply = Call(options_, {.verb = "status"});
    ASSERT_TRUE(reply) << reply.error().text();
    EXPECT_TRUE(reply->answer.ok);
}

TEST_F(CliCall, ARequestThatMayBeRepeatedIs) {
    const OwnedFd listener(Listen());
    Serve([&] {
        AcceptOne(listener.get(), false);
        AcceptOne(listener.get(), true);
    });
    auto reply = Call(options_, {.verb = "status"});
    ASSERT_TRUE(reply) << reply.error().text();
}

TEST_F(CliCall, ARequestThatMayNotBeRepeatedIsNot) {
    const OwnedFd listener(Listen());
    Serve([&] {
        AcceptOne(listener.get(), false);
        AcceptOne(listener.get(), true);
    });
    options_.repeatable = false;
    auto reply = Call(options_, {.verb = "restart"});
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code(), ECONNRESET);
}

}  // namespace
}  // namespace husk::cli
