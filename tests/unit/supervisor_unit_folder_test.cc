#include <gtest/gtest.h>

#include "base/text.h"
#include "supervisor/unit_folder.h"
#include "tests/lib/temporary_folder.h"

namespace husk::supervisor {
namespace {

using testing::TemporaryFolder;

const BootClock kNow{"this-boot", std::chrono::seconds(1000)};
const Pending kHalfAMinuteLeft{"this-boot", std::chrono::seconds(1030)};

std::string TextOf(const std::string& path) { return ReadFile(path, 1 << 20).value_or("(none)"); }
bool IsThere(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

// A disk with an active folder, what was active before it, and a folder to apply.
class UnitFolderTest : public ::testing::Test {
  protected:
    void SetUp() override {
        disk_.Write("units/web.container", "old");
        disk_.Write("units.previous/web.container", "older");
        disk_.Write("given/web.container", "new");
        folder_ = std::make_unique<UnitFolder>(*UnitFolder::At(disk_ / "units"));
    }
    std::string Active() const { return TextOf(disk_ / "units/web.container"); }
    std::string Previous() const { return TextOf(disk_ / "units.previous/web.container"); }
    std::string Reverted() const { return TextOf(disk_ / "units.reverted/web.container"); }
    std::string StageError() const {
        Status staged = folder_->Stage(disk_ / "given");
        return staged ? "" : staged.error().text();
    }
    void Do(std::span<const UnitFolder::Step> steps) const {
        for (auto step : steps) {
            Status done = (folder_.get()->*step)();
            ASSERT_TRUE(done) << done.error().text();
        }
    }
    // What a supervisor does at its start, when the time for a confirmation is over.
    void StartAnew() const {
        auto recovered = folder_->Recover();
        ASSERT_TRUE(recovered) << recovered.error().text();
        if (folder_->FindPending()) {
            Status reverted = folder_->Revert();
            ASSERT_TRUE(reverted) << reverted.error().text();
        }
    }

    TemporaryFolder disk_;
    std::unique_ptr<UnitFolder> folder_;
};

TEST_F(UnitFolderTest, IsReplacedAsAWholeAndTheOldOneIsKept) {
    disk_.Write("units/gone.container", "x");
    disk_.Write("given/web.container.d/10-more.conf", "drop-in");
    disk_.Link("given/db.container", "/dev/null");
    ASSERT_EQ(StageError(), "");
    EXPECT_EQ(Active(), "old");
    ASSERT_TRUE(folder_->Switch());
    EXPECT_EQ(Active(), "new");
    EXPECT_FALSE(IsThere(disk_ / "units/gone.container"));
    EXPECT_EQ(TextOf(disk_ / "units/web.container.d/10-more.conf"), "drop-in");
    EXPECT_EQ(Previous(), "old");
    EXPECT_FALSE(IsThere(disk_ / "units.new"));
    char target[16] = {};
    EXPECT_EQ(::readlink((disk_ / "units/db.container").c_str(), target, 15), 9);
    EXPECT_STREQ(target, "/dev/null");
}

TEST_F(UnitFolderTest, WithoutAConfirmationNothingIsPending) {
    ASSERT_EQ(StageError(), "");
    ASSERT_TRUE(folder_->Switch());
    EXPECT_FALSE(folder_->FindPending());
    Status confirmed = folder_->Confirm();
    ASSERT_FALSE(confirmed);
    EXPECT_EQ(confirmed.error().text(),
              "nothing is to be confirmed: no 'husk apply --confirm' is pending");
}

TEST_F(UnitFolderTest, AConfirmedOneStays) {
    ASSERT_EQ(StageError(), "");
    ASSERT_TRUE(folder_->Mark(kHalfAMinuteLeft));
    ASSERT_TRUE(folder_->Switch());
    EXPECT_EQ(folder_->FindPending(), kHalfAMinuteLeft);
    ASSERT_TRUE(folder_->Confirm());
    StartAnew();
    EXPECT_EQ(Active(), "new");
    EXPECT_EQ(Previous(), "old");
}

TEST_F(UnitFolderTest, ARevertedOneIsKeptToBeLookedAt) {
    disk_.Write("units.reverted/web.container", "reverted before");
    ASSERT_EQ(StageError(), "");
    ASSERT_TRUE(folder_->Mark(kHalfAMinuteLeft));
    ASSERT_TRUE(folder_->Switch());
    EXPECT_FALSE(folder_->RevertedAt());
    ASSERT_TRUE(folder_->Revert());
    EXPECT_EQ(Active(), "old");
    EXPECT_EQ(Reverted(), "new");
    EXPECT_FALSE(IsThere(disk_ / "units.previous"));
    EXPECT_FALSE(folder_->FindPending());
    ASSERT_TRUE(folder_->RevertedAt());
    EXPECT_LT(RealtimeNow() - *folder_->RevertedAt(), 60'000'000'000);
    // The next one that is applied ends the story.
    ASSERT_EQ(StageError(), "");
    ASSERT_TRUE(folder_->Switch());
    EXPECT_FALSE(folder_->RevertedAt());
}

// --- a crash behind each step --------------------------------------------------------------------

TEST_F(UnitFolderTest, ACrashBehindAnyStepOfApplyLeavesOldOrNewAndTheWayBack) {
    const auto steps = UnitFolder::SwitchSteps();
    for (size_t done = 0; done <= steps.size(); ++done) {
        SCOPED_TRACE(done);
        const bool exchanged = done >= 2;  // make active, exchange
        ASSERT_EQ(StageError(), "");
        ASSERT_TRUE(folder_->Mark(kHalfAMinuteLeft));
        Do(steps.first(done));
        ASSERT_TRUE(folder_->Recover());
        EXPECT_EQ(Active(), exchanged ? "new" : "old");
        EXPECT_EQ(folder_->FindPending().has_value(), exchanged);
        StartAnew();
        EXPECT_EQ(Active(), "old");
        EXPECT_FALSE(folder_->FindPending());
        EXPECT_EQ(folder_->RevertedAt().has_value(), exchanged);
        EXPECT_EQ(Reverted(), exchanged ? "new" : "(none)");
        ASSERT_TRUE(RemoveTree(disk_ / "units.reverted"));
    }
}

TEST_F(UnitFolderTest, ACrashBehindAnyStepOfTheRevertIsWentOnFrom) {
    const auto steps = UnitFolder::RevertSteps();
    for (bool kept_previous : {true, false})
        for (size_t done = 0; done <= steps.size(); ++done) {
            SCOPED_TRACE(Cat(std::to_string(done), kept_previous ? "" : ", from .new"));
            disk_.Write("units.reverted/web.container", "reverted before");
            disk_.Write("units.previous/web.container", "older");
            ASSERT_EQ(StageError(), "");
            ASSERT_TRUE(folder_->Mark(kHalfAMinuteLeft));
            Do(UnitFolder::SwitchSteps().first(kept_previous ? 4 : 2));
            Do(steps.first(done));
            StartAnew();
            StartAnew();  // and a second time changes nothing
            EXPECT_EQ(Active(), "old");
            EXPECT_EQ(Reverted(), "new");
            EXPECT_TRUE(folder_->RevertedAt());
            for (const char* folder : {"units", "units.reverted"})
                EXPECT_FALSE(IsThere(Cat(disk_.path(), "/", folder, "/.pending"))) << folder;
            EXPECT_FALSE(IsThere(disk_ / "units.new"));
        }
}

TEST_F(UnitFolderTest, WhatACrashLeftWhileItWasCopiedIsInNobodysWay) {
    disk_.Write("units.new/web.container", "half");
    disk_.Write("units.new/web.container.d/x.conf", "half");
    StartAnew();
    EXPECT_EQ(Active(), "old");
    ASSERT_EQ(StageError(), "");
    ASSERT_TRUE(folder_->Switch());
    EXPECT_EQ(Active(), "new");
    EXPECT_FALSE(IsThere(disk_ / "units/web.container.d"));
}

TEST_F(UnitFolderTest, WithoutAWayBackWhatIsActiveStays) {
    ASSERT_EQ(StageError(), "");
    ASSERT_TRUE(folder_->Mark(kHalfAMinuteLeft));
    ASSERT_TRUE(folder_->Switch());
    ASSERT_TRUE(RemoveTree(folder_->previous()));
    Status reverted = folder_->Revert();
    ASSERT_FALSE(reverted);
    EXPECT_EQ(reverted.error().text(),
              Cat("'", disk_ / "units.previous", "' is gone, so what was applied stays active"));
    EXPECT_EQ(Active(), "new");
    EXPECT_FALSE(folder_->FindPending());
}

// --- what may be applied -------------------------------------------------------------------------

TEST_F(UnitFolderTest, MayBeALinkOrNotBeThereYet) {
    disk_.MakeFolder("etc");
    disk_.Link("etc/units", "../var/units/");
    auto linked = UnitFolder::At(disk_ / "etc/units");
    ASSERT_TRUE(linked) << linked.error().text();
    Status staged = linked->Stage(disk_ / "given");
    ASSERT_TRUE(staged) << staged.error().text();
    ASSERT_TRUE(linked->Switch());
    EXPECT_EQ(TextOf(disk_ / "var/units/web.container"), "new");
    EXPECT_EQ(TextOf(disk_ / "etc/units/web.container"), "new");
    EXPECT_TRUE(IsThere(disk_ / "var/units.previous"));
    EXPECT_EQ(UnitFolder::At(disk_ / "etc/units")->path(), disk_ / "var/units");
}

TEST_F(UnitFolderTest, LinksThatGoRoundAreSaid) {
    disk_.Link("a", "b");
    disk_.Link("b", "a");
    auto folder = UnitFolder::At(disk_ / "a");
    ASSERT_FALSE(folder);
    EXPECT_NE(folder.error().text().find("too many links"), std::string::npos);
}

TEST_F(UnitFolderTest, NeverHoldsItsOwnSource) {
    for (const char* source : {"units", "units/.", "units.new", ".", "units/web.container.d"}) {
        disk_.MakeFolder("units.new");
        disk_.MakeFolder("units/web.container.d");
        EXPECT_FALSE(folder_->Stage(disk_ / source)) << source;
        EXPECT_EQ(Active(), "old");
    }
    disk_.Link("alias", "units");
    EXPECT_FALSE(folder_->Stage(disk_ / "alias"));
    // The way back by hand.
    ASSERT_TRUE(folder_->Stage(disk_ / "units.previous"));
    ASSERT_TRUE(folder_->Switch());
    EXPECT_EQ(Active(), "older");
}

TEST_F(UnitFolderTest, WhatDoesNotBelongThereIsNamedAndNothingIsStaged) {
    disk_.MakeFolder("given/sub");
    EXPECT_EQ(StageError(), Cat("'", disk_ / "given/sub",
                                "' is neither a file nor a link nor a folder NAME.container.d: "
                                "move it elsewhere"));
    ASSERT_TRUE(RemoveTree(disk_ / "given/sub"));
    ASSERT_EQ(::mkfifo((disk_ / "given/fifo").c_str(), 0600), 0);
    EXPECT_NE(StageError().find("given/fifo"), std::string::npos);
    ASSERT_TRUE(RemoveTree(disk_ / "given/fifo"));
    disk_.Write("given/large.container", std::string((64 << 10) + 1, 'x'));
    EXPECT_EQ(StageError(), Cat("'", disk_ / "given/large.container",
                                "' is over 64 KiB: only unit files belong into a folder of units"));
    ASSERT_TRUE(RemoveTree(disk_ / "given/large.container"));
    disk_.Link("given/shared.container", "../elsewhere/shared.container");
    EXPECT_EQ(StageError(), Cat("link '", disk_ / "given/shared.container",
                                "' leads out of its folder to '../elsewhere/shared.container': "
                                "give it an absolute path"));
    EXPECT_FALSE(IsThere(disk_ / "units.new"));
    EXPECT_EQ(Previous(), "older");
}

TEST_F(UnitFolderTest, WhatIsHiddenStaysBehind) {
    disk_.Write("given/.git/config", "x");
    disk_.Write("given/.pending", "{}");
    ASSERT_EQ(StageError(), "");
    ASSERT_TRUE(folder_->Switch());
    EXPECT_FALSE(IsThere(disk_ / "units/.git"));
    EXPECT_FALSE(folder_->FindPending());
}

TEST_F(UnitFolderTest, WhoMayReadAFileIsKept) {
    ASSERT_EQ(::chmod((disk_ / "given/web.container").c_str(), 0600), 0);
    disk_.Write("given/db.container", "db");
    ASSERT_EQ(::chmod((disk_ / "given/db.container").c_str(), 0777), 0);
    ASSERT_EQ(StageError(), "");
    struct stat info {};
    ASSERT_EQ(::stat((disk_ / "units.new/web.container").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0600u);
    ASSERT_EQ(::stat((disk_ / "units.new/db.container").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0644u);
}

TEST(LeadsOut, OnlyWhereItLeavesTheFolderOfUnits) {
    for (const char* target : {"/dev/null", "web@.container", "./a", "x/../y", "/../a"})
        EXPECT_FALSE(LeadsOut(target, 0)) << target;
    for (const char* target : {"..", "../a", "a/../../b", "./../units/a"})
        EXPECT_TRUE(LeadsOut(target, 0)) << target;
    EXPECT_FALSE(LeadsOut("../web.container", 1));
    EXPECT_TRUE(LeadsOut("../../web.container", 1));
}

// --- the marker ----------------------------------------------------------------------------------

TEST(Pending, ComesBackAsItWas) {
    EXPECT_EQ(*ParsePending(Serialize(kHalfAMinuteLeft)), kHalfAMinuteLeft);
    for (const char* text : {"", "{}", "[]", R"({"boot_id":1,"deadline":2})", R"({"boot_id":"a"})"})
        EXPECT_FALSE(ParsePending(text)) << text;
}

TEST(Pending, TheTimeIsOverAtTheDeadlineAndAtAnotherBoot) {
    EXPECT_EQ(TimeLeft(kHalfAMinuteLeft, kNow), std::chrono::seconds(30));
    EXPECT_EQ(TimeLeft(kHalfAMinuteLeft, {"this-boot", std::chrono::seconds(1030)}),
              Duration::zero());
    EXPECT_EQ(TimeLeft(kHalfAMinuteLeft, {"next-boot", std::chrono::seconds(1)}), Duration::zero());
    // Two unknown boots are not one.
    EXPECT_EQ(TimeLeft({"", std::chrono::seconds(9)}, {"", Duration::zero()}), Duration::zero());
}

TEST_F(UnitFolderTest, AMarkerThatIsDamagedIsOneWhoseTimeIsOver) {
    disk_.Write("units/.pending", "{\"boot");
    ASSERT_TRUE(folder_->FindPending());
    EXPECT_EQ(TimeLeft(*folder_->FindPending(), kNow), Duration::zero());
}

}  // namespace
}  // namespace husk::supervisor
