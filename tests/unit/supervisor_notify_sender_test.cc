#include <gtest/gtest.h>

#include "supervisor/notify_sender.h"

namespace husk::supervisor {
namespace {

using config::NotifyAccess;

TEST(NotifyAccessInForce, IsWhatTheUnitAsksForOrNeeds) {
    config::Unit unit;
    EXPECT_EQ(AccessInForce(unit), NotifyAccess::kNone);
    unit.service.watchdog = std::chrono::seconds(5);
    EXPECT_EQ(AccessInForce(unit), NotifyAccess::kMain);
    unit.service.watchdog = Duration(0);
    EXPECT_EQ(AccessInForce(unit), NotifyAccess::kNone);
    unit.service.type = config::ServiceType::kNotify;
    EXPECT_EQ(AccessInForce(unit), NotifyAccess::kMain);
    unit.service.notify_access = NotifyAccess::kNone;  // forcibly main: systemd.service(5)
    EXPECT_EQ(AccessInForce(unit), NotifyAccess::kMain);
    unit.service.notify_access = NotifyAccess::kAll;
    EXPECT_EQ(AccessInForce(unit), NotifyAccess::kAll);
    config::Unit quadlet;
    quadlet.container.notify = config::NotifyMode::kYes;
    EXPECT_EQ(AccessInForce(quadlet), NotifyAccess::kAll);
    quadlet.service.notify_access = NotifyAccess::kMain;
    EXPECT_EQ(AccessInForce(quadlet), NotifyAccess::kMain);
    config::Unit store;  // a store alone
    store.service.notify_access = NotifyAccess::kExec;
    EXPECT_EQ(AccessInForce(store), NotifyAccess::kExec);
}

TEST(NotifySenderLeaf, IsReadFromTheUnifiedLine) {
    EXPECT_TRUE(IsInLeaf("0::/units/web\n", "/units/web"));
    EXPECT_TRUE(IsInLeaf("0::/units/web/worker\n", "/units/web"));
    EXPECT_TRUE(IsInLeaf("12:cpu:/x\n1:name=systemd:/y\n0::/units/web\n", "/units/web"));
    EXPECT_TRUE(IsInLeaf("0::/units/web (deleted)\n", "/units/web"));
    EXPECT_FALSE(IsInLeaf("0::/units/web2\n", "/units/web"));
    EXPECT_FALSE(IsInLeaf("0::/units\n", "/units/web"));
    EXPECT_FALSE(IsInLeaf("0::/supervisor\n", "/units/web"));
    EXPECT_FALSE(IsInLeaf("1:name=systemd:/units/web\n", "/units/web"));
    EXPECT_FALSE(IsInLeaf("", "/units/web"));
    EXPECT_FALSE(IsInLeaf("0::/../units/web", "/units/web"));
    EXPECT_EQ(LeafPath("/sys/fs/cgroup/units/web"), "/units/web");
}

constexpr NotifySender kMainProcess{.pid = 100, .alive = true, .in_leaf = true};
constexpr NotifySender kOther{.pid = 101, .alive = true, .in_leaf = true};
constexpr NotifySender kForeign{.pid = 200, .alive = true, .in_leaf = false};

TEST(NotifySender, AccessDecidesAmongTheProcessesOfTheUnit) {
    NotifyRules rules{.main_pid = 100, .command_pid = 102};
    NotifySender command = kOther;
    command.pid = 102;
    rules.access = NotifyAccess::kMain;
    EXPECT_EQ(WhyRefused(kMainProcess, rules), "");
    EXPECT_NE(WhyRefused(kOther, rules), "");
    EXPECT_NE(WhyRefused(command, rules), "");
    rules.access = NotifyAccess::kExec;
    EXPECT_EQ(WhyRefused(kMainProcess, rules), "");
    EXPECT_EQ(WhyRefused(command, rules), "");
    EXPECT_NE(WhyRefused(kOther, rules), "");
    rules.access = NotifyAccess::kAll;
    EXPECT_EQ(WhyRefused(kOther, rules), "");
    rules.access = NotifyAccess::kNone;
    EXPECT_NE(WhyRefused(kMainProcess, rules), "");
}

TEST(NotifySender, AProcessOfAnotherLeafIsRefusedWhateverTheAccess) {
    for (auto access : {NotifyAccess::kMain, NotifyAccess::kExec, NotifyAccess::kAll}) {
        NotifyRules rules{.access = access, .main_pid = 100};
        EXPECT_NE(WhyRefused(kForeign, rules), "");
        // Also one that has the main process's number, which cannot be.
        EXPECT_NE(WhyRefused({.pid = 100, .alive = true, .in_leaf = false}, rules), "");
    }
}

TEST(NotifySender, OneThatIsGoneIsBelievedWhereTheSocketIsTheUnitsAlone) {
    const NotifySender gone{.pid = 101, .alive = false};
    EXPECT_EQ(WhyRefused(gone, {.access = NotifyAccess::kAll}), "");
    EXPECT_NE(WhyRefused(gone, {.access = NotifyAccess::kAll, .shared_path = true}), "");
    EXPECT_NE(WhyRefused(gone, {.access = NotifyAccess::kMain, .main_pid = 100}), "");
}

TEST(NotifySender, AUserOfAnotherRangeIsRefusedAlsoWhenItIsGone) {
    const container::IdMap map{.users = {{0, 100'000, 65'536}}};
    const NotifyRules rules{.access = NotifyAccess::kAll, .map = &map};
    for (auto [uid, counts] : {std::pair{100'000u, true},
                               {165'535u, true},
                               {165'536u, false},
                               {99'999u, false},
                               {0u, false},
                               {UINT32_MAX, false}})
        EXPECT_EQ(WhyRefused({.pid = 5, .uid = uid}, rules).empty(), counts) << uid;
}

TEST(NotifySender, WithoutAPidNobodyIsBelieved) {
    EXPECT_NE(WhyRefused({.pid = 0}, {.access = NotifyAccess::kAll}), "");
    EXPECT_NE(WhyRefused({.pid = 0}, {.access = NotifyAccess::kMain, .main_pid = 0}), "");
}

TEST(NotifySender, WithAnInitOfItsOwnTheProgramIsTheMainProcess) {
    EXPECT_EQ(WhyRefused(kOther, {.main_pid = 100, .program_pid = 101}), "");
}

}  // namespace
}  // namespace husk::supervisor
