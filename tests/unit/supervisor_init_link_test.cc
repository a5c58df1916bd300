// The supervisor's end against a PID 1 that the test plays, on the other end of a socket pair.
#include <cstring>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <deque>
#include <functional>
#include <map>
#include <thread>

#include "supervisor/init_link.h"

namespace husk::supervisor {
namespace {

using Type = InitPacketType;

void SendPacket(int socket, const InitPacket& packet, int fd = -1) {
    iovec part{const_cast<InitPacket*>(&packet), sizeof packet};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {};
    msghdr message{.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof fd);
        std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    EXPECT_EQ(::sendmsg(socket, &message, MSG_NOSIGNAL), ssize_t{sizeof packet});
}

// Answers each request as PID 1 would, until the link goes.
class FakeInit {
  public:
    FakeInit() {
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
        socket_.reset(ends[0]);
        link_socket_.reset(ends[1]);
    }
    ~FakeInit() {
        if (thread_.joinable()) thread_.join();
    }

    int socket() const { return socket_.get(); }
    OwnedFd TakeLinkSocket() { return std::move(link_socket_); }
    void Serve() {
        thread_ = std::thread([this] {
            while (Step()) {
            }
        });
    }
    // What it sends before each answer.
    std::function<void(const InitPacket&)> before_answer;
    // Instead of an answer.
    std::function<bool(const InitPacket&)> instead;

    std::map<uint32_t, OwnedFd> slots;
    std::deque<InitPacket> exits;

  private:
    bool Step() {
        InitPacket packet;
        iovec part{&packet, sizeof packet};
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
        msghdr message{.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = sizeof control};
        if (::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC) <= 0) return false;
        OwnedFd fd;
        if (cmsghdr* header = CMSG_FIRSTHDR(&message)) {
            int number;
            std::memcpy(&number, CMSG_DATA(header), sizeof number);
            fd.reset(number);
        }
        if (before_answer) before_answer(packet);
        if (instead && instead(packet)) return true;
        Answer(packet, std::move(fd));
        return true;
    }

    void Answer(const InitPacket& packet, OwnedFd fd) {
        InitPacket answer{.type = packet.type, .slot = packet.slot};
        int send = -1;
        switch (packet.type) {
            case Type::kHello:
                answer.value = 1;
                answer.pid = 3;
                break;
            case Type::kStore:
                if (slots.contains(packet.slot))
                    answer.number = EBUSY;
                else
                    slots[packet.slot] = std::move(fd);
                break;
            case Type::kFetch:
                if (auto slot = slots.find(packet.slot); slot != slots.end())
                    send = slot->second.get();
                else
                    answer.number = ENOENT;
                break;
            case Type::kDrop: answer.number = slots.erase(packet.slot) ? 0 : ENOENT; break;
            case Type::kNextExit:
                answer.number = ENOENT;
                for (const auto& exit : exits)
                    if (exit.value >= packet.value) {
                        answer = exit;
                        answer.type = Type::kNextExit;
                        break;
                    }
                break;
            case Type::kSnapshot: answer.number = ENOMEM; break;
            case Type::kUpgradeState:
                answer.value = static_cast<uint64_t>(UpgradePhase::kFailed);
                answer.status = static_cast<int32_t>(UpgradeFailure::kInitCrashed);
                answer.pid = 11;
                break;
            case Type::kShutdown:
            case Type::kShutdownNow:
            case Type::kWatchdog:
            case Type::kActions:
            case Type::kUpgrade:
            case Type::kProven:
            case Type::kKeep:
            case Type::kExitsPending:
            case Type::kShutdownWanted: break;
        }
        SendPacket(socket_.get(), answer, send);
    }

