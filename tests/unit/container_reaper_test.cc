#include <csignal>
#include <cstring>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "container/reaper.h"

namespace husk::container {
namespace {

constexpr char kMaps[] =
    "55e0a0000000-55e0a0100000 r-xp 00001000 08:01 77 /usr/bin/husk\n"
    "55e0a0100000-55e0a0104000 rw-p 00101000 08:01 77 /usr/bin/husk\n"
    "55e0a0104000-55e0a0108000 rw-p 00000000 00:00 0 \n"
    "55e0a1000000-55e0a1021000 rw-p 00000000 00:00 0 [heap]\n"
    "7f0000000000-7f0000010000 rw-p 00000000 00:00 0 \n"
    "7f0000020000-7f0000021000 rw-p 00000000 00:00 0 [anon:husk]\n"
    "7f0000030000-7f0000031000 ---p 00000000 00:00 0 \n"
    "7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0 [stack]\n"
    "7ffc00030000-7ffc00034000 r--p 00000000 00:00 0 [vvar]\n"
    "nonsense\nzz-yy rw-p 0 0 0\n7f20-7f10 rw-p 0 0 0\n";

std::string Stat(std::string_view name, std::string_view begin, std::string_view end) {
    std::string text = Cat("12 (", name, ") S");
    for (int field = 4; field < 48; ++field) text += " 0";
    return Cat(text, " ", begin, " ", end, " 0 0 0\n");
}

TEST(Reaper, DropsWhatWasAllocatedAndNothingElse) {
    const ReaperMemory memory =
        FindReaperMemory(kMaps, Stat("a) b", "4096", "5000"), {0x55e0a0104010, 0x7ffc00020000});
    EXPECT_EQ(memory.heap,
              (std::vector<MemoryRange>{
                  {0x55e0a1000000, 0x21000}, {0x7f0000000000, 0x10000}, {0x7f0000020000, 0x1000}}));
    EXPECT_EQ(memory.arguments, (MemoryRange{4096, 904}));
    EXPECT_EQ(FindReaperMemory("", "", {}).heap.size(), 0u);
    for (const auto& stat : {Stat("x", "0", "9"), Stat("x", "9", "9"), std::string("12 (x) S 1")})
        EXPECT_EQ(FindReaperMemory("", stat, {}).arguments, MemoryRange{}) << stat;
}

TEST(Reaper, KnowsItsOwnArguments) {
    const ReaperMemory memory = ReadReaperMemory();
    const auto line = ReadFile("/proc/self/cmdline", 4096);
    ASSERT_TRUE(line && memory.arguments.size >= line->size());
    EXPECT_EQ(std::memcmp(reinterpret_cast<const char*>(memory.arguments.begin), line->data(),
                          line->size()),
              0);
}

TEST(Reaper, TellsASignalFromACodeByItsName) {
    const int exited = 143 << 8;
    EXPECT_EQ(ProgramStatus(exited, "9 (husk-init:15) Z 1"), SIGTERM);
    EXPECT_EQ(ProgramStatus(exited, "9 (husk-init) Z 1"), exited) << "its own exit code";
    EXPECT_EQ(ProgramStatus(exited, "9 (husk-init:9) Z 1"), exited);
    EXPECT_EQ(ProgramStatus(exited, ""), SIGTERM) << "nobody knows";
    EXPECT_EQ(ProgramStatus(3 << 8, "9 (husk-init) Z 1"), 3 << 8);
    EXPECT_EQ(ProgramStatus(200 << 8, ""), 200 << 8) << "a stage of the child that failed";
    EXPECT_EQ(ProgramStatus(SIGKILL, "9 (husk-init) Z 1"), SIGKILL) << "it was killed itself";
}

// The loop itself, in a process of its own. It forgets nothing, as the sanitizers would miss it.
int StatusUnderReaper(void (*program)(), int signal, std::string& name) {
    int ready[2];
    EXPECT_EQ(::pipe(ready), 0);
    const pid_t reaper = ::fork();
    if (reaper == 0) {
        sigset_t all;
        ::sigfillset(&all);
        ::sigprocmask(SIG_SETMASK, &all, nullptr);
        const pid_t child = ::fork();
        if (child == 0) {
            ::sigemptyset(&all);
            ::sigprocmask(SIG_SETMASK, &all, nullptr);
            (void)!::write(ready[1], "x", 1);
            program();
            ::_exit(99);
        }
        ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        Reap(child, nullptr, 0, {});
    }
    char byte;
    EXPECT_EQ(::read(ready[0], &byte, 1), 1);
    if (signal != 0) ::kill(reaper, signal);
    siginfo_t info;
    EXPECT_EQ(::waitid(P_PID, static_cast<id_t>(reaper), &info, WEXITED | WNOWAIT), 0);
    name = ReadFile(Cat("/proc/", std::to_string(reaper), "/stat"), 4096).value_or("");
    int status = 0;
    EXPECT_EQ(::waitpid(reaper, &status, 0), reaper);
    ::close(ready[0]);
    ::close(ready[1]);
    return ProgramStatus(status, name);
}

TEST(Reaper, EndsAsItsProgramDidAndForwardsSignals) {
    std::string name;
    EXPECT_EQ(StatusUnderReaper([] { ::_exit(7); }, 0, name), 7 << 8);
    EXPECT_NE(name.find("(husk-init)"), name.npos);
    EXPECT_EQ(StatusUnderReaper([] { ::_exit(143); }, 0, name), 143 << 8);
    EXPECT_EQ(StatusUnderReaper([] { ::pause(); }, SIGTERM, name), SIGTERM);
    EXPECT_NE(name.find("(husk-init:15)"), name.npos);
    EXPECT_EQ(StatusUnderReaper([] { ::raise(SIGKILL); }, 0, name), SIGKILL);
    EXPECT_EQ(StatusUnderReaper([] { ::pause(); }, SIGRTMIN + 3, name), SIGRTMIN + 3);
    EXPECT_EQ(StatusUnderReaper(
                  [] {
                      // An orphan is reaped, and its end is not the program's.
                      const pid_t parent = ::fork();
                      if (parent == 0) {
                          if (::fork() == 0) ::_exit(1);
                          ::_exit(2);
                      }
                      ::waitpid(parent, nullptr, 0);
                      ::usleep(20'000);
                      ::_exit(0);
                  },
                  0, name),
              0);
}

}  // namespace
}  // namespace husk::container
