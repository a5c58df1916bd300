#include <gtest/gtest.h>
#include <signal.h>

#include <string>
#include <vector>

#include "supervisor/exit_info.h"

namespace husk::supervisor {
namespace {

using config::ExitStatusSet;
using config::RestartPolicy;
using config::ServiceType;

constexpr int Exited(int code) { return code << 8; }
constexpr int Killed(int signal, bool core = false) { return signal | (core ? 0x80 : 0); }

ExitInfo From(int status, uint64_t oom_kills = 0, uint64_t limit = 0) {
    return ExitFromWaitStatus(status, oom_kills, limit, Instant{Duration(5)}, 7);
}
ExitInfo Of(ExitKind kind, std::string text = "") {
    ExitInfo exit;
    exit.kind = kind;
    exit.text = std::move(text);
    return exit;
}

TEST(ExitInfo, TellsCodeSignalCoreAndMemoryApart) {
    EXPECT_EQ(From(Exited(3)).kind, ExitKind::kExited);
    EXPECT_EQ(From(Exited(3)).code, 3);
    EXPECT_EQ(From(Killed(SIGSEGV, true)).kind, ExitKind::kSignal);
    EXPECT_TRUE(From(Killed(SIGSEGV, true)).core_dumped);
    EXPECT_EQ(From(Killed(SIGKILL), 1).kind, ExitKind::kOom);
    EXPECT_EQ(From(Killed(SIGKILL), 0).kind, ExitKind::kSignal);
    EXPECT_EQ(From(Exited(0)).at, Instant{Duration(5)});
    EXPECT_EQ(From(Exited(0)).at_realtime, 7);
}

TEST(ExitInfo, OnlySigkillIsTheOomKillersWork) {
    EXPECT_EQ(From(Killed(SIGTERM), 3).kind, ExitKind::kSignal);
    EXPECT_EQ(From(Exited(137), 3).kind, ExitKind::kExited);
}

TEST(ExitInfo, AStatusThatIsNoEndIsUnknown) {
    EXPECT_EQ(From(0x137f).kind, ExitKind::kUnknown);  // stopped
    EXPECT_EQ(From(0xffff).kind, ExitKind::kUnknown);  // continued
}

TEST(ExitInfo, IsDescribedInWords) {
    EXPECT_EQ(Describe(From(Exited(1))), "exited with code 1");
    EXPECT_EQ(Describe(From(Killed(SIGSEGV))), "killed by SIGSEGV");
    EXPECT_EQ(Describe(From(Killed(SIGSEGV, true))), "killed by SIGSEGV (core dumped)");
    EXPECT_EQ(Describe(From(Killed(SIGKILL), 1, 64 << 20)), "killed for memory (limit 64.0M)");
    EXPECT_EQ(Describe(From(Killed(SIGKILL), 1)), "killed for memory");
    EXPECT_EQ(Describe(From(Exited(1), 1, 64 << 20)),
              "exited with code 1 (1 process was killed for memory (limit 64.0M))");
    EXPECT_EQ(Describe(Of(ExitKind::kStartFailed, "mount 'tmpfs' on '/tmp': No space left")),
              "start failed: mount 'tmpfs' on '/tmp': No space left");
    EXPECT_EQ(Describe(Of(ExitKind::kTimeout, "not started within 10s")), "not started within 10s");
    EXPECT_EQ(Describe(Of(ExitKind::kUnknown)), "ended, but its exit status was lost");
}

TEST(ExitInfo, CodeZeroAndTheFourSignalsAreClean) {
    const ExitStatusSet none;
    EXPECT_TRUE(IsClean(From(Exited(0)), none));
    EXPECT_FALSE(IsClean(From(Exited(1)), none));
    for (int signal = 1; signal <= 64; ++signal) {
        const bool clean =
            signal == SIGHUP || signal == SIGINT || signal == SIGTERM || signal == SIGPIPE;
        EXPECT_EQ(IsClean(From(Killed(signal)), none), clean) << signal;
        EXPECT_FALSE(IsClean(From(Killed(signal)), none, ServiceType::kOneshot)) << signal;
    }
}

TEST(ExitInfo, SuccessExitStatusAddsCodesAndSignals) {
    const ExitStatusSet success{{75}, {SIGUSR1}};
    EXPECT_TRUE(IsClean(From(Exited(75)), success));
    EXPECT_FALSE(IsClean(From(Exited(76)), success));
    EXPECT_TRUE(IsClean(From(Killed(SIGUSR1)), success, ServiceType::kOneshot));
}

TEST(ExitInfo, MemoryFailedStartsTimeoutsAndLostEndsAreNeverClean) {
    const ExitStatusSet everything{{0, 1, 203}, {SIGKILL}};
    EXPECT_FALSE(IsClean(From(Killed(SIGKILL), 1), everything));
    for (ExitKind kind :
         {ExitKind::kNone, ExitKind::kStartFailed, ExitKind::kTimeout, ExitKind::kDamaged,
          ExitKind::kWatchdog, ExitKind::kUnhealthy, ExitKind::kUnknown})
        EXPECT_FALSE(IsClean(Of(kind), everything));
}

// systemd.service(5), table 1, one row a line; columns in the order of kPolicies.
constexpr RestartPolicy kPolicies[] = {RestartPolicy::kNo,         RestartPolicy::kAlways,
                                       RestartPolicy::kOnSuccess,  RestartPolicy::kOnFailure,
                                       RestartPolicy::kOnAbnormal, RestartPolicy::kOnAbort};
struct TableRow {
    const char* name;
    ExitInfo exit;
    bool restarts[6];
};

TEST(WantsRestart, IsSystemdsTable) {
    // clang-format off
    const TableRow rows[] = {
        //                                                 no always succ fail abnorm abort
        {"clean exit code", From(Exited(0)),               {0, 1, 1, 0, 0, 0}},
        {"clean signal", From(Killed(SIGTERM)),            {0, 1, 1, 0, 0, 0}},
        {"unclean exit code", From(Exited(1)),             {0, 1, 0, 1, 0, 0}},
        {"unclean signal", From(Killed(SIGSEGV)),          {0, 1, 0, 1, 1, 1}},
        {"unclean signal, core", From(Killed(SIGABRT, true)), {0, 1, 0, 1, 1, 1}},
        {"killed", From(Killed(SIGKILL)),                  {0, 1, 0, 1, 1, 1}},
        {"timeout", Of(ExitKind::kTimeout),                {0, 1, 0, 1, 1, 0}},
        {"killed for memory", From(Killed(SIGKILL), 1),    {0, 1, 0, 1, 1, 0}},
        {"failed start", Of(ExitKind::kStartFailed),       {0, 1, 0, 1, 0, 0}},
        {"lost", Of(ExitKind::kUnknown),                   {0, 1, 0, 1, 0, 0}},
    };
    // clang-format on
    const ExitStatusSet none;
    for (const TableRow& row : rows)
        for (int column = 0; column < 6; ++column)
            EXPECT_EQ(WantsRestart(row.exit, {kPolicies[column], none, none, none}),
                      row.restarts[column])
                << row.name << ", column " << column;
}

TEST(WantsRestart, PreventWinsOverForceAndForceOverPolicy) {
    const ExitStatusSet none, one{{1}, {SIGSEGV}};
    for (RestartPolicy policy : kPolicies) {
        EXPECT_FALSE(WantsRestart(From(Exited(1)), {policy, none, one, one}));
        EXPECT_TRUE(WantsRestart(From(Exited(1)), {policy, none, none, one}));
        EXPECT_FALSE(WantsRestart(From(Killed(SIGSEGV)), {policy, none, one, none}));
    }
}

TEST(WantsRestart, ASetWithSigkillMeansMemoryKillsToo) {
    const ExitStatusSet none, kill{{}, {SIGKILL}};
    EXPECT_FALSE(
        WantsRestart(From(Killed(SIGKILL), 1), {RestartPolicy::kAlways, none, kill, none}));
}

TEST(WantsRestart, SuccessExitStatusMakesAnExitClean) {
    const ExitStatusSet none, success{{75}, {}};
    EXPECT_FALSE(WantsRestart(From(Exited(75)), {RestartPolicy::kOnFailure, success, none, none}));
    EXPECT_TRUE(WantsRestart(From(Exited(75)), {RestartPolicy::kOnSuccess, success, none, none}));
}

TEST(WantsRestart, OneshotIsNotRunAgainAfterACleanExit) {
    const ExitStatusSet none, zero{{0}, {}};
    const auto oneshot = ServiceType::kOneshot;
    for (RestartPolicy policy : kPolicies)
        EXPECT_FALSE(WantsRestart(From(Exited(0)), {policy, none, none, zero, oneshot}));
    EXPECT_TRUE(
        WantsRestart(From(Exited(1)), {RestartPolicy::kOnFailure, none, none, none, oneshot}));
    // For oneshot SIGTERM is no clean end, so on-failure applies.
    EXPECT_TRUE(WantsRestart(From(Killed(SIGTERM)),
                             {RestartPolicy::kOnFailure, none, none, none, oneshot}));
}

TEST(ExitInfo, EveryKindHasANameOfItsOwn) {
    std::vector<std::string> names;
    for (int kind = 0; kind <= static_cast<int>(ExitKind::kUnknown); ++kind)
        names.emplace_back(ExitKindName(static_cast<ExitKind>(kind)));
    EXPECT_EQ(names,
              (std::vector<std::string>{"none", "exited", "signal", "oom", "start-failed",
                                        "timeout", "damaged", "watchdog", "unhealthy", "unknown"}));
}

}  // namespace
}  // namespace husk::supervisor
