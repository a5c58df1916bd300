// What starts a unit beside people: limits, pauses, and sockets by name.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "config/network_values.h"
#include "supervisor/activation.h"
#include "supervisor/listeners.h"

namespace husk::supervisor {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(TriggerLimit, TakesABurstInEachInterval) {
    TriggerLimit limit;
    Instant now{seconds(100)};
    for (int i = 0; i < kActivationBurst; ++i) EXPECT_TRUE(limit.Take(now + milliseconds(i)));
    EXPECT_FALSE(limit.Take(now + milliseconds(1999)));
    for (int i = 0; i < kActivationBurst; ++i) EXPECT_TRUE(limit.Take(now + kActivationInterval));
    EXPECT_FALSE(limit.Take(now + kActivationInterval));
}

TEST(ListenRetry, GrowsToAMinute) {
    EXPECT_EQ(ListenRetry(1), seconds(1));
    EXPECT_EQ(ListenRetry(2), seconds(2));
    EXPECT_EQ(ListenRetry(6), seconds(32));
    EXPECT_EQ(ListenRetry(7), seconds(60));
    EXPECT_EQ(ListenRetry(1'000'000), seconds(60));
    EXPECT_EQ(ListenRetry(0), seconds(1));
}

TEST(ListenerName, IsWhatTwoThatAreTheSameShare) {
    using config::Listener;
    auto name = [](Listener::Kind kind, const char* text, unsigned mode) {
        return ListenerName({kind, *config::ParseListenAddress(text), {}}, mode);
    };
    EXPECT_EQ(name(Listener::Kind::kStream, "8080", 0600), "ListenStream=8080");
    EXPECT_EQ(name(Listener::Kind::kDatagram, "[::1]:53", 0666), "ListenDatagram=[::1]:53");
    EXPECT_EQ(name(Listener::Kind::kStream, "@web", 0600), "ListenStream=@web");
    // With another mode it is opened anew.
    EXPECT_EQ(name(Listener::Kind::kFifo, "/run/x", 0640), "ListenFIFO=/run/x (0640)");
}

TEST(Listeners, AreTakenForBrokenWhereAProgramHasUndoneThem) {
    using config::Listener;
    const std::string path = Cat("@husk-test-", std::to_string(::getpid()));
    struct Case {
        Listener::Kind kind;
        std::string address;
        void (*undo)(int fd);
        bool bound;
    };
    const auto shut = [](int fd) { (void)::shutdown(fd, SHUT_RD); };
    const auto connect_to_itself = [](int fd) {
        sockaddr_storage address{};
        socklen_t size = sizeof address;
        auto* where = reinterpret_cast<sockaddr*>(&address);
        ASSERT_EQ(::getsockname(fd, where, &size), 0);
        ASSERT_EQ(::connect(fd, where, size), 0);
    };
    const auto wait_for_a_client = [](int fd) {
        sockaddr_storage address{};
        socklen_t size = sizeof address;
        auto* where = reinterpret_cast<sockaddr*>(&address);
        ASSERT_EQ(::getsockname(fd, where, &size), 0);
        const OwnedFd client(::socket(address.ss_family, SOCK_STREAM, 0));
        ASSERT_EQ(::connect(client.get(), where, size), 0);  // and is gone
    };
    for (const Case& one : {
             Case{Listener::Kind::kStream, "127.0.0.1:0", [](int) {}, true},
             Case{Listener::Kind::kStream, "127.0.0.1:0", wait_for_a_client, true},
             Case{Listener::Kind::kStream, "127.0.0.1:0", shut, false},
             Case{Listener::Kind::kStream, path, [](int) {}, true},
             Case{Listener::Kind::kStream, path, wait_for_a_client, true},
             Case{Listener::Kind::kStream, path, shut, false},
             Case{Listener::Kind::kDatagram, "127.0.0.1:0", [](int) {}, true},
             Case{Listener::Kind::kDatagram, "127.0.0.1:0", shut, false},
             Case{Listener::Kind::kDatagram, "127.0.0.1:0", connect_to_itself, false},
             Case{Listener::Kind::kDatagram, path, [](int) {}, true},
             Case{Listener::Kind::kDatagram, path, shut, false},
             Case{Listener::Kind::kDatagram, path, connect_to_itself, false},
         }) {
        config::ListenAddress address;
        if (one.address[0] == '@') {
            address.path = one.address;
        } else {
            address = *config::ParseListenAddress("127.0.0.1:1");
            address.port = 0;
        }
        const Listener listener{one.kind, address, {}};
        auto socket = MakeListener(listener, 0600, "");
        ASSERT_TRUE(socket);
        EXPECT_FALSE(IsBound(socket->get(), listener));
        ASSERT_TRUE(BindListener(socket->get(), listener, 0600, ""));
        one.undo(socket->get());
        EXPECT_EQ(IsBound(socket->get(), listener), one.bound)
            << one.address << (one.kind == Listener::Kind::kStream ? " stream" : " datagram");
    }
}

TEST(HasActivation, IsOfATimerOrASocket) {
    config::Unit unit;
    EXPECT_FALSE(HasActivation(unit));
    unit.timer.on_boot = {seconds(1)};
    EXPECT_TRUE(HasActivation(unit));
    unit.timer = {};
    unit.socket.listeners.push_back({});
    EXPECT_TRUE(HasActivation(unit));
}

}  // namespace
}  // namespace husk::supervisor
