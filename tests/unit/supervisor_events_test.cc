#include <gtest/gtest.h>

#include "base/text.h"
#include "supervisor/events.h"

namespace husk::supervisor {
namespace {

TEST(Events, AChangeOfStateHasItsReason) {
    Life life;
    life.state = State::kFailed;
    life.reason = "exited with code 3, \xff";
    EXPECT_EQ(StateEvent("web", State::kRunning, life, Instant{Duration(7)}, 9),
              "{\"event\":\"state\",\"at\":9,\"monotonic\":7,\"unit\":\"web\","
              "\"before\":\"running\",\"state\":\"failed\","
              "\"reason\":\"exited with code 3, \xef\xbf\xbd\"}");
}

TEST(Events, TheBeginningIsTheHistoryOfAllInOrderOfTime) {
    const std::string web = "web", db = "db";
    const HistoryEntry one{Instant{Duration(1)}, 11, "one"}, two{Instant{Duration(2)}, 12, "two"},
        three{Instant{Duration(3)}, 13, "three"};
    const std::string text =
        StreamBeginning({{&web, &one}, {&web, &three}, {&db, &two}}, Instant{Duration(1)});
    EXPECT_EQ(
        text,
        "{\"version\":1,\"ok\":true,\"stream\":true}\n"
        "{\"event\":\"history\",\"at\":12,\"monotonic\":2,\"unit\":\"db\",\"text\":\"two\"}\n"
        "{\"event\":\"history\",\"at\":13,\"monotonic\":3,\"unit\":\"web\",\"text\":\"three\"}\n"
        "{\"event\":\"live\"}\n");
}

}  // namespace
}  // namespace husk::supervisor
