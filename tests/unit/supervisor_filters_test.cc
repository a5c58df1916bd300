// What the keys of a unit make of its filter, asked call by call.
#include <cerrno>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/syscall.h>

#include "base/file.h"
#include "base/syscalls.h"
#include "base/text.h"
#include "config/load.h"
#include "container/seccomp.h"
#include "supervisor/filters.h"
#include "supervisor/spec_check.h"
#include "tests/lib/temporary_folder.h"

namespace husk::supervisor {
namespace {

using container::Allows;
using container::FilterProgram;
using container::Refuse;

constexpr uint32_t kKill = SECCOMP_RET_KILL_PROCESS;

config::ContainerSection Keys(std::string_view lines) {
    auto unit =
        config::ParseUnit("web", "web.container", Cat("[Container]\nExec=/x\n", lines, "\n"));
    EXPECT_TRUE(unit.problems.empty()) << config::Describe(unit.problems[0]);
    return std::move(unit.unit.container);
}

FilterProgram Of(std::string_view lines, uint64_t capabilities = 0) {
    const config::ContainerSection keys = Keys(lines);
    auto program = CompileFilter({keys, capabilities});
    EXPECT_TRUE(program) << lines << ": " << (program ? "" : program.error().text);
    return program.value_or(FilterProgram{});
}

uint32_t Ask(const FilterProgram& program, long number, uint64_t first = 0) {
    const uint64_t arguments[6] = {first, 0, 0, 0, 0, 0};
    return container::Interpret(program, container::NativeArchitecture(),
                                static_cast<uint32_t>(number), arguments)
        .value_or(1);
}

bool IsIn(const Syscall& call, std::string_view group) {
    return (call.groups & *FindSyscallGroup(group)) != 0;
}

// What other rules say of these is tested by itself.
bool IsGuarded(std::string_view name) {
    return name == "clone" || name == "clone3" || name == "unshare" || name == "setns" ||
           name == "ioctl" || name == "personality" || name == "socket";
}

TEST(CompileFilter, WithoutKeysIsTheDefaultProfile) {
    for (uint64_t capabilities : {uint64_t{0}, uint64_t{1} << CAP_SYS_ADMIN, UINT64_MAX}) {
        const FilterProgram theirs = *container::Assemble(container::DefaultFilter(capabilities));
        const FilterProgram ours = Of("", capabilities);
        for (uint32_t number = 0; number < 600; ++number)
            EXPECT_EQ(Ask(ours, number), Ask(theirs, number)) << number;
    }
}

TEST(CompileFilter, OfAnAllowListAllowsThatAndTheDefaultGroupOnly) {
    for (std::string_view group : SyscallGroupNames()) {
        const FilterProgram program = Of(Cat("SystemCallFilter=@", group));
        for (size_t i = 0; i < SyscallCount(); ++i) {
            const Syscall call = SyscallAt(i);
            if (!call.number || IsGuarded(call.name)) continue;
            EXPECT_EQ(Ask(program, *call.number), IsIn(call, group) || IsIn(call, "default")
                                                      ? SECCOMP_RET_ALLOW
                                                      : Refuse(EPERM))
                << "@" << group << " " << call.name;
        }
        EXPECT_EQ(Ask(program, FirstNewSyscall()), Refuse(ENOSYS)) << group;
        EXPECT_LT(program.size(), 200u) << group;
    }
}

TEST(CompileFilter, OfADenyListTakesAwayFromTheDefaultProfile) {
    const FilterProgram standard = Of("");
    for (std::string_view group : SyscallGroupNames()) {
        if (group == "known" || group == "default" || group == "system-service") continue;
        const FilterProgram program =
            Of(Cat("SystemCallFilter=~@", group, "\nSystemCallErrorNumber=EACCES"));
        for (size_t i = 0; i < SyscallCount(); ++i) {
            const Syscall call = SyscallAt(i);
            if (!call.number || IsGuarded(call.name)) continue;
            EXPECT_EQ(Allows(program, call.name), Allows(standard, call.name) && !IsIn(call, group))
                << "~@" << group << " " << call.name;
            if (!Allows(program, call.name)) {
                EXPECT_EQ(Ask(program, *call.number), Refuse(EACCES)) << call.name;
            }
        }
    }
}

TEST(CompileFilter, TakesAssignmentsInTheirOrder) {
    FilterProgram program =
        Of("SystemCallFilter=@basic-io @mount\nSystemCallFilter=~@mount write\n"
           "SystemCallFilter=mount write");
    for (const char* name : {"read", "write", "mount", "execve", "futex"})
        EXPECT_TRUE(Allows(program, name)) << name;
    for (const char* name : {"umount2", "openat", "fsopen"})
        EXPECT_FALSE(Allows(program, name)) << name;
    // An empty assignment forgets what was before it.
    program = Of("SystemCallFilter=@mount\nSystemCallFilter=\nSystemCallFilter=@basic-io");
    EXPECT_FALSE(Allows(program, "mount"));
    EXPECT_TRUE(Allows(program, "read"));
    // Of another architecture: without effect.
    program = Of("SystemCallFilter=_llseek waitpid riscv_flush_icache read");
    EXPECT_TRUE(Allows(program, "read"));
}

TEST(CompileFilter, GivesBackWhatADenyListTookAndNoMore) {
    const FilterProgram program =
        Of("SystemCallFilter=~@file-system socket\nSystemCallFilter=openat mount socket");
    EXPECT_TRUE(Allows(program, "openat"));
    EXPECT_FALSE(Allows(program, "statx"));
    EXPECT_FALSE(Allows(program, "mount")) << "not in the default profile";
    EXPECT_TRUE(Allows(program, "socket"));
    EXPECT_EQ(Ask(program, SYS_socket, 40), Refuse(EPERM)) << "AF_VSOCK, as it was";
}

TEST(CompileFilter, HasErrorNumbers) {
    FilterProgram program =
        Of("SystemCallFilter=@basic-io fchmod:EROFS\nSystemCallFilter=~write:ENOSPC read:kill\n"
           "SystemCallErrorNumber=ENOENT");
    EXPECT_EQ(Ask(program, SYS_fchmod), Refuse(EROFS));
    EXPECT_EQ(Ask(program, SYS_write), Refuse(ENOSPC));
    EXPECT_EQ(Ask(program, SYS_read), kKill);
    EXPECT_EQ(Ask(program, SYS_openat), Refuse(ENOENT));
    EXPECT_EQ(Ask(program, SYS_lseek), SECCOMP_RET_ALLOW);
    program = Of("SystemCallErrorNumber=kill");
    EXPECT_EQ(Ask(program, SYS_mount), kKill);
    EXPECT_EQ(Ask(program, SYS_read), SECCOMP_RET_ALLOW);
    EXPECT_EQ(Ask(program, SYS_clone3), Refuse(ENOSYS)) << "libcs ask for it first";
    EXPECT_EQ(Ask(program, 1000), Refuse(ENOSYS)) << "newer than husk";
    EXPECT_EQ(Ask(Of("SystemCallFilter=~clone3 unshare:kill"), SYS_clone3), Refuse(ENOSYS));
}

TEST(CompileFilter, KeepsWhatAlwaysHolds) {
    for (const char* lines : {"SystemCallFilter=@known", "SystemCallFilter=~@swap"}) {
        const FilterProgram program = Of(lines);
        EXPECT_EQ(Ask(program, SYS_clone, CLONE_NEWUSER | 17), Refuse(EPERM)) << lines;
        EXPECT_EQ(Ask(program, SYS_setns), Refuse(EPERM)) << lines;
        EXPECT_EQ(Ask(program, SYS_clone3), Refuse(ENOSYS)) << lines;
        EXPECT_EQ(Ask(program, SYS_personality, 0x40000), Refuse(EPERM)) << lines;
    }
    const uint64_t admin = uint64_t{1} << CAP_SYS_ADMIN;
    EXPECT_EQ(Ask(Of("SystemCallFilter=@process", admin), SYS_clone3), SECCOMP_RET_ALLOW);
    EXPECT_EQ(Ask(Of("SystemCallFilter=@file-system", admin), SYS_clone3), Refuse(EPERM));
}

TEST(CompileFilter, RefusesOneThatNoProgramCouldStartWith) {
    config::ContainerSection keys = Keys("SystemCallFilter=~execve");
    EXPECT_EQ(CompileFilter({keys}).error().text, "no program could be started without execve");
    keys = Keys("SystemCallFilter=@basic-io\nNoNewPrivileges=no");
    EXPECT_TRUE(CompileFilter({keys}).error().text.starts_with(
        "no program could be started without capset fchdir "));
    keys = Keys("SystemCallFilter=@system-service\nNoNewPrivileges=no");
    EXPECT_TRUE(CompileFilter({keys}));
}

TEST(CompileFilter, TakesAProfile) {
    const config::ContainerSection keys = Keys("SeccompProfile=/etc/p.json");
    constexpr char kText[] =
        R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["execve","read"],"action":"SCMP_ACT_ALLOW"}]})";
    auto program = CompileFilter({keys, 0, kText, "6.1"});
    ASSERT_TRUE(program);
    EXPECT_TRUE(Allows(*program, "read"));
    EXPECT_FALSE(Allows(*program, "write"));
    auto refused = CompileFilter({keys, 0, R"({"defaultAction":"SCMP_ACT_KILL"})", "6.1"});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().key, "SeccompProfile");
    EXPECT_EQ(refused.error().text,
              "profile '/etc/p.json': no program could be started without execve");
    EXPECT_EQ(CompileFilter({keys, 0, "{", "6.1"}).error().text,
              "profile '/etc/p.json': line 1 is not JSON");
}

