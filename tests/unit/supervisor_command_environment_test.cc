#include <csignal>
#include <gtest/gtest.h>

#include "supervisor/command_environment.h"

namespace husk::supervisor {
namespace {

using Words = std::vector<std::string>;

TEST(CommandEnvironment, NamesTheMainProcessToThoseThatHaveOne) {
    const config::ServiceSection service;
    for (auto kind : {CommandKind::kStartPost, CommandKind::kReload})
        EXPECT_EQ(CommandEnvironment(kind, 1, {}, service), Words{"MAINPID=1"});
    for (auto kind : {CommandKind::kCondition, CommandKind::kStartPre})
        EXPECT_EQ(CommandEnvironment(kind, 1, {}, service), Words{});
}

TEST(CommandEnvironment, TellsAStopHowTheMainProcessEnded) {
    const config::ServiceSection service;
    auto stop_post = [&](const ExitInfo& exit) {
        return CommandEnvironment(CommandKind::kStopPost, 0, exit, service);
    };
    EXPECT_EQ(stop_post({.kind = ExitKind::kExited, .code = 3}),
              (Words{"SERVICE_RESULT=exit-code", "EXIT_CODE=exited", "EXIT_STATUS=3"}));
    EXPECT_EQ(stop_post({.kind = ExitKind::kExited}),
              (Words{"SERVICE_RESULT=success", "EXIT_CODE=exited", "EXIT_STATUS=0"}));
    EXPECT_EQ(stop_post({.kind = ExitKind::kSignal, .signal = SIGTERM}),
              (Words{"SERVICE_RESULT=success", "EXIT_CODE=killed", "EXIT_STATUS=TERM"}));
    EXPECT_EQ(stop_post({.kind = ExitKind::kSignal, .signal = SIGSEGV, .core_dumped = true}),
              (Words{"SERVICE_RESULT=core-dump", "EXIT_CODE=dumped", "EXIT_STATUS=SEGV"}));
    EXPECT_EQ(stop_post({.kind = ExitKind::kOom, .signal = SIGKILL}),
              (Words{"SERVICE_RESULT=oom-kill", "EXIT_CODE=killed", "EXIT_STATUS=KILL"}));
    EXPECT_EQ(stop_post({.kind = ExitKind::kStartFailed}), Words{"SERVICE_RESULT=resources"});
}

TEST(CommandEnvironment, WhileTheMainProcessRunsAnEarlierExitIsNotIts) {
    EXPECT_EQ(CommandEnvironment(CommandKind::kStop, 1, {.kind = ExitKind::kExited, .code = 3},
                                 config::ServiceSection()),
              (Words{"MAINPID=1", "SERVICE_RESULT=success"}));
}

TEST(CommandEnvironment, TellsWhoIsStartedByAnEndWhoseItWasAndHow) {
    const config::ServiceSection service;
    EXPECT_EQ(MonitorEnvironment("web", 0, {.kind = ExitKind::kExited, .code = 3}, service),
              (Words{"MONITOR_SERVICE_RESULT=exit-code", "MONITOR_EXIT_CODE=exited",
                     "MONITOR_EXIT_STATUS=3", "MONITOR_UNIT=web"}));
    EXPECT_EQ(MonitorEnvironment("web", 0, {.kind = ExitKind::kSignal, .signal = SIGSEGV}, service),
              (Words{"MONITOR_SERVICE_RESULT=signal", "MONITOR_EXIT_CODE=killed",
                     "MONITOR_EXIT_STATUS=SEGV", "MONITOR_UNIT=web"}));
    EXPECT_EQ(MonitorEnvironment("web", 7, {.kind = ExitKind::kExited, .code = 3}, service),
              (Words{"MONITOR_SERVICE_RESULT=success", "MONITOR_UNIT=web"}))
        << "it runs again";
}

}  // namespace
}  // namespace husk::supervisor
