// The table of system calls and their groups.
#include <cstdlib>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <sys/syscall.h>

#include "base/syscalls.h"

namespace husk {
namespace {

TEST(Syscalls, AreThoseOfLibseccomp) {
    for (int number = 0; number < 1000; ++number) {
        char* name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
        if (name == nullptr) continue;
        EXPECT_EQ(SyscallNumber(name), static_cast<uint32_t>(number)) << name;
        std::free(name);
    }
    EXPECT_GT(FirstNewSyscall(), static_cast<uint32_t>(SYS_clone3));
    EXPECT_LT(FirstNewSyscall(), 1000u);
}

TEST(Syscalls, OfOtherArchitecturesAreKnownAndHaveNoNumber) {
#if defined(__x86_64__)
    for (const char* name : {"_llseek", "waitpid", "arm_fadvise64_64", "riscv_flush_icache"}) {
        ASSERT_TRUE(FindSyscall(name)) << name;
        EXPECT_EQ(FindSyscall(name)->number, std::nullopt) << name;
    }
#endif
    EXPECT_FALSE(FindSyscall("opne"));
    EXPECT_FALSE(FindSyscall(""));
    EXPECT_FALSE(FindSyscall("zzz"));
}

TEST(Syscalls, AreSortedByName) {
    for (size_t i = 1; i < SyscallCount(); ++i) EXPECT_LT(SyscallAt(i - 1).name, SyscallAt(i).name);
}

bool IsIn(const char* name, const char* group) {
    const auto call = FindSyscall(name);
    const auto bits = FindSyscallGroup(group);
    EXPECT_TRUE(call) << name;
    EXPECT_TRUE(bits) << group;
    return (call->groups & *bits) != 0;
}

TEST(SyscallGroups, HoldCallsAndOtherGroups) {
    EXPECT_TRUE(IsIn("mount", "mount"));
    EXPECT_FALSE(IsIn("mount", "system-service"));
    EXPECT_TRUE(IsIn("read", "basic-io"));
    EXPECT_TRUE(IsIn("read", "system-service")) << "nested";
    EXPECT_TRUE(IsIn("landlock_restrict_self", "system-service")) << "nested twice";
    EXPECT_TRUE(IsIn("swapon", "privileged"));
    EXPECT_TRUE(IsIn("read", "known"));
    EXPECT_TRUE(IsIn("mincore", "known")) << "a call of no other group";
    EXPECT_TRUE(IsIn("keyctl", "system-service"));
    EXPECT_FALSE(IsIn("keyctl", "husk")) << "taken away";
    EXPECT_FALSE(FindSyscallGroup("nothing"));
    EXPECT_FALSE(FindSyscallGroup(""));
    EXPECT_FALSE(FindSyscallGroup("CAP_SYS_ADMIN"));
}

TEST(SyscallGroups, AreSystemds) {
    const auto names = SyscallGroupNames();
    EXPECT_EQ(names.size(), 30u);
    for (std::string_view name : names) EXPECT_NE(name, "husk");
}

TEST(SyscallGroups, OpenMoreWithCapabilities) {
    const SyscallGroups none = DefaultSyscallGroups(0), all = DefaultSyscallGroups(UINT64_MAX);
    EXPECT_EQ(none & all, none);
    EXPECT_EQ(FindSyscall("reboot")->groups & none, 0u);
    EXPECT_NE(FindSyscall("reboot")->groups & DefaultSyscallGroups(uint64_t{1} << CAP_SYS_BOOT),
              0u);
}

}  // namespace
}  // namespace husk
