#include <cerrno>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <memory>
#include <string>

#include "init/handover.h"
#include "init/upgrade.h"

namespace husk::init {
namespace {

using namespace std::chrono_literals;

constexpr Instant At(Duration since_boot) { return {since_boot}; }

TEST(Upgrade, OneAtATimeWithALimit) {
    Upgrade upgrade;
    EXPECT_FALSE(upgrade.under_way());
    EXPECT_EQ(upgrade.deadline().since_boot, kInfinite);
    EXPECT_EQ(upgrade.Begin(0s, At(5s)), EINVAL);
    EXPECT_EQ(upgrade.Begin(-1s, At(5s)), EINVAL);
    EXPECT_EQ(upgrade.Begin(kInfinite, At(5s)), EINVAL);
    EXPECT_EQ(upgrade.Begin(10s, At(5s)), 0);
    EXPECT_EQ(upgrade.phase(), UpgradePhase::kSupervisor);
    EXPECT_EQ(upgrade.deadline(), At(15s));
    EXPECT_EQ(upgrade.Begin(10s, At(6s)), EBUSY);
    upgrade.GoOn();
    EXPECT_EQ(upgrade.Begin(10s, At(6s)), EBUSY);
    EXPECT_EQ(upgrade.deadline().since_boot, kInfinite);
    upgrade.Finish();
    EXPECT_EQ(upgrade.phase(), UpgradePhase::kDone);
    EXPECT_EQ(upgrade.Begin(10s, At(20s)), 0);
}

TEST(Upgrade, AFailureIsRememberedUntilTheNextOne) {
    Upgrade upgrade;
    EXPECT_EQ(upgrade.Begin(10s, At(5s)), 0);
    upgrade.Fail(UpgradeFailure::kInitCrashed, 11);
    EXPECT_FALSE(upgrade.under_way());
    EXPECT_EQ(upgrade.failure(), UpgradeFailure::kInitCrashed);
    EXPECT_EQ(upgrade.detail(), 11);
    EXPECT_EQ(upgrade.deadline().since_boot, kInfinite);
    EXPECT_EQ(upgrade.Begin(10s, At(20s)), 0);
    EXPECT_EQ(upgrade.failure(), UpgradeFailure::kNone);
}

class HandoverFile : public ::testing::Test {
  protected:
    ~HandoverFile() override { before_->slots.Clear(); }

    // A copy with other bytes at `at`.
    OwnedFd Changed(int file, off_t at, const void* bytes, size_t size, off_t length) {
        OwnedFd copy(::memfd_create("copy", MFD_CLOEXEC));
        std::string all(static_cast<size_t>(length), '\0');
        EXPECT_GE(::pread(file, all.data(), all.size(), 0), 0);
        std::memcpy(all.data() + at, bytes, size);
        EXPECT_EQ(::write(copy.get(), all.data(), all.size()), length);
        return copy;
    }

