#include <cerrno>
#include <fcntl.h>
#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "init/crash.h"
#include "init/key_burst.h"
#include "init/requests.h"

namespace husk::init {
namespace {

using namespace std::chrono_literals;

constexpr Instant kNow{42s};

class Requests : public ::testing::Test {
  protected:
    ~Requests() override { memory_->slots.Clear(); }

    Answer Ask(InitPacketType type, InitPacket packet = {}, OwnedFd descriptor = OwnedFd()) {
        packet.type = type;
        return AskRaw(packet, sizeof packet, std::move(descriptor));
    }
    Answer AskRaw(InitPacket packet, size_t size, OwnedFd descriptor = OwnedFd(), int error = 0) {
        return Handle(*memory_, Request{packet, size, std::move(descriptor), error}, kNow);
    }
    static OwnedFd Null() { return OwnedFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }
    static InitPacket Slot(uint32_t slot) {
        InitPacket packet;
        packet.slot = slot;
        return packet;
    }
    static InitPacket Value(uint64_t value) {
        InitPacket packet;
        packet.value = value;
        return packet;
    }

    std::unique_ptr<Memory> memory_ = std::make_unique<Memory>();
};

TEST_F(Requests, HelloSaysHowFarTheShutdownIsAndHowOftenTheSupervisorStarted) {
    memory_->supervisor_starts = 3;
    memory_->began = {.since_boot = Duration(812)};
    InitPacket hello;
    hello.number = kInitProtocolVersion;
    Answer answer = Ask(InitPacketType::kHello, hello);
    EXPECT_EQ(answer.packet.type, InitPacketType::kHello);
    EXPECT_EQ(answer.packet.version, kInitProtocolVersion);
    EXPECT_EQ(answer.packet.number, 0);
    EXPECT_EQ(answer.packet.value, 0u);
    EXPECT_EQ(answer.packet.pid, 3);
    EXPECT_EQ(answer.packet.time, 812);
    (void)Ask(InitPacketType::kShutdown, Value(2));
    EXPECT_EQ(Ask(InitPacketType::kHello, hello).packet.value, 2u);
}

TEST_F(Requests, HelloOfAnotherVersionIsRefused) {
    InitPacket hello;
    hello.number = 99;
    EXPECT_EQ(Ask(InitPacketType::kHello, hello).packet.number, EPROTO);
}

TEST_F(Requests, TheWatchdogIsFedForAsLongAsItIsVouchedFor) {
    InitPacket word;
    word.time = 30'000'000'000;
    word.value = 10'000'000'000;
    word.number = 60;
    EXPECT_EQ(Ask(InitPacketType::kWatchdog, word).packet.number, ENOENT) << "there is none";
    ASSERT_EQ(Ask(InitPacketType::kStore, Slot(kWatchdogSlot), Null()).packet.number, 0);
    EXPECT_EQ(Ask(InitPacketType::kWatchdog, word).packet.number, 0);
    EXPECT_EQ(memory_->watchdog.feed.next(), kNow);
    EXPECT_EQ(memory_->watchdog.last_seconds, 60);
    for (int64_t bad : {int64_t{-1}, INT64_MAX}) {
        word.time = bad;
        EXPECT_EQ(Ask(InitPacketType::kWatchdog, word).packet.number, EINVAL);
    }
    word.time = 1;
    word.value = UINT64_MAX;
    EXPECT_EQ(Ask(InitPacketType::kWatchdog, word).packet.number, EINVAL);
}

TEST_F(Requests, ActionsAreCheckedBeforeTheyAreTaken) {
    EXPECT_FALSE(memory_->burst_is_one);
    InitPacket actions;
    actions.value = 3;
    actions.number = 1;
    EXPECT_EQ(Ask(InitPacketType::kActions, actions).packet.number, 0);
    EXPECT_EQ(memory_->burst_action, ShutdownAction::kPoweroff);
    actions.number = 0;
    EXPECT_EQ(Ask(InitPacketType::kActions, actions).packet.number, 0);
    EXPECT_TRUE(memory_->burst_is_one);
    actions.number = -1;
    EXPECT_EQ(Ask(InitPacketType::kActions, actions).packet.number, EINVAL);
    actions.number = 1;
    actions.value = 5;
    EXPECT_EQ(Ask(InitPacketType::kActions, actions).packet.number, EINVAL);
    SetCrashAction(ShutdownAction::kNone);  // it is the whole program's
}

TEST(KeyBurst, IsSevenWithinTwoSeconds) {
    KeyBurst keys;
    Duration now = 100s;
    for (int i = 0; i < 50; ++i) EXPECT_FALSE(keys.Hit({now += 350ms})) << i;
    now += 10s;
    for (int i = 0; i < 6; ++i) EXPECT_FALSE(keys.Hit({now += 300ms})) << i;
    EXPECT_TRUE(keys.Hit({now += 300ms}));
    EXPECT_FALSE(keys.Hit({now += 10s}));
}

TEST_F(Requests, StoreFetchAndDropASlot) {
    EXPECT_EQ(Ask(InitPacketType::kStore, Slot(5), Null()).packet.number, 0);
    EXPECT_EQ(Ask(InitPacketType::kStore, Slot(5), Null()).packet.number, EBUSY);
    const Answer fetched = Ask(InitPacketType::kFetch, Slot(5));
    EXPECT_EQ(fetched.packet.number, 0);
    EXPECT_EQ(fetched.packet.slot, 5u);
    EXPECT_EQ(fetched.descriptor, memory_->slots.Peek(5));
    EXPECT_EQ(Ask(InitPacketType::kDrop, Slot(5)).packet.number, 0);
    EXPECT_EQ(Ask(InitPacketType::kDrop, Slot(5)).packet.number, ENOENT);
    const Answer empty = Ask(InitPacketType::kFetch, Slot(5));
    EXPECT_EQ(empty.packet.number, ENOENT);
    EXPECT_EQ(empty.descriptor, -1);
}

TEST_F(Requests, NextExitWalksTheRing) {
    memory_->exits.Add(77, 9, Instant{5ns});
    const Answer first = Ask(InitPacketType::kNextExit, Value(0));
    EXPECT_EQ(first.packet.number, 0);
    EXPECT_EQ(first.packet.value, 1u);
    EXPECT_EQ(first.packet.pid, 77);
    EXPECT_EQ(first.packet.status, 9);
    EXPECT_EQ(first.packet.time, 5);
    EXPECT_EQ(Ask(InitPacketType::kNextExit, Value(2)).packet.number, ENOENT);
}

TEST_F(Requests, ShutdownTakesOnlyRealActions) {
    for (const uint64_t value : {uint64_t{0}, uint64_t{5}, UINT64_MAX}) {
        EXPECT_EQ(Ask(InitPacketType::kShutdown, Value(value)).packet.number, EINVAL);
        EXPECT_EQ(Ask(InitPacketType::kShutdownNow, Value(value)).packet.number, EINVAL);
    }
    EXPECT_EQ(memory_->shutdown.deadline().since_boot, kInfinite);
    EXPECT_EQ(Ask(InitPacketType::kShutdown, Value(1)).packet.number, 0);
    EXPECT_EQ(memory_->shutdown.deadline(), kNow + kShutdownLimit);
    EXPECT_EQ(Ask(InitPacketType::kShutdownNow, Value(1)).packet.number, 0);
    EXPECT_EQ(memory_->shutdown.deadline(), kNow);
}

TEST_F(Requests, EveryTypeThatIsNoRequestIsRefused) {
    for (const uint32_t type : {0u, 10u, 31u, 32u, 33u, 34u, UINT32_MAX}) {
        const Answer answer = Ask(static_cast<InitPacketType>(type), Value(1), Null());
        EXPECT_EQ(answer.packet.number, EINVAL) << type;
        EXPECT_EQ(answer.packet.type, static_cast<InitPacketType>(type));
    }
}

TEST_F(Requests, AWrongSizeOrVersionDoesNothing) {
    for (size_t size : {0, 1, 39, 41, 4096}) {
        InitPacket packet = Slot(1);
        packet.type = InitPacketType::kStore;
        EXPECT_EQ(AskRaw(packet, size, Null()).packet.number, EPROTO) << size;
    }
    InitPacket packet = Slot(1);
    packet.type = InitPacketType::kStore;
    packet.version = 2;
    EXPECT_EQ(AskRaw(packet, sizeof packet, Null()).packet.number, EPROTO);
    EXPECT_EQ(memory_->slots.Peek(1), -ENOENT);
}

TEST_F(Requests, DescriptorsThatDidNotGetThroughAreAnError) {
    InitPacket packet = Slot(1);
    packet.type = InitPacketType::kStore;
    EXPECT_EQ(AskRaw(packet, sizeof packet, OwnedFd(), EMFILE).packet.number, EMFILE);
    EXPECT_EQ(AskRaw(packet, sizeof packet, Null(), EINVAL).packet.number, EINVAL);
    EXPECT_EQ(memory_->slots.Peek(1), -ENOENT);
}

TEST_F(Requests, AnUpgradeNeedsABinaryALimitAndADeviceThatStaysUp) {
    auto ask = [&](Duration limit) {
        InitPacket packet;
        packet.time = limit.count();
        return Ask(InitPacketType::kUpgrade, packet).packet.number;
    };
    EXPECT_EQ(ask(10s), ENOENT);
    (void)Ask(InitPacketType::kStore, Slot(kBinarySlot), Null());
    EXPECT_EQ(ask(0s), EINVAL);
    EXPECT_EQ(ask(10s), 0);
    EXPECT_EQ(ask(10s), EBUSY);
    InitPacket state = Ask(InitPacketType::kUpgradeState).packet;
    EXPECT_EQ(state.value, static_cast<uint64_t>(UpgradePhase::kSupervisor));
    memory_->upgrade.Fail(UpgradeFailure::kSupervisorEnded, 9);
    state = Ask(InitPacketType::kUpgradeState).packet;
    EXPECT_EQ(state.value, static_cast<uint64_t>(UpgradePhase::kFailed));
    EXPECT_EQ(state.status, static_cast<int32_t>(UpgradeFailure::kSupervisorEnded));
    EXPECT_EQ(state.pid, 9);
    // Out of turn.
    for (const auto type : {InitPacketType::kProven, InitPacketType::kKeep})
        EXPECT_EQ(Ask(type).packet.number, EINVAL);
    (void)Ask(InitPacketType::kShutdown, Value(1));
    EXPECT_EQ(ask(10s), ESHUTDOWN);
}

TEST_F(Requests, TheWatchdogIsFedForAsLongAsANewSupervisorMayTake) {
    (void)Ask(InitPacketType::kStore, Slot(kWatchdogSlot), Null());
    (void)Ask(InitPacketType::kStore, Slot(kBinarySlot), Null());
    InitPacket trust;
    trust.time = Duration(12s).count();
    trust.value = static_cast<uint64_t>(Duration(4s).count());
    InitPacket upgrade;
    upgrade.time = Duration(60s).count();
    auto gives_up_at = [&] {
        WatchdogFeed feed = memory_->watchdog.feed;
        for (Instant at = kNow;; at = at + 1s)
            if (feed.Due(at) == WatchdogFeed::Act::kGiveUp) return at - kNow;
    };
    EXPECT_EQ(Ask(InitPacketType::kWatchdog, trust).packet.number, 0);
    EXPECT_EQ(gives_up_at(), 12s);
    EXPECT_EQ(Ask(InitPacketType::kUpgrade, upgrade).packet.number, 0);
    EXPECT_EQ(gives_up_at(), 72s);
    EXPECT_EQ(Ask(InitPacketType::kWatchdog, trust).packet.number, 0);  // of the new one
    EXPECT_EQ(gives_up_at(), 72s);
    trust.time = 0;  // something speaks against it
    EXPECT_EQ(Ask(InitPacketType::kWatchdog, trust).packet.number, 0);
    EXPECT_FALSE(memory_->watchdog.feed.active());
}

}  // namespace
}  // namespace husk::init
