#include <cerrno>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "base/socket.h"

namespace husk {
namespace {

ino_t Inode(int fd) {
    struct stat info {};
    return ::fstat(fd, &info) == 0 ? info.st_ino : 0;
}

class SocketMessage : public ::testing::Test {
  protected:
    void SetUp() override {
        int pair[2];
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        here_.reset(pair[0]);
        there_.reset(pair[1]);
        ASSERT_EQ(::pipe2(pair, O_CLOEXEC), 0);
        pipe_[0].reset(pair[0]);
        pipe_[1].reset(pair[1]);
    }
    ssize_t Send(std::string_view text, const std::vector<int>& descriptors) {
        return SendMessage(here_.get(), std::as_bytes(std::span(text)), descriptors, MSG_DONTWAIT);
    }
    ReceivedMessage Receive(std::span<OwnedFd> room) {
        return ReceiveMessage(there_.get(), std::as_writable_bytes(std::span(bytes_)), room,
                              MSG_DONTWAIT);
    }

    OwnedFd here_, there_, pipe_[2];
    char bytes_[16] = {};
};

TEST_F(SocketMessage, BringsBytesAndDescriptors) {
    ASSERT_EQ(Send("hello", {pipe_[0].get(), pipe_[1].get()}), 5);
    OwnedFd room[3];
    const ReceivedMessage got = Receive(room);
    ASSERT_EQ(got.size, 5);
    EXPECT_EQ(std::string(bytes_, 5), "hello");
    ASSERT_EQ(got.descriptors, 2u);
    EXPECT_FALSE(got.lost_descriptors);
    EXPECT_FALSE(got.sender);
    for (int i = 0; i < 2; ++i) {
        EXPECT_EQ(Inode(room[i].get()), Inode(pipe_[i].get()));
        EXPECT_EQ(::fcntl(room[i].get(), F_GETFD), FD_CLOEXEC);
    }
    EXPECT_FALSE(room[2]);
}

TEST_F(SocketMessage, ClosesWhatThereIsNoRoomFor) {
    for (const size_t more : {1u, 8u, 200u}) {
        OwnedFd room[1];
        const OwnedFd lowest(::dup(here_.get()));
        ASSERT_EQ(Send("x", std::vector<int>(1 + more, pipe_[0].get())), 1);
        const ReceivedMessage got = Receive(room);
        EXPECT_EQ(got.descriptors, 1u);
        EXPECT_TRUE(got.lost_descriptors) << more;
        // The next one is given out behind the one that was taken.
        const OwnedFd next(::dup(here_.get()));
        EXPECT_EQ(next.get(), room[0].get() + 1) << more;
    }
}

TEST_F(SocketMessage, BringsTheMostThatTheKernelSends) {
    ASSERT_EQ(Send("x", std::vector<int>(kMaxRidingDescriptors, pipe_[0].get())), 1);
    OwnedFd room[kMaxRidingDescriptors];
    const ReceivedMessage got = Receive(room);
    EXPECT_EQ(got.descriptors, kMaxRidingDescriptors);
    EXPECT_FALSE(got.lost_descriptors);
}

TEST_F(SocketMessage, NamesTheSenderWhereItIsAskedFor) {
    const int yes = 1;
    ASSERT_EQ(::setsockopt(there_.get(), SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes), 0);
    ASSERT_EQ(Send("x", {pipe_[0].get()}), 1);
    OwnedFd room[1];
    const ReceivedMessage got = Receive(room);
    ASSERT_TRUE(got.sender);
    EXPECT_EQ(got.sender->pid, ::getpid());
    EXPECT_EQ(got.sender->uid, ::getuid());
    EXPECT_EQ(got.descriptors, 1u);
}

TEST_F(SocketMessage, SaysNothingWaitsOrTheEnd) {
    EXPECT_EQ(Receive({}).size, -1);
    EXPECT_EQ(errno, EAGAIN);
    here_.reset();
    EXPECT_EQ(Receive({}).size, 0);
}

TEST(UnixAddress, HoldsAPathOrSaysThatItIsTooLong) {
    auto address = UnixAddress("/run/husk/control");
    ASSERT_TRUE(address);
    EXPECT_STREQ(address->sun_path, "/run/husk/control");
    EXPECT_TRUE(UnixAddress(std::string(107, 'x')));
    auto refused = UnixAddress(std::string(108, 'x'));
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().text().find("too long for a socket (over 107 bytes)"),
              std::string::npos);
}

}  // namespace
}  // namespace husk
