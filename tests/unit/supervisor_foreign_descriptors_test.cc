#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/foreign_descriptors.h"

namespace husk::supervisor {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::string_view WhyNot(int fd) {
    std::string link;
    return WhyNotKept(KindOf(fd, link));
}

TEST(ForeignDescriptors, WhatClosesWithoutWaitingCanBeKept) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const OwnedFd read(ends[0]), write(ends[1]), memory(::memfd_create("x", MFD_CLOEXEC)),
        event(::eventfd(0, EFD_CLOEXEC)), socket(::socket(AF_UNIX, SOCK_STREAM, 0)),
        folder(::open("/", O_RDONLY | O_DIRECTORY));
    for (const auto* fd : {&read, &write, &memory, &event, &socket, &folder})
        EXPECT_EQ(WhyNot(fd->get()), "");
    std::string link;
    EXPECT_TRUE(CanHangUp(KindOf(read.get(), link)));
    EXPECT_TRUE(CanHangUp(KindOf(socket.get(), link)));
    EXPECT_FALSE(CanHangUp(KindOf(memory.get(), link)));
    EXPECT_FALSE(CanHangUp(KindOf(event.get(), link)));
}

TEST(ForeignDescriptors, DevicesAndFilesThatSomebodyServesCannot) {
    const OwnedFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    EXPECT_EQ(WhyNot(null.get()), "a device node");
    EXPECT_EQ(WhyNotKept({.type = S_IFBLK}), "a device node");
    EXPECT_NE(WhyNotKept({.type = S_IFREG, .file_system = 0x65735546}), "");  // FUSE
    EXPECT_NE(WhyNotKept({.type = S_IFREG, .file_system = 0x6969}), "");      // NFS
    EXPECT_EQ(WhyNotKept({.type = S_IFREG, .file_system = 0xef53}), "");      // ext4
    EXPECT_NE(WhyNotKept({.link = "anon_inode:[io_uring]"}), "");
}

TEST(ForeignDescriptors, TheSameOpenFileIsKnown) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const OwnedFd read(ends[0]), write(ends[1]), again(::dup(ends[0])),
        event(::eventfd(0, EFD_CLOEXEC)), other(::eventfd(0, EFD_CLOEXEC));
    EXPECT_TRUE(IsSameFile(read.get(), again.get()));
    EXPECT_FALSE(IsSameFile(read.get(), write.get()));
    EXPECT_FALSE(IsSameFile(event.get(), other.get()));
}

class ForeignCloserTest : public testing::Test {
  protected:
    void RunUntilIdle(Duration most) {
        const Instant until = MonotonicNow() + most;
        while (closer.IsBusy() && MonotonicNow() < until) (void)loop.RunOnce(milliseconds(50));
        EXPECT_FALSE(closer.IsBusy());
    }
    EventLoop loop = std::move(*EventLoop::Create());
    int idle = 0;
    ForeignCloser closer{loop, [this] { ++idle; }};
};

TEST_F(ForeignCloserTest, PipesAreClosedAtOnceAndSocketsSoon) {
    int pipe[2], sockets[2];
    ASSERT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
    const OwnedFd read(pipe[0]), peer(sockets[0]);
    std::vector<OwnedFd> fds;
    fds.emplace_back(pipe[1]);
    closer.Close(std::move(fds));
    char byte;
    EXPECT_EQ(::read(read.get(), &byte, 1), 0);
    EXPECT_FALSE(closer.IsBusy());
    for (int round = 0; round < 3; ++round) closer.Close(OwnedFd(::eventfd(0, EFD_CLOEXEC)));
    closer.Close(OwnedFd(sockets[1]));
    EXPECT_TRUE(closer.IsBusy());
    RunUntilIdle(seconds(10));
    EXPECT_EQ(::read(peer.get(), &byte, 1), 0);
    EXPECT_EQ(idle, 1);
    EXPECT_EQ(::fcntl(sockets[1], F_GETFD), -1);
}

// A socket whose close waits a minute for a peer that does not read.
OwnedFd LingeringSocket(OwnedFd& listener) {
    listener.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    auto* at = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener.get(), at, size), 0);
    EXPECT_EQ(::listen(listener.get(), 1), 0);
    EXPECT_EQ(::getsockname(listener.get(), at, &size), 0);
    OwnedFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const linger minute{.l_onoff = 1, .l_linger = 60};
    EXPECT_EQ(::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &minute, sizeof minute), 0);
    EXPECT_EQ(::connect(client.get(), at, size), 0);
    const std::string much(1 << 16, 'x');
    while (::send(client.get(), much.data(), much.size(), MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
    }
    return client;
}

TEST_F(ForeignCloserTest, ASocketThatLingersHoldsNobodyUp) {
    OwnedFd listener;
    OwnedFd client = LingeringSocket(listener);
    const Instant began = MonotonicNow();
    closer.Close(std::move(client));
    EXPECT_LT(MonotonicNow() - began, seconds(1));
    EXPECT_TRUE(closer.IsBusy());
    RunUntilIdle(seconds(10));
}

TEST_F(ForeignCloserTest, NorDoesOneThatWaitsInsideAnother) {
    OwnedFd listener;
    OwnedFd client = LingeringSocket(listener);
    int pair[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
    char byte = 'x';
    iovec part{&byte, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    *reinterpret_cast<int*>(CMSG_DATA(header)) = client.get();
    ASSERT_EQ(::sendmsg(pair[0], &message, 0), 1);
    const OwnedFd sender(pair[0]);
    closer.Close(std::move(client));  // not the last one: the message has it
    RunUntilIdle(seconds(10));
    const Instant began = MonotonicNow();
    closer.Close(OwnedFd(pair[1]));
    EXPECT_LT(MonotonicNow() - began, seconds(1));
    RunUntilIdle(seconds(10));
}

}  // namespace
}  // namespace husk::supervisor