TEST(Filters, AreSharedByUnitsThatSayTheSame) {
    Filters filters;
    auto get = [&](std::string_view lines, uint64_t capabilities = 0) {
        return filters.Get(Keys(lines), capabilities).value();
    };
    const auto one = get("");
    EXPECT_EQ(one, get("HostName=other"));
    EXPECT_NE(one, get("", 1));
    const auto listed = get("SystemCallFilter=~@mount");
    EXPECT_NE(one, listed);
    EXPECT_EQ(listed, get("HostName=x\nSystemCallFilter=~@mount")) << "on another line";
    EXPECT_NE(listed, get("SystemCallFilter=@mount"));
    EXPECT_NE(listed, get("SystemCallFilter=~@mount:EIO"));
    EXPECT_NE(listed, get("SystemCallFilter=~@mount\nSystemCallErrorNumber=EIO"));
}

class CheckSpecsOf : public ::testing::Test {
  protected:
    std::string Check(std::string_view lines, bool on_device = true) {
        EXPECT_TRUE(WriteFileAtomically(folder_ / "web.container",
                                        Cat("[Container]\nExec=/x\n", lines, "\n")));
        EXPECT_TRUE(WriteFileAtomically(folder_ / "app.container",
                                        "[Unit]\nRequires=web\n[Container]\nExec=/x\n"));
        auto loaded = config::LoadUnits({folder_.path()});
        CheckSpecs(loaded, on_device);
        std::string text;
        for (const auto& unit : loaded.units) {
            EXPECT_EQ(unit.refused, config::HasErrors(unit.problems));
            for (const auto& problem : unit.problems) text += config::Describe(problem) + "\n";
        }
        for (size_t at; (at = text.find(folder_.path())) != text.npos;)
            text.erase(at, folder_.path().size() + 1);
        return text;
    }
    testing::TemporaryFolder folder_;
};

