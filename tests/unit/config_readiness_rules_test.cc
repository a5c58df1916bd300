// Rules across the keys of readiness and health.
#include <gtest/gtest.h>

#include <string>

#include "base/text.h"
#include "config/load.h"

namespace husk::config {
namespace {

// Errors of a unit with Exec= on line 2 and `more` from line 3 on.
std::string Of(std::string_view more) {
    std::string out;
    for (const Problem& problem :
         ParseUnit("web", "web.container", Cat("[Container]\nExec=/x\n", more)).problems)
        if (problem.text.find("not supported yet") == std::string::npos)
            out += Cat(Describe(problem), "\n");
    return out;
}

bool Says(std::string_view more, std::string_view what) {
    const std::string text = Of(more);
    EXPECT_NE(text.find(what), text.npos) << more << "\n" << text;
    return true;
}

TEST(Readiness, HasOneVoice) {
    EXPECT_EQ(Of("[Service]\nType=notify\nWatchdogSec=5\nNotifyAccess=all\n"), "");
    EXPECT_EQ(Of("[Service]\nNotifyFd=3\n"), "");
    EXPECT_EQ(Of("[Service]\nType=exec\nNotifyFd=3\n"), "");
    Says("[Service]\nType=notify\nNotifyFd=3\n", "key 'NotifyFd': the unit also says by sd_notify");
    Says("[Service]\nType=oneshot\nNotifyFd=3\n", "key 'NotifyFd': Type= says that it is ready");
    Says("Notify=yes\n[Service]\nType=oneshot\n", "key 'Notify': Type= says");
    Says("Notify=yes\n[Service]\nNotifyFd=3\n", "key 'NotifyFd': the unit also says");
    Says("Notify=healthy\nHealthTcp=80\n[Service]\nType=notify\n", "would both say");
    EXPECT_EQ(Of("Notify=yes\n[Service]\nType=notify-reload\n"), "");
    EXPECT_EQ(Of("Notify=healthy\nHealthTcp=80\n"), "");
}

TEST(Readiness, NotifyFdIsNoneOfTheSockets) {
    Says("[Socket]\nListenStream=80\nListenStream=81\n[Service]\nNotifyFd=4\n",
         "choose 5 or higher");
    EXPECT_EQ(Of("[Socket]\nListenStream=80\nListenStream=81\n[Service]\nNotifyFd=5\n"), "");
}

TEST(HealthRules, OneCheckIsGiven) {
    Says("HealthTcp=80\nHealthHttp=http://localhost/\n", "keep one of");
    EXPECT_EQ(Of("HealthCmd=true\nHealthInterval=5s\nHealthStartupCmd=true\n"
                 "HealthStartupRetries=3\n"),
              "");
    Says("HealthStartupCmd=true\n", "the check that follows it is missing");
    Says("HealthInterval=5s\n", "warning: key 'HealthInterval' does nothing without a check");
    Says("HealthCmd=true\nHealthStartupRetries=3\n", "does nothing without HealthStartupCmd=");
}

TEST(HealthRules, WhoWaitsForHealthIsChecked) {
    Says("Notify=healthy\n", "'healthy' needs a health check");
    Says("Notify=healthy\nHealthTcp=80\nHealthInterval=disable\n", "give HealthInterval= a time");
    Says("Notify=healthy\nHealthCmd=x\nHealthStartupCmd=y\nHealthStartupInterval=disable\n",
         "give HealthStartupInterval= a time");
}

}  // namespace
}  // namespace husk::config