    std::unique_ptr<Memory> before_ = std::make_unique<Memory>();
    std::unique_ptr<Memory> after_ = std::make_unique<Memory>();
    KeptProcess process_;
};

TEST_F(HandoverFile, HasAllThatPid1Remembers) {
    const int one = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ASSERT_EQ(before_->slots.Store(7, OwnedFd(one)), 0);
    ASSERT_EQ(before_->slots.Store(kDescriptorSlots - 1, OwnedFd(::dup(one))), 0);
    for (int pid = 1; pid <= 2000; ++pid) before_->exits.Add(pid, pid * 256, At(1s * pid));
    before_->shutdown.Want(ShutdownAction::kHalt, At(9s));
    before_->watchdog.feed.Trust(30s, 10s, At(8s));
    before_->watchdog.last_seconds = 600;
    ASSERT_EQ(before_->upgrade.Begin(10s, At(5s)), 0);
    before_->burst_is_one = true;
    before_->burst_action = ShutdownAction::kPoweroff;
    before_->supervisor_starts = 4;
    before_->began = At(812ms);
    process_ = {
        .name = "init",
        .first_descriptor_limit = {1024, 4096},
        .crash_action = 3,
        .supervisor = {.pid = 42, .socket = 9, .starts = 4, .early_deaths = 2, .on_trial = 1},
        .console = {.pid = 77, .next_start = At(3s)}};
    const OwnedFd file = WriteHandover(process_, *before_);
    ASSERT_TRUE(file);
    EXPECT_EQ(::write(file.get(), "x", 1), -1);  // sealed

    KeptProcess process;
    ASSERT_TRUE(ReadHandover(file.get(), process, *after_));
    EXPECT_EQ(after_->slots.Peek(7), one);
    EXPECT_GE(after_->slots.Peek(kDescriptorSlots - 1), 0);
    EXPECT_EQ(after_->slots.Peek(8), -ENOENT);
    EXPECT_EQ(after_->exits.newest(), 2000u);
    EXPECT_EQ(after_->exits.FirstFrom(1)->pid, 977);
    EXPECT_EQ(after_->exits.FirstFrom(2000)->status, 2000 * 256);
    EXPECT_EQ(after_->shutdown.unanswered(), ShutdownAction::kHalt);
    EXPECT_EQ(after_->shutdown.deadline(), before_->shutdown.deadline());
    EXPECT_EQ(after_->watchdog.feed.next(), At(8s));
    EXPECT_EQ(after_->watchdog.feed.trusted(), 30s);
    EXPECT_EQ(after_->watchdog.last_seconds, 600);
    EXPECT_EQ(after_->upgrade.deadline(), At(15s));
    EXPECT_TRUE(after_->burst_is_one);
    EXPECT_EQ(after_->burst_action, ShutdownAction::kPoweroff);
    EXPECT_EQ(after_->supervisor_starts, 4);
    EXPECT_EQ(after_->began, At(812ms));
    EXPECT_STREQ(process.name, "init");
    EXPECT_EQ(process.first_descriptor_limit.rlim_max, 4096u);
    EXPECT_EQ(process.supervisor.pid, 42);
    EXPECT_EQ(process.supervisor.socket, 9);
    EXPECT_EQ(process.supervisor.early_deaths, 2u);
    EXPECT_EQ(process.supervisor.on_trial, 1u);
    EXPECT_EQ(process.console.pid, 77);
    EXPECT_EQ(process.console.next_start, At(3s));
}

TEST_F(HandoverFile, OfAnotherVersionOrCutOffIsRefused) {
    ASSERT_EQ(before_->slots.Store(7, OwnedFd(::open("/dev/null", O_RDONLY | O_CLOEXEC))), 0);
    const OwnedFd file = WriteHandover(process_, *before_);
    const off_t size = ::lseek(file.get(), 0, SEEK_END);
    const uint32_t version = kHandoverVersion + 1, many = 2, wild = kDescriptorSlots;
    const int standard = 2;
    const OwnedFd same = Changed(file.get(), 0, "h", 1, size);
    EXPECT_TRUE(ReadHandover(same.get(), process_, *after_));
    const auto fresh = std::make_unique<Memory>();
    struct Case {
        off_t at;
        const void* bytes;
        size_t count;
        off_t length;
    };
    const off_t slots = static_cast<off_t>(sizeof(Handover));
    for (const Case& bad :
         {Case{0, "X", 1, size}, Case{8, &version, 4, size}, Case{12, &many, 4, size},
          Case{12, &wild, 4, size}, Case{0, "h", 1, size - 1}, Case{0, "h", 1, slots - 1},
          Case{slots, &wild, 4, size}, Case{slots + 4, &standard, 4, size}}) {
        const OwnedFd changed = Changed(file.get(), bad.at, bad.bytes, bad.count, bad.length);
        EXPECT_FALSE(ReadHandover(changed.get(), process_, *fresh)) << bad.at << " " << bad.length;
    }
    EXPECT_EQ(fresh->slots.end(), 0u);
    EXPECT_FALSE(ReadHandover(-1, process_, *fresh));
}

}  // namespace
}  // namespace husk::init