    OwnedFd socket_, link_socket_;
    std::thread thread_;
};

class Link : public ::testing::Test {
  protected:
    void Start() {
        link_ = InitLink(init_.TakeLinkSocket());
        init_.Serve();
    }
    FakeInit init_;
    InitLink link_;  // goes first, which ends the thread
};

OwnedFd Null() { return OwnedFd(::open("/dev/null", O_RDWR | O_CLOEXEC)); }

TEST_F(Link, GreetsAndLearnsHowOftenItWasStarted) {
    Start();
    auto greeting = link_.Hello();
    ASSERT_TRUE(greeting) << greeting.error().text();
    EXPECT_EQ(greeting->shutdown, ShutdownAction::kPoweroff);
    EXPECT_EQ(greeting->starts, 3);
}

TEST_F(Link, KeepsDescriptorsWithPid1) {
    Start();
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    OwnedFd read(ends[0]), write(ends[1]);
    auto slot = link_.Store(read.get());
    ASSERT_TRUE(slot);
    auto other = link_.Store(Null().get());
    ASSERT_TRUE(other);
    EXPECT_NE(*slot, *other);
    read.reset();
    auto back = link_.Fetch(*slot);
    ASSERT_TRUE(back) << back.error().text();
    EXPECT_TRUE(::fcntl(back->get(), F_GETFD) & FD_CLOEXEC);
    ASSERT_EQ(::write(write.get(), "x", 1), 1);
    char byte = 0;
    EXPECT_EQ(::read(back->get(), &byte, 1), 1);
    EXPECT_EQ(byte, 'x') << "the same pipe";
    link_.Drop(*slot);
    EXPECT_EQ(link_.Fetch(*slot).error().code(), ENOENT);
    link_.Drop(*slot);  // an empty one is as good as a dropped one
    link_.Drop(-1);
}

TEST_F(Link, UsesNoSlotThatARecordNames) {
    Start();
    constexpr int kFirst = kFirstFreeSlot;
    for (int slot : {kFirst, kFirst + 1, kFirst + 3, -1}) link_.MarkUsed(slot);
    EXPECT_EQ(*link_.Store(Null().get()), kFirst + 2);
    EXPECT_EQ(*link_.Store(Null().get()), kFirst + 4);
}

TEST_F(Link, TakesASlotThatWasLeftOver) {
    constexpr int kFirst = kFirstFreeSlot;
    init_.slots[kFirst] = OwnedFd(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
    Start();
    OwnedFd null = Null();
    ASSERT_EQ(*link_.Store(null.get()), kFirst);
    auto back = link_.Fetch(kFirst);
    ASSERT_TRUE(back);
    EXPECT_EQ(::write(back->get(), "x", 1), 1) << "ours, and not the one that lay there";
}

TEST_F(Link, WhatIsStoredByNameReplacesWhatWasThere) {
    init_.slots[kWatchdogSlot] = OwnedFd(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
    Start();
    ASSERT_TRUE(link_.StoreAs(kWatchdogSlot, Null().get()));
    auto back = link_.Fetch(kWatchdogSlot);
    ASSERT_TRUE(back);
    EXPECT_EQ(::write(back->get(), "x", 1), 1);
}

TEST_F(Link, VouchesForTheWatchdogInOnePacket) {
    InitPacket seen;
    init_.before_answer = [&](const InitPacket& packet) { seen = packet; };
    Start();
    ASSERT_TRUE(link_.TrustWatchdog(std::chrono::seconds(30), std::chrono::seconds(10), 60));
    EXPECT_EQ(seen.type, Type::kWatchdog);
    EXPECT_EQ(seen.time, 30'000'000'000);
    EXPECT_EQ(seen.value, 10'000'000'000u);
    EXPECT_EQ(seen.number, 60);
}

TEST_F(Link, NothingComesBetweenTheTwoWordsOfANewSupervisor) {
    std::vector<Type> asked;
    init_.before_answer = [&](const InitPacket& packet) { asked.push_back(packet.type); };
    Start();
    EXPECT_TRUE(link_.FinishUpgrade());
    EXPECT_EQ(asked, (std::vector<Type>{Type::kProven, Type::kKeep}));
    const auto state = link_.AskUpgrade();
    ASSERT_TRUE(state);
    EXPECT_EQ(state->phase, UpgradePhase::kFailed);
    EXPECT_EQ(state->failure, UpgradeFailure::kInitCrashed);
    EXPECT_EQ(state->detail, 11);
    EXPECT_FALSE(link_.Snapshot());
}

TEST_F(Link, KeepsNoticesThatComeBeforeAnAnswer) {
    init_.before_answer = [&](const InitPacket&) {
        SendPacket(init_.socket(), {.type = Type::kExitsPending, .value = 7});
        SendPacket(init_.socket(), {.type = Type::kShutdownWanted, .value = 2});
    };
    Start();
    ASSERT_TRUE(link_.Hello());
    EXPECT_EQ(link_.ReadNotices(), ShutdownAction::kReboot);
    EXPECT_EQ(link_.ReadNotices(), std::nullopt) << "once";
}

TEST_F(Link, PassesOverALateAnswerToAnotherRequest) {
    init_.before_answer = [&](const InitPacket&) {
        SendPacket(init_.socket(), {.type = Type::kDrop, .number = ENOENT});
    };
    Start();
    EXPECT_TRUE(link_.Hello());
}

TEST_F(Link, PullsEveryExitOnce) {
    for (uint64_t i : {5, 6, 9})
        init_.exits.push_back(
            {.value = i, .pid = static_cast<int32_t>(100 + i), .status = 256, .time = 1000});
    Start();
    const auto exits = link_.TakeExits();
    ASSERT_EQ(exits.size(), 3u);
    EXPECT_EQ(exits[0].pid, 105);
    EXPECT_EQ(exits[2].pid, 109);
    EXPECT_EQ(exits[1].wait_status, 256);
    EXPECT_EQ(exits[1].at.since_boot.count(), 1000);
    EXPECT_TRUE(link_.TakeExits().empty());
}

TEST_F(Link, TellsOfAShutdown) {
    Start();
    EXPECT_TRUE(link_.Shutdown(ShutdownAction::kHalt, false));
    EXPECT_TRUE(link_.Shutdown(ShutdownAction::kReboot, true));
}

TEST_F(Link, FailsWhenPid1Goes) {
    init_.instead = [&](const InitPacket&) {
        ::shutdown(init_.socket(), SHUT_RDWR);
        return true;
    };
    Start();
    EXPECT_FALSE(link_.Hello());
    EXPECT_EQ(link_.ReadNotices(), std::nullopt);
    EXPECT_FALSE(link_.connected()) << "nothing to wait for any more";
    EXPECT_TRUE(link_.TakeExits().empty());
}

TEST_F(Link, RefusesAPacketOfAnOddSize) {
    init_.instead = [&](const InitPacket&) {
        EXPECT_EQ(::send(init_.socket(), "short", 5, 0), 5);
        return true;
    };
    Start();
    EXPECT_EQ(link_.Hello().error().text(), "PID 1 sent a packet of an odd size");
}

TEST_F(Link, FailsWhereTheAnswerHasNoDescriptor) {
    init_.instead = [&](const InitPacket& packet) {
        SendPacket(init_.socket(), {.type = packet.type});
        return true;
    };
    Start();
    // The kernel drops one that there is no room for.
    EXPECT_EQ(link_.Fetch(0).error().code(), EMFILE);
}

TEST(LinkWithoutPid1, FailsWithNotConnected) {
    InitLink link;
    EXPECT_FALSE(link.connected());
    EXPECT_EQ(link.Hello().error().code(), ENOTCONN);
    EXPECT_EQ(link.Store(0).error().code(), ENOTCONN);
    EXPECT_EQ(link.Fetch(0).error().code(), ENOTCONN);
    EXPECT_TRUE(link.TakeExits().empty());
    EXPECT_EQ(link.ReadNotices(), std::nullopt);
    link.Drop(3);
}

}  // namespace
}  // namespace husk::supervisor
