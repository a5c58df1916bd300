#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/event_loop.h"

namespace husk {
namespace {

using namespace std::chrono_literals;

OwnedFd Ready() { return OwnedFd(::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK)); }

class Loop : public ::testing::Test {
  protected:
    EventLoop loop_ = std::move(*EventLoop::Create());
};

TEST_F(Loop, CallsAsLongAsADescriptorIsReady) {
    OwnedFd ready = Ready();
    int calls = 0;
    ASSERT_TRUE(loop_.Add(ready.get(), EPOLLIN, [&](uint32_t events) {
        EXPECT_EQ(events, uint32_t{EPOLLIN});
        ++calls;
    }));
    ASSERT_TRUE(loop_.RunOnce(1s));
    ASSERT_TRUE(loop_.RunOnce(1s));
    EXPECT_EQ(calls, 2);
    uint64_t value;
    ASSERT_EQ(::read(ready.get(), &value, sizeof value), 8);
    ASSERT_TRUE(loop_.RunOnce(0s));
    EXPECT_EQ(calls, 2);
    loop_.Remove(ready.get());
}

TEST_F(Loop, LetsACallbackRemoveItself) {
    OwnedFd ready = Ready();
    std::string kept(100, 'x');  // on the heap, inside the callback
    int calls = 0;
    ASSERT_TRUE(loop_.Add(ready.get(), EPOLLIN, [&, kept](uint32_t) {
        loop_.Remove(ready.get());
        EXPECT_EQ(kept, std::string(100, 'x')) << "the callback outlives its removal";
        ++calls;
    }));
    ASSERT_TRUE(loop_.RunOnce(1s));
    ASSERT_TRUE(loop_.RunOnce(0s));
    EXPECT_EQ(calls, 1);
}

TEST_F(Loop, CallsNobodyWhoWasRemovedInTheSameRound) {
    OwnedFd one = Ready(), two = Ready();
    int calls = 0;
    auto remove_other = [&](int other) {
        return [&, other](uint32_t) {
            loop_.Remove(other);
            ++calls;
        };
    };
    ASSERT_TRUE(loop_.Add(one.get(), EPOLLIN, remove_other(two.get())));
    ASSERT_TRUE(loop_.Add(two.get(), EPOLLIN, remove_other(one.get())));
    ASSERT_TRUE(loop_.RunOnce(1s));
    EXPECT_EQ(calls, 1);
    loop_.Remove(one.get());
    loop_.Remove(two.get());
}

TEST_F(Loop, GivesNoOldEventToANewOwnerOfTheSameNumber) {
    OwnedFd one = Ready(), two = Ready();
    int old_calls = 0, new_calls = 0;
    OwnedFd pipe_ends[2];
    auto replace = [&](OwnedFd& other) {
        return [&](uint32_t) {
            ++old_calls;
            const int number = other.get();
            loop_.Remove(number);
            other.reset();
            int ends[2];
            ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
            pipe_ends[0].reset(ends[0]);
            pipe_ends[1].reset(ends[1]);
            ASSERT_EQ(ends[0], number) << "the lowest free number is the one just closed";
            ASSERT_TRUE(loop_.Add(ends[0], EPOLLIN, [&](uint32_t) { ++new_calls; }));
        };
    };
    ASSERT_TRUE(loop_.Add(one.get(), EPOLLIN, replace(two)));
    ASSERT_TRUE(loop_.Add(two.get(), EPOLLIN, replace(one)));
    ASSERT_TRUE(loop_.RunOnce(1s));
    EXPECT_EQ(old_calls, 1);
    EXPECT_EQ(new_calls, 0);
}

TEST_F(Loop, RunsTimersInTheOrderOfTheirTimes) {
    std::string order;
    const Instant now = MonotonicNow();
    loop_.StartTimer(now - 1ms, [&] { order += 'b'; });
    loop_.StartTimer(now - 2ms, [&] { order += 'a'; });
    loop_.StartTimer(now - 1ms, [&] { order += 'c'; });
    loop_.StartTimer(now + 1h, [&] { order += 'x'; });
    ASSERT_TRUE(loop_.RunOnce(0s));
    EXPECT_EQ(order, "abc");
}

TEST_F(Loop, WaitsForATimerNoLongerThanItMust) {
    bool ran = false;
    const Instant begin = MonotonicNow();
    loop_.StartTimer(begin + 10ms, [&] { ran = true; });
    while (!ran) ASSERT_TRUE(loop_.RunOnce(1h));
    EXPECT_GE(MonotonicNow() - begin, 10ms);
    EXPECT_LT(MonotonicNow() - begin, 30s);
}

TEST_F(Loop, CancelsTimersAlsoFromATimer) {
    const Instant now = MonotonicNow();
    int calls = 0;
    EventLoop::TimerId second = 0;
    const auto first = loop_.StartTimer(now - 2ms, [&] {
        ++calls;
        loop_.CancelTimer(second);
    });
    second = loop_.StartTimer(now - 1ms, [&] { ++calls; });
    ASSERT_TRUE(loop_.RunOnce(0s));
    EXPECT_EQ(calls, 1);
    loop_.CancelTimer(first);  // expired
    loop_.CancelTimer(0);
    loop_.CancelTimer(9999);
}

TEST_F(Loop, LetsATimerArmItselfAgain) {
    int calls = 0;
    std::function<void()> again = [&] {
        if (++calls < 3)
            loop_.StartTimer(MonotonicNow() + 1ms, again);
        else
            loop_.Stop();
    };
    loop_.StartTimer(MonotonicNow(), again);
    ASSERT_TRUE(loop_.Run());
    EXPECT_EQ(calls, 3);
}

TEST_F(Loop, RefusesADescriptorTwiceAndAnUnknownOne) {
    OwnedFd ready = Ready();
    ASSERT_TRUE(loop_.Add(ready.get(), EPOLLIN, [](uint32_t) {}));
    EXPECT_EQ(loop_.Add(ready.get(), EPOLLIN, [](uint32_t) {}).error().code(), EEXIST);
    EXPECT_EQ(loop_.Modify(9999, EPOLLIN).error().code(), EBADF);
    loop_.Remove(9999);
    loop_.Remove(ready.get());
    EXPECT_TRUE(loop_.Add(ready.get(), EPOLLIN, [](uint32_t) {})) << "it was removed";
    loop_.Remove(ready.get());
}

}  // namespace
}  // namespace husk