TEST_F(CheckSpecsOf, AUnitSaysWhyItsFilterDoesNotHold) {
    EXPECT_EQ(Check(""), "");
    EXPECT_EQ(Check("SystemCallFilter=@system-service"), "");
    EXPECT_EQ(Check("SystemCallFilter=~execve"),
              "app.container:2: error: unit 'web', which this one needs, is refused (mend "
              "web.container)\n"
              "web.container:3: error: key 'SystemCallFilter': no program could be started without "
              "execve (allow execve)\n");
    EXPECT_TRUE(Check("HostName=x\nSeccompProfile=/nowhere.json")
                    .find("web.container:4: error: key 'SeccompProfile': open '/nowhere.json': No "
                          "such file or directory (put the file there, or drop the key for the "
                          "default profile)\n") != std::string::npos);
    EXPECT_EQ(Check("SeccompProfile=/nowhere.json", false),
              "web.container:3: warning: key 'SeccompProfile': open '/nowhere.json': No such file "
              "or directory (it must be there on the device, where it is read)\n");
}

TEST_F(CheckSpecsOf, AProfileThatIsWrong) {
    const std::string profile = folder_ / "p.json";
    ASSERT_TRUE(WriteFileAtomically(profile, "{\n\"defaultAction\": 1}"));
    const std::string said = Check(Cat("SeccompProfile=", profile), false);
    EXPECT_NE(said.find("web.container:3: error: key 'SeccompProfile': profile 'p.json': "
                        "'defaultAction' is not a text\n"),
              std::string::npos)
        << said;
    ASSERT_TRUE(WriteFileAtomically(profile, std::string(300 << 10, ' ')));
    EXPECT_NE(Check(Cat("SeccompProfile=", profile), false).find("error"), std::string::npos);
}

}  // namespace
}  // namespace husk::supervisor
