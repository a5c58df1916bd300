#include <cerrno>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>

#include "init/slots.h"

namespace husk::init {
namespace {

OwnedFd Null() { return OwnedFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }
bool IsOpen(int descriptor) { return ::fcntl(descriptor, F_GETFD) >= 0; }

class Slots : public ::testing::Test {
  protected:
    ~Slots() override { slots_->Clear(); }
    std::unique_ptr<DescriptorSlots> slots_ = std::make_unique<DescriptorSlots>();
};

TEST_F(Slots, KeepADescriptorUntilItIsDropped) {
    OwnedFd file = Null();
    const int number = file.get();
    EXPECT_EQ(slots_->Store(7, std::move(file)), 0);
    EXPECT_EQ(slots_->Peek(7), number);
    EXPECT_EQ(slots_->Peek(7), number);
    EXPECT_TRUE(IsOpen(number));
    EXPECT_EQ(slots_->Drop(7), 0);
    EXPECT_FALSE(IsOpen(number));
    EXPECT_EQ(slots_->Peek(7), -ENOENT);
}

TEST_F(Slots, KeepDescriptorZero) {
    // Zero is what empty looks like inside.
    OwnedFd saved(::dup(0));
    if (!saved) GTEST_SKIP() << "no standard input";
    EXPECT_EQ(slots_->Store(0, OwnedFd(0)), 0);
    EXPECT_EQ(slots_->Peek(0), 0);
    EXPECT_EQ(slots_->Drop(0), 0);
    EXPECT_EQ(::dup2(saved.get(), 0), 0);
}

TEST_F(Slots, RefuseATakenSlotAndCloseWhatCame) {
    EXPECT_EQ(slots_->Store(3, Null()), 0);
    const int kept = slots_->Peek(3);
    OwnedFd second = Null();
    const int number = second.get();
    EXPECT_EQ(slots_->Store(3, std::move(second)), EBUSY);
    EXPECT_FALSE(IsOpen(number));
    EXPECT_EQ(slots_->Peek(3), kept);
}

TEST_F(Slots, RefuseNumbersOutOfRangeAndNoDescriptor) {
    EXPECT_EQ(slots_->Store(kDescriptorSlots, Null()), EINVAL);
    EXPECT_EQ(slots_->Store(UINT32_MAX, Null()), EINVAL);
    EXPECT_EQ(slots_->Store(1, OwnedFd()), EINVAL);
    EXPECT_EQ(slots_->Peek(kDescriptorSlots), -EINVAL);
    EXPECT_EQ(slots_->Drop(kDescriptorSlots), EINVAL);
    EXPECT_EQ(slots_->Drop(1), ENOENT);
    EXPECT_EQ(slots_->Store(kDescriptorSlots - 1, Null()), 0);
}

TEST_F(Slots, ClearClosesEveryOne) {
    EXPECT_EQ(slots_->Store(0, Null()), 0);
    EXPECT_EQ(slots_->Store(kDescriptorSlots - 1, Null()), 0);
    const int first = slots_->Peek(0);
    const int last = slots_->Peek(kDescriptorSlots - 1);
    slots_->Clear();
    EXPECT_FALSE(IsOpen(first));
    EXPECT_FALSE(IsOpen(last));
    EXPECT_EQ(slots_->Peek(0), -ENOENT);
}

}  // namespace
}  // namespace husk::init
