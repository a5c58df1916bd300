// What a program finds when it starts: variables of files, folders, secrets, its time zone.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.h"
#include "config/environment_file.h"
#include "supervisor/unit_files.h"
#include "supervisor/unit_folders.h"
#include "supervisor/unit_secrets.h"
#include "supervisor/unit_timezone.h"
#include "tests/lib/temporary_folder.h"

namespace husk::supervisor {
namespace {

using Texts = std::vector<std::string>;

class UnitFiles : public ::testing::Test {
  protected:
    UnitFiles() {
        unit_.name = "web";
        device_ = {.run_directory = "/run/husk", .state_directory = folder_.path()};
    }
    husk::testing::TemporaryFolder folder_;
    config::Unit unit_;
    DeviceFacts device_;
};

TEST_F(UnitFiles, AFolderHasOwnerAndModeFromWhenItIsThere) {
    struct stat found {};
    const std::string path = folder_ / "data";
    // As a power cut leaves it.
    ASSERT_EQ(::mkdir((folder_ / ".data.new").c_str(), 0700), 0);
    ASSERT_TRUE(MakeWholeFolder(path, ::geteuid(), ::getegid(), 02750));
    ASSERT_EQ(::stat(path.c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 07777, 02750u);
    EXPECT_EQ(*ListDirectory(folder_.path()), Texts{"data"});
    // What is there may have been changed on purpose.
    ASSERT_EQ(::chmod(path.c_str(), 0711), 0);
    ASSERT_TRUE(MakeWholeFolder(path, ::geteuid(), ::getegid(), 02750));
    ASSERT_EQ(::stat(path.c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 07777, 0711u);
}

TEST_F(UnitFiles, AFolderThatCannotBeMadeWholeIsNotThere) {
    folder_.Write("other", "");
    ASSERT_EQ(::symlink("other", (folder_ / ".data.new").c_str()), 0);
    const Status made = MakeWholeFolder(folder_ / "data", ::geteuid(), ::getegid(), 0750);
    EXPECT_EQ(made ? "" : made.error().text(), "make it: File exists");
    EXPECT_NE(::access((folder_ / "data").c_str(), F_OK), 0);
}

TEST_F(UnitFiles, OfTwoEnvironmentFilesTheLaterOneHolds) {
    folder_.Write("a", "A=1\nB=1\n");
    folder_.Write("b", "B=2\n");
    unit_.container.environment_files = {folder_ / "a", "-" + folder_ / "none", folder_ / "b"};
    auto variables = ReadEnvironmentFiles(unit_, device_);
    ASSERT_TRUE(variables) << variables.error().text();
    EXPECT_EQ(*variables, (Texts{"A=1", "B=2"}));
}

TEST_F(UnitFiles, AnEnvironmentFileThatCannotBeReadIsNamed) {
    auto error_of = [&](const std::string& name) {
        unit_.container.environment_files = {name};
        auto variables = ReadEnvironmentFiles(unit_, device_);
        EXPECT_FALSE(variables);
        return variables ? "" : variables.error().text();
    };
    const std::string none = folder_ / "none";
    EXPECT_EQ(error_of(none), "EnvironmentFile=" + none + " is not there; make it, or write -" +
                                  none + " if it may be missing");
    folder_.Write("wrong", "A=1\nB='\n");
    EXPECT_EQ(error_of(folder_ / "wrong"),
              "EnvironmentFile=" + folder_ / "wrong" + ": line 2: a quote ' is not closed");
    folder_.Write("large", std::string(config::kMaxEnvironmentFileBytes + 1, '#'));
    EXPECT_NE(error_of(folder_ / "large").find("over 65536 bytes"), std::string::npos);
    EXPECT_NE(error_of("-" + folder_.path()).find("is not a regular file"), std::string::npos);
}

TEST_F(UnitFiles, OfAVolumeNoLinkLeadsOut) {
    folder_.Write("outside", "A=1\n");
    folder_.Write("volumes/web/x", "");
    ASSERT_EQ(::symlink((folder_ / "outside").c_str(), (folder_ / "volumes/web/env").c_str()), 0);
    unit_.container.environment_files = {folder_ / "volumes/web/env"};
    auto variables = ReadEnvironmentFiles(unit_, device_);
    ASSERT_FALSE(variables);
    EXPECT_NE(variables.error().text().find("leads out of it"), std::string::npos);
}

TEST_F(UnitFiles, FoldersLieByKindAndHaveVariables) {
    EXPECT_TRUE(FoldersOf(unit_, device_).empty() && FolderVariables(unit_).empty());
    unit_.service.state_directory = {.paths = {"web", "web/data"}, .mode = 0700};
    unit_.service.logs_directory.paths = {"web"};
    unit_.service.runtime_directory.paths = {"web"};
    const std::string state = folder_.path();
    EXPECT_EQ(
        FoldersOf(unit_, device_),
        (std::vector<ProgramFolder>{{state + "/state", "web", "/var/lib/web", 0700},
                                    {state + "/state", "web/data", "/var/lib/web/data", 0700},
                                    {state + "/logs", "web", "/var/log/web", 0755},
                                    {"/run/husk/runtime/web", "web", "/run/web", 0755, false}}));
    EXPECT_EQ(FolderVariables(unit_),
              (Texts{"STATE_DIRECTORY=/var/lib/web:/var/lib/web/data",
                     "LOGS_DIRECTORY=/var/log/web", "RUNTIME_DIRECTORY=/run/web"}));
    std::vector<rootfs::BindMount> binds;
    AddFolderMounts(unit_, device_, true, binds);
    ASSERT_EQ(binds.size(), 4u);
    EXPECT_EQ(binds[1].source, state + "/state/web/data");
    EXPECT_TRUE(binds[0].idmap && !binds[0].read_only && binds[0].no_suid && binds[0].no_dev);
    EXPECT_FALSE(binds[3].idmap) << "a tmpfs cannot have its owners mapped by kernel 6.1";
    EXPECT_EQ(SharedFolderAround(state + "/state/web/data", device_), state + "/state/web");
}

// As the user of the test: no other can be given a folder.
TEST_F(UnitFiles, FoldersAreMadeOnceWithTheirMode) {
    container::ContainerSpec spec;
    spec.user.uid = ::getuid();
    spec.user.gid = ::getgid();
    unit_.service.state_directory = {.paths = {"web/data"}, .mode = 02750};
    Status made = MakeUnitFolders(unit_, device_, spec);
    ASSERT_TRUE(made) << made.error().text();
    struct stat file {};
    ASSERT_EQ(::stat((folder_ / "state").c_str(), &file), 0);
    EXPECT_EQ(file.st_mode & 07777, 0700u);
    ASSERT_EQ(::stat((folder_ / "state/web/data").c_str(), &file), 0);
    EXPECT_EQ(file.st_mode & 07777, 02750u);
    folder_.Write("state/web/data/kept", "");
    ASSERT_TRUE(MakeUnitFolders(unit_, device_, spec));
    EXPECT_EQ(::access((folder_ / "state/web/data/kept").c_str(), F_OK), 0);
}

TEST_F(UnitFiles, AFolderIsMadeThroughNoLink) {
    container::ContainerSpec spec;
    spec.user.uid = ::getuid();
    spec.user.gid = ::getgid();
    folder_.Write("outside/x", "");
    folder_.Write("state/web/x", "");
    ASSERT_EQ(::symlink((folder_ / "outside").c_str(), (folder_ / "state/web/data").c_str()), 0);
    unit_.service.state_directory.paths = {"web/data"};
    Status made = MakeUnitFolders(unit_, device_, spec);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().text(),
              "folder '" + folder_ / "state/web/data" + "': 'data' in it is no folder; remove it");
}

TEST_F(UnitFiles, SecretsAndCredentialsAreReadOnlyMounts) {
    std::vector<rootfs::BindMount> binds;
    AddSecretMounts(unit_, device_, binds);
    EXPECT_TRUE(binds.empty());
    unit_.container.secrets = {{.name = "variable", .environment = true}};
    AddSecretMounts(unit_, device_, binds);
    EXPECT_TRUE(binds.empty());
    unit_.container.secrets.push_back({.name = "key", .target = "/etc/key"});
    unit_.service.credentials = {{.id = "token", .value = "x"}};
    AddSecretMounts(unit_, device_, binds);
    ASSERT_EQ(binds.size(), 3u);
    EXPECT_EQ(binds[0].source, "/run/husk/secrets/web/credentials");
    EXPECT_EQ(binds[0].destination, "/run/credentials/web");
    EXPECT_EQ(binds[1].destination, "/run/secrets");
    EXPECT_EQ(binds[2].source, "/run/husk/secrets/web/files/1");
    EXPECT_EQ(binds[2].destination, "/etc/key");
    EXPECT_FALSE(binds[2].is_directory);
    for (const auto& bind : binds) EXPECT_TRUE(bind.read_only && bind.no_exec && !bind.idmap);
}

TEST_F(UnitFiles, ASecretBelongsToTheUnitsUserUnlessItSaysOtherwise) {
    unit_.container.secrets = {
        {.name = "a"}, {.name = "b", .user = "www"}, {.name = "c", .group = "7"}};
    const rootfs::UserIds user{.uid = 33, .gid = 34};
    const auto owners = FindSecretOwners(unit_, user, "www:x:70:71::/:\n", "");
    ASSERT_TRUE(owners) << owners.error().text();
    EXPECT_EQ(*owners, (SecretOwners{{33, 34}, {70, 34}, {33, 7}}));
    unit_.container.secrets[1].user = "nobody-knows";
    const auto unknown = FindSecretOwners(unit_, user, "", "");
    ASSERT_FALSE(unknown);
    EXPECT_EQ(unknown.error().text().find("secret 'b': "), 0u) << unknown.error().text();
}

constexpr char kBerlin[] = "TZif2\n...\nCET-1CEST,M3.5.0,M10.5.0/3\n";

TEST(UnitTimezone, TheRuleOfAZoneIsItsLastLine) {
    EXPECT_EQ(ZoneRule(kBerlin), "CET-1CEST,M3.5.0,M10.5.0/3");
    EXPECT_EQ(ZoneRule("TZif2\n<+0330>-3:30\n"), "<+0330>-3:30");
    for (const char* none :
         {"", "TZif", "TZif1\nUTC0\n", "TZif2\n\n", "TZif2", "TZif2\nUTC0", "XYZ2\nUTC0\n"})
        EXPECT_EQ(ZoneRule(none), "") << none;
    EXPECT_EQ(ZoneRule("TZif2\nA\x01"
                       "B\n"),
              "");
}

TEST(UnitTimezone, IsMountedWhereNoLinkIsInTheWay) {
    ZoneFacts facts{.path = "/zones/Europe/Berlin", .data = kBerlin};
    auto choice = ChooseTimezone("Europe/Berlin", facts);
    ASSERT_TRUE(choice);
    EXPECT_EQ(choice->file, "/zones/Europe/Berlin");
    EXPECT_EQ(choice->variable, "");
    facts.can_be_mounted = false;
    choice = ChooseTimezone("Europe/Berlin", facts);
    ASSERT_TRUE(choice);
    EXPECT_EQ(choice->file, "");
    EXPECT_EQ(choice->variable, "CET-1CEST,M3.5.0,M10.5.0/3");
    facts.in_tree = true;
    EXPECT_EQ(ChooseTimezone("Europe/Berlin", facts)->variable, "Europe/Berlin");
}

TEST(UnitTimezone, IsRefusedWhereTheDeviceLacksIt) {
    const ZoneFacts facts{.path = "/zones/Europe/Berlin"};
    auto choice = ChooseTimezone("Europe/Berlin", facts);
    ASSERT_FALSE(choice);
    EXPECT_EQ(choice.error().text(),
              "Timezone=Europe/Berlin: the device has no '/zones/Europe/Berlin'; put the zone's "
              "file there, or write Environment=TZ= with its rule");
    EXPECT_EQ(ChooseTimezone("UTC", facts)->variable, "UTC0");
    EXPECT_EQ(ChooseTimezone("local", facts)->variable, "UTC0") << "its own is UTC then";
    EXPECT_FALSE(ChooseTimezone("X", {.path = "/x", .data = "text"}));
}

}  // namespace
}  // namespace husk::supervisor
