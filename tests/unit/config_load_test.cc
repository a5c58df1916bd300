// Folders: precedence, masks, drop-ins, what is no unit, and checks across units.
#include <cstdlib>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "base/file.h"
#include "base/text.h"
#include "config/load.h"
#include "config/rules.h"

namespace husk::config {
namespace {

class ConfigLoad : public testing::Test {
  protected:
    void SetUp() override {
        char name[] = "/tmp/husk-config-XXXXXX";
        ASSERT_NE(::mkdtemp(name), nullptr);
        root_ = name;
        ASSERT_EQ(::mkdir(Path("a").c_str(), 0755), 0);
        ASSERT_EQ(::mkdir(Path("b").c_str(), 0755), 0);
    }
    void TearDown() override { EXPECT_EQ(std::system(("rm -rf " + root_).c_str()), 0); }

    std::string Path(std::string_view name) const { return Cat(root_, "/", name); }
    void Write(std::string_view name, std::string_view text) {
        const std::string path = Path(name);
        ASSERT_TRUE(MakeDirectories(path.substr(0, path.rfind('/'))));
        ASSERT_TRUE(WriteFileAtomically(path, text));
    }
    void Unit(std::string_view name, std::string_view more = {}) {
        Write(Cat(name, ".container"), Cat("[Container]\nExec=/x\n", more));
    }
    LoadedFolder Load() const { return LoadUnits({Path("a"), Path("b")}); }
    // Every problem, one a line, with the root of paths taken away.
    std::string Say(const LoadedFolder& loaded) const {
        std::string out;
        auto add = [&](const Problems& problems) {
            for (const Problem& problem : problems) {
                std::string line = Describe(problem);
                for (size_t at; (at = line.find(root_ + "/")) != line.npos;)
                    line.erase(at, root_.size() + 1);
                out += line + "\n";
            }
        };
        add(loaded.problems);
        for (const LoadedUnit& unit : loaded.units) add(unit.problems);
        return out;
    }
    static std::string Names(const LoadedFolder& loaded, bool refused) {
        std::string out;
        for (const LoadedUnit& unit : loaded.units)
            if (unit.refused == refused) out += unit.unit.name + " ";
        return out;
    }
    static const config::Unit& Get(const LoadedFolder& loaded, std::string_view name) {
        static const config::Unit kNone;
        for (const LoadedUnit& unit : loaded.units)
            if (unit.unit.name == name) return unit.unit;
        ADD_FAILURE() << "no unit " << name;
        return kNone;
    }

    std::string root_;
};

TEST_F(ConfigLoad, UnitsAreSortedAndALaterFolderReplaces) {
    Unit("a/web", "User=1\n");
    Unit("a/db");
    Unit("b/web", "Group=2\n");
    LoadedFolder loaded = Load();
    EXPECT_EQ(Say(loaded), "");
    EXPECT_EQ(Names(loaded, false), "db web ");
    EXPECT_EQ(Get(loaded, "web").path, Path("b/web.container"));
    EXPECT_EQ(Get(loaded, "web").container.user, "");
}

TEST_F(ConfigLoad, ALinkToDevNullMasks) {
    Unit("a/web");
    Unit("a/db", "[Unit]\nRequires=web\n");
    ASSERT_EQ(::symlink("/dev/null", Path("b/web.container").c_str()), 0);
    LoadedFolder loaded = Load();
    EXPECT_EQ(Names(loaded, true), "db ");
    EXPECT_EQ(Say(loaded), "a/db.container:4: error: unit 'web' is masked\n");
    ASSERT_EQ(loaded.masked.size(), 1u);
    EXPECT_EQ(loaded.masked[0].name, "web");
    EXPECT_EQ(loaded.masked[0].path, Path("b/web.container"));
}

TEST_F(ConfigLoad, DropInsAreMergedByNameAcrossFolders) {
    Unit("a/web", "Environment=A=main\nVolume=/a:/a\n");
    Write("a/web.container.d/20.conf", "[Container]\nEnvironment=A=20\n");
    Write("b/web.container.d/10.conf", "[Container]\nEnvironment=A=10 B=10\nVolume=\n");
    Write("a/web.container.d/30.conf", "[Container]\nUser=1\n");
    Write("b/web.container.d/30.conf", "[Container]\nGroup=1\n");
    Write("a/web.container.d/40.conf", "[Container]\nHostName=gone\n");
    ASSERT_EQ(::symlink("/dev/null", Path("b/web.container.d/40.conf").c_str()), 0);
    Write("a/web.container.d/README", "no drop-in");
    LoadedFolder loaded = Load();
    EXPECT_EQ(Say(loaded), "");
    const config::Unit& web = Get(loaded, "web");
    EXPECT_EQ(web.container.environment, (std::vector<std::string>{"B=10", "A=20"}));
    EXPECT_TRUE(web.container.volumes.empty());
    EXPECT_EQ(web.container.user, "");
    EXPECT_EQ(web.container.group, "1");
    EXPECT_EQ(web.container.host_name, "");
    EXPECT_EQ(PlaceOf(web, "Container.Environment").file, Path("a/web.container.d/20.conf"));
}

TEST_F(ConfigLoad, ABadDropInRefusesItsUnitAndIsNamed) {
    Unit("a/web");
    Write("a/web.container.d/x.conf", "[Container]\nUsr=1\n");
    Write("a/lost.container.d/x.conf", "[Container]\nUser=1\n");
    EXPECT_EQ(Say(Load()),
              "a/lost.container.d/x.conf: warning: drop-in of unit 'lost', which does not exist\n"
              "a/web.container.d/x.conf:2: error: unknown key 'Usr' in [Container] (did you mean "
              "'User'?)\n");
}

TEST_F(ConfigLoad, WhatIsOverALimitIsAnErrorThatNamesIt) {
    Unit("a/web");
    for (size_t i = 0; i <= kMaxDropIns; ++i)
        Write(Cat("a/web.container.d/", std::to_string(i), ".conf"), "[Unit]\n");
    std::string many;
    for (size_t i = 0; i <= kMaxListItems; ++i) many += Cat("GroupAdd=", std::to_string(i), "\n");
    Unit("a/groups", many);
    const std::string said = Say(Load());
    EXPECT_NE(said.find("error: key 'GroupAdd': list of 1001 items (at most 1000)"), said.npos);
    EXPECT_NE(said.find("error: unit 'web' has 101 drop-ins (at most 100)"), said.npos);
    std::string words = "A=1";
    for (size_t i = 0; i <= kMaxListItems; ++i) words += " A=1";
    LoadedUnit unit = ParseUnit("w", "w", Cat("[Container]\nExec=/x\nEnvironment=", words, "\n"));
    ASSERT_EQ(unit.problems.size(), 1u);
    EXPECT_EQ(unit.problems[0].text, "key 'Environment': over 1000 words");
}

TEST_F(ConfigLoad, AnInstanceIsALinkToItsTemplate) {
    Write("a/web@.container", "[Container]\nExec=/x %p %i\n");
    ASSERT_EQ(::symlink("web@.container", Path("a/web@one.container").c_str()), 0);
    Write("a/web@.container.d/x.conf", "[Container]\nUser=%i\n");
    LoadedFolder loaded = Load();
    EXPECT_EQ(Say(loaded), "");
    EXPECT_EQ(loaded.templates, std::vector<std::string>{"web@"});
    EXPECT_EQ(Get(loaded, "web@one").Command(), (std::vector<std::string>{"/x", "web", "one"}));
    EXPECT_EQ(Get(loaded, "web@one").container.user, "one");
}

TEST_F(ConfigLoad, AnInstanceThatIsWantedIsMadeOfItsTemplate) {
    Write("a/web@.container", "[Container]\nExec=/x %i\n[Unit]\nWants=log@%i\n");
    Write("a/log@.container", "[Container]\nExec=/log %i\n");
    Write("b/web@one.container.d/x.conf", "[Container]\nUser=5\n");
    Unit("a/top", "[Unit]\nRequires=web@one\nAfter=web@one web@two\n");
    LoadedFolder loaded = Load();
    EXPECT_EQ(Names(loaded, false), "log@one top web@one ");
    EXPECT_EQ(Say(loaded), "a/top.container:5: warning: unit 'web@two' does not exist\n");
    EXPECT_EQ(Get(loaded, "web@one").Command(), (std::vector<std::string>{"/x", "one"}));
    EXPECT_EQ(Get(loaded, "web@one").container.user, "5");
    // It starts because it is wanted, not because it is there.
    EXPECT_FALSE(Get(loaded, "web@one").install.enabled);
    LoadedFolder asked = LoadUnits({Path("a"), Path("b")}, {.instances = {"web@two", "nil@1"}});
    EXPECT_EQ(Names(asked, false), "log@one log@two top web@one web@two ");
}

TEST_F(ConfigLoad, AssignmentsAreKeptAsTheyHold) {
    Unit("a/web", "Volume=/a:/a\nVolume=/b:/b\nUser=1\nHostName=x\n");
    Write("a/web.container.d/10.conf",
          "[Container]\nVolume=\nVolume=/c:/%N\nUser=2\nHostName=\nVolume=/d:/d\n");
    LoadedFolder loaded = LoadUnits({Path("a")}, {.keep_assignments = true});
    std::string said;
    for (const Assignment& one : loaded.units.at(0).assignments)
        said += Cat(KeyName(one.key), "=", one.text, " ",
                    std::to_string(loaded.units[0].unit.LocationOf(one.at).line), "\n");
    EXPECT_EQ(said,
              "Container.Exec=/x 2\nContainer.Volume=/c:/web 3\nContainer.User=2 4\n"
              "Container.Volume=/d:/d 6\n");
}

TEST_F(ConfigLoad, ADigestTellsWhetherAValueIsTheSame) {
    auto digest = [&](std::string_view text) {
        LoadedUnit unit = ParseUnit("web", "web.container", Cat("[Container]\nExec=/x\n", text));
        const GivenKey* given = FindGiven(unit.unit, "Container.Environment");
        return given == nullptr ? 0 : given->digest;
    };
    EXPECT_EQ(digest("Environment=A=1\n"), digest("# other line\nEnvironment = A=1\n"));
    EXPECT_EQ(digest("Environment=B=web\n"), digest("Environment=B=%N\n"));
    EXPECT_EQ(digest("Environment=C=1\nEnvironment=\nEnvironment=A=1\n"),
              digest("Environment=A=1\n"));
    EXPECT_NE(digest("Environment=A=1\n"), digest("Environment=A=2\n"));
    EXPECT_NE(digest("Environment=A=1\nEnvironment=B=1\n"), digest("Environment=A=1\n"));
    EXPECT_NE(digest("Environment=A=1\nEnvironment=B=1\n"),
              digest("Environment=B=1\nEnvironment=A=1\n"));
    EXPECT_EQ(digest("Environment=\n"), 0u);
}

TEST_F(ConfigLoad, WhatIsNoPlainFileIsRefusedAndNothingHangs) {
    ASSERT_EQ(::mkdir(Path("a/dir.container").c_str(), 0755), 0);
    ASSERT_EQ(::mkfifo(Path("a/fifo.container").c_str(), 0644), 0);
    ASSERT_EQ(::symlink("/nowhere", Path("a/link.container").c_str()), 0);
    ASSERT_EQ(::symlink("/dev/zero", Path("a/zero.container").c_str()), 0);
    ASSERT_EQ(::symlink("loop.container", Path("a/loop.container").c_str()), 0);
    Write("a/big.container", std::string(10 << 20, '\n'));
    LoadedFolder loaded = Load();
    EXPECT_EQ(Names(loaded, true), "big dir fifo link loop zero ");
    EXPECT_EQ(Say(loaded),
              "a/big.container: error: file over 64 KiB (unit files are small; was something else "
              "given this name?)\n"
              "a/dir.container: error: is a directory (drop-ins go to NAME.container.d)\n"
              "a/fifo.container: error: is not a plain file\n"
              "a/link.container: error: link to a file that does not exist\n"
              "a/loop.container: error: cannot be opened: Too many levels of symbolic links\n"
              "a/zero.container: error: is not a plain file\n");
}

TEST_F(ConfigLoad, FileNamesThatAreNoUnitsAreSaid) {
    for (const char* name :
         {"a/two words.container", "a/-x.container", "a/w.conatiner", "a/net.pod", "a/README.md",
          "a/.hidden.container", "a/web.container~", "a/\x1b[31m.container", "a/.container"})
        Write(name, "x");
    EXPECT_EQ(Say(Load()),
              "a/\\x1b[31m.container: error: '\\x1b[31m' is not a unit name (letters, digits and . "
              "_ - @ :, at most 100 bytes)\n"
              "a/-x.container: error: '-x' is not a unit name (letters, digits and . _ - @ :, at "
              "most 100 bytes)\n"
              "a/net.pod: warning: '.pod' files are not supported (it is ignored; units "
              "are NAME.container)\n"
              "a/two words.container: error: 'two words' is not a unit name (letters, digits and . "
              "_ - @ :, at most 100 bytes)\n"
              "a/w.conatiner: warning: is not a unit file (did you mean 'w.container'?)\n");
}

TEST_F(ConfigLoad, AVolumeFileSaysWhatItsNewFolderIsLike) {
    Unit("a/db", "Volume=data.volume:/data\nVolume=plain:/plain\nVolume=/data:/host\n");
    Write("a/data.volume", "[Volume]\nUser=999\nMode=0700\n");
    Write("b/data.volume", "[Unit]\nDescription=of %N\n[Volume]\nUser=70\nGroup=71\n");
    Write("a/data.volume.d/mode.conf", "[Volume]\nMode=1770\n");
    Write("a/gone.volume", "[Volume]\nUser=1\n");
    ASSERT_EQ(::symlink("/dev/null", Path("b/gone.volume").c_str()), 0);
    LoadedFolder loaded = Load();
    EXPECT_EQ(Say(loaded), "");
    ASSERT_EQ(loaded.volumes.size(), 1u);
    EXPECT_EQ(loaded.volumes[0].volume.description, "of data");
    const auto& volumes = Get(loaded, "db").container.volumes;
    EXPECT_EQ(volumes[0].user, 70u);
    EXPECT_EQ(volumes[0].group, 71u);
    EXPECT_EQ(volumes[0].mode, 01770u);
    for (size_t other : {1u, 2u}) {
        EXPECT_EQ(volumes[other].user, kUnitsOwn);
        EXPECT_EQ(volumes[other].mode, 0755u);
    }
}

TEST_F(ConfigLoad, AVolumeIsTheOverlayOfOneUnitOnly) {
    Unit("a/one", "Rootfs=/r\nOverlay=root.volume\n");
    Unit("a/two", "Rootfs=/r\nOverlay=root.volume\n");
    Unit("a/own", "Rootfs=/r\nOverlay=own.volume\n");
    const LoadedFolder loaded = Load();
    EXPECT_EQ(Names(loaded, true), "one two ");
    EXPECT_NE(Say(loaded).find("a/one.container:4: error: volume 'root' is the overlay of unit "
                               "'two' too (give each unit a volume of its own)"),
              std::string::npos)
        << Say(loaded);
}

TEST_F(ConfigLoad, ARuntimeFolderIsOneUnitsOnly) {
    Unit("a/one", "[Service]\nRuntimeDirectory=web\nStateDirectory=web\n");
    Unit("a/two", "[Service]\nRuntimeDirectory=two web\nStateDirectory=web\n");
    const LoadedFolder loaded = Load();
    EXPECT_EQ(Names(loaded, true), "two ");
    EXPECT_NE(Say(loaded).find("folder 'web' belongs to unit 'one' already"), std::string::npos)
        << Say(loaded);
}

TEST_F(ConfigLoad, ABadVolumeFileRefusesTheUnitsThatNameIt) {
    Unit("a/db", "Volume=data:/data\n");
    Unit("a/web");
    Write("a/data.volume", "[Volume]\nUser=postgres\nSize=1G\nCopy=true\nUID=5\n");
    Write("a/-x.volume", "");
    Write("a/lost.volume.d/x.conf", "");
    LoadedFolder loaded = Load();
    EXPECT_EQ(Names(loaded, true), "db ");
    EXPECT_EQ(
        Say(loaded),
        "a/-x.volume: error: '-x' is not a name (letters, digits and . _ -, at most 100 bytes)\n"
        "a/data.volume:2: error: key 'User': 'postgres' is not an id (a number, as the container's "
        "passwd has it for the name)\n"
        "a/data.volume:3: error: key 'Size' is not supported yet\n"
        "a/data.volume:4: error: key 'Copy' is refused (a new volume is empty: nothing is copied "
        "from an image)\n"
        "a/data.volume:5: error: key 'UID' is refused (it is another name of User=)\n"
        "a/lost.volume.d/x.conf: warning: drop-in of 'lost', which does not exist\n"
        "a/db.container:3: error: volume 'data' is refused (mend a/data.volume)\n");
}

TEST_F(ConfigLoad, ANetworkFileIsChecked) {
    Unit("a/web");
    Write("a/lan.network",
          "[Network]\nSubnet=10.89.0.1/16\nDriver=bridg\nNetworkName=lan\nOptions=vlan=3\n"
          "IPv6=perhaps\nDriver=vlan\n");
    LoadedFolder loaded = Load();
    EXPECT_EQ(Names(loaded, true), "");
    ASSERT_EQ(loaded.networks.size(), 1u);
    EXPECT_TRUE(loaded.networks[0].refused);
    EXPECT_EQ(
        Say(loaded),
        "a/lan.network:2: error: key 'Subnet': '10.89.0.1/16' is an address in a network, not a "
        "network (set the bits after the length to 0, as in 10.88.0.0/16)\n"
        "a/lan.network:3: error: key 'Driver': 'bridg' is not one of the values (did you mean "
        "'bridge'?)\n"
        "a/lan.network:4: error: key 'NetworkName' is refused (it is named after its file; leave "
        "it "
        "out)\n"
        "a/lan.network:5: error: key 'Options': option 'vlan=3' is not supported (mtu=BYTES and "
        "parent=LINK)\n"
        "a/lan.network:6: error: key 'IPv6': 'perhaps' is not a boolean ('yes' or 'no')\n"
        "a/lan.network:7: error: key 'Driver': 'vlan' is not one of the values (one of "
        "'bridge', 'macvlan', 'ipvlan')\n");
    EXPECT_EQ(Say(LoadUnitFiles({Path("a/lan.network")})), Say(loaded));
}

TEST_F(ConfigLoad, AMissingFolderIsNoneAndAFileIsNoFolder) {
    Write("file", "");
    LoadedFolder loaded = LoadUnits({Path("nowhere"), Path("file")});
    EXPECT_EQ(Say(loaded), "file: error: open directory 'file': Not a directory\n");
}

TEST_F(ConfigLoad, UnknownNamesAreWarningsInOrderAndErrorsInRequirements) {
    Unit("a/broker");
    Unit("a/web", "[Unit]\nAfter=brokr\nWants=x9\n");
    Unit("a/db", "[Unit]\nRequires=brokr\n");
    Unit("a/net", "Network=nobody.container\n");
    LoadedFolder loaded = Load();
    EXPECT_EQ(Names(loaded, true), "db net ");
    EXPECT_EQ(Say(loaded),
              "a/db.container:4: error: unit 'brokr' does not exist (did you mean 'broker'?)\n"
              "a/net.container:3: error: unit 'nobody' does not exist\n"
              "a/web.container:4: warning: unit 'brokr' does not exist (did you mean 'broker'?)\n"
              "a/web.container:5: warning: unit 'x9' does not exist\n");
}

TEST_F(ConfigLoad, WhatRequiresARefusedUnitIsRefused) {
    Unit("a/a", "Bad=1\n");
    Unit("a/b", "[Unit]\nRequires=a\n");
    Unit("a/c", "Network=b.container\n");
    Unit("a/d", "[Unit]\nAfter=a\nWants=a\n");
    LoadedFolder loaded = Load();
    EXPECT_EQ(Names(loaded, true), "a b c ");
    EXPECT_NE(Say(loaded).find("a/c.container:3: error: unit 'b', which this one needs, is refused "
                               "(mend a/b.container)\n"),
              std::string::npos);
}

TEST_F(ConfigLoad, ASharedNetworkImpliesRequirementAndOrder) {
    Unit("a/web");
    Unit("a/side", "Network=web.container\n");
    LoadedFolder loaded = Load();
    EXPECT_EQ(Get(loaded, "side").unit.after, std::vector<std::string>{"web"});
    EXPECT_EQ(Get(loaded, "side").unit.requires_, std::vector<std::string>{"web"});
}

TEST_F(ConfigLoad, ACycleNamesItsMembersAndPlaces) {
    Unit("a/a", "[Unit]\nAfter=b\n");
    Unit("a/b", "[Unit]\nAfter=c\n");
    Unit("a/c", "[Unit]\nBefore=x\nAfter=a\n");
    Unit("a/x", "[Unit]\nAfter=a\n");
    LoadedFolder loaded = Load();
    EXPECT_EQ(Names(loaded, true), "a b c ");
    EXPECT_EQ(
        Say(loaded),
        "a/a.container:4: error: ordering cycle: 'a' after 'b' (a/a.container:4), 'b' after 'c' "
        "(a/b.container:4), 'c' after 'a' (a/c.container:5) (drop one of these After= or Before=)\n"
        "a/b.container:4: error: ordering cycle: 'b' after 'c' (a/b.container:4), 'c' after 'a' "
        "(a/c.container:5), 'a' after 'b' (a/a.container:4) (drop one of these After= or Before=)\n"
        "a/c.container:5: error: ordering cycle: 'c' after 'a' (a/c.container:5), 'a' after 'b' "
        "(a/a.container:4), 'b' after 'c' (a/b.container:4) (drop one of these After= or "
        "Before=)\n");
}

TEST_F(ConfigLoad, BeforeAndRequiresMakeCyclesOfTheirOwnKind) {
    Unit("a/a", "[Unit]\nBefore=b\nAfter=b\n");
    Unit("a/b");
    Unit("a/c", "[Unit]\nRequires=d\n");
    Unit("a/d", "[Unit]\nRequires=c\n");
    // Ordering and requirement are separate: the one way round each is no cycle.
    Unit("a/e", "[Unit]\nRequires=f\n");
    Unit("a/f", "[Unit]\nAfter=e\n");
    LoadedFolder loaded = Load();
    EXPECT_EQ(Names(loaded, true), "a b c d ");
    EXPECT_NE(Say(loaded).find("requirement cycle: 'c' requires 'd' (a/c.container:4), 'd' "
                               "requires 'c' (a/d.container:4)"),
              std::string::npos);
    EXPECT_NE(Say(loaded).find("a/b.container: error: ordering cycle: 'b' after 'a' "
                               "(a/a.container:4), 'a' after 'b' (a/a.container:5)"),
              std::string::npos);
}

TEST_F(ConfigLoad, AUnitThatNeedsWhatConflictsIsRefused) {
    Unit("a/app", "[Unit]\nRequires=left\nBindsTo=mid\n");
    Unit("a/mid", "[Unit]\nRequires=right\n");
    Unit("a/left", "[Unit]\nConflicts=right\n[Install]\nEnabled=no\n");
    Unit("a/right");
    LoadedFolder loaded = Load();
    EXPECT_EQ(Names(loaded, true), "app ");
    EXPECT_EQ(Say(loaded),
              "a/app.container:4: error: the unit can never start: it needs both, and 'left' "
              "conflicts with 'right' (a/left.container:4) (drop that Conflicts=, or what requires "
              "one of them)\n");
}

TEST_F(ConfigLoad, OfTwoThatConflictOnlyOneStartsAtBoot) {
    Unit("a/day");
    Unit("a/night", "[Unit]\nConflicts=day\n");
    EXPECT_EQ(Say(Load()),
              "a/night.container:4: warning: both this unit and 'day' are to start at boot; only "
              "'day' will (write Enabled=no in [Install] of one of them)\n");
}

TEST_F(ConfigLoad, WhatIsBoundToMustExistAndTheRestShould) {
    Unit("a/web", "[Unit]\nBindsTo=db\nPartOf=app\nOnFailure=alarm\n");
    EXPECT_EQ(Names(Load(), true), "web ");
    const std::string said = Say(Load());
    EXPECT_NE(said.find("4: error: unit 'db' does not exist"), std::string::npos) << said;
    EXPECT_NE(said.find("5: warning: unit 'app' does not exist"), std::string::npos) << said;
    EXPECT_NE(said.find("6: warning: unit 'alarm' does not exist"), std::string::npos) << said;
}

TEST_F(ConfigLoad, AnInstanceThatAFailureStartsIsMade) {
    Unit("a/alarm@");
    Unit("a/web", "[Unit]\nOnFailure=alarm@%n\n[Service]\nRestart=no\n");
    EXPECT_EQ(Names(Load(), false), "alarm@web web ");
}

TEST_F(ConfigLoad, AChainAndARingOfThousandsNeitherOverflowNorHang) {
    constexpr int kCount = 3000;
    for (int i = 0; i < kCount; ++i) {
        Unit(Cat("a/chain", std::to_string(i)),
             Cat("[Unit]\nAfter=chain", std::to_string(i + 1), "\nRequires=chain",
                 std::to_string(i + 1), "\n"));
        Unit(Cat("b/ring", std::to_string(i)),
             Cat("[Unit]\nAfter=ring", std::to_string((i + 1) % kCount), "\n"));
    }
    Unit(Cat("a/chain", std::to_string(kCount)));
    LoadedFolder loaded = Load();
    EXPECT_EQ(loaded.units.size(), 2u * kCount + 1);
    EXPECT_EQ(std::count_if(loaded.units.begin(), loaded.units.end(),
                            [](const LoadedUnit& u) { return u.refused; }),
              kCount);
    EXPECT_NE(Say(loaded).find(", and 2992 more"), std::string::npos);
}

TEST_F(ConfigLoad, SingleFilesTakeTheirDropInsAndKnowTheirNeighbours) {
    Unit("a/web", "[Unit]\nRequires=db\n");
    Unit("a/db");
    Write("a/web.container.d/x.conf", "[Container]\nUser=7\n");
    Write("a/notes.txt", "");
    LoadedFolder loaded =
        LoadUnitFiles({Path("a/web.container"), Path("a/notes.txt"), Path("a/gone.container")});
    EXPECT_EQ(Say(loaded),
              "a/notes.txt: error: is not a unit file (units are NAME.container)\n"
              "a/gone.container: error: does not exist\n");
    EXPECT_EQ(Get(loaded, "web").container.user, "7");
}

TEST_F(ConfigLoad, SystemConfigFillsItsTableAndAMissingFileGivesDefaults) {
    Write("system.conf",
          "[System]\nHostname=box\nKernelModules=overlay erofs\nSysctl=vm.swappiness=10 "
          "'kernel.printk=4 4 1 7'\n"
          "StateDevice=LABEL=state\nStateFilesystem=f2fs\n"
          "Console=ttyS1,115200\nTimezone=Europe/Berlin\n"
          "[Manager]\nDefaultMemoryMax=25%\nDefaultTasksMax=infinity\nDefaultTimeoutStopSec="
          "3\nDefaultTimeoutStartSec=0\nLogBufferSize=1M\n");
    LoadedSystemConfig loaded = LoadSystemConfig(Path("system.conf"));
    EXPECT_TRUE(loaded.problems.empty());
    EXPECT_EQ(loaded.config.hostname, "box");
    EXPECT_EQ(loaded.config.kernel_modules, (std::vector<std::string>{"overlay", "erofs"}));
    EXPECT_EQ(loaded.config.sysctl,
              (std::vector<std::string>{"vm.swappiness=10", "kernel.printk=4 4 1 7"}));
    EXPECT_EQ(loaded.config.state_device, "LABEL=state");
    EXPECT_EQ(loaded.config.state_filesystem, "f2fs");
    EXPECT_EQ(loaded.config.console, (Terminal{"/dev/ttyS1", 115200}));
    EXPECT_EQ(loaded.config.timezone, "Europe/Berlin");
    EXPECT_EQ(loaded.config.default_memory_max.value, 2500u);
    EXPECT_EQ(loaded.config.default_tasks_max, kUnlimited);
    EXPECT_EQ(loaded.config.default_timeout_stop, std::chrono::seconds(3));
    EXPECT_EQ(loaded.config.default_timeout_start, kInfinite);
    EXPECT_EQ(loaded.config.log_buffer_size, 1u << 20);
    EXPECT_TRUE(LoadSystemConfig(Path("nowhere.conf")).problems.empty());
}

TEST_F(ConfigLoad, ABadSystemConfigIsSaidAndTheRestHolds) {
    Write("system.conf",
          "[System]\nHostname=-\nConsole=ttyS1,fast\nMemoryMax=1\n[Manager]\nLogBufferSize="
          "1\nDefaultTasksMax=7\n[Container]\n");
    LoadedSystemConfig loaded = LoadSystemConfig(Path("system.conf"));
    std::string said;
    for (const Problem& problem : loaded.problems)
        said += Cat(std::to_string(problem.at.line), ": ", problem.text, "\n");
    EXPECT_EQ(said,
              "8: unknown section [Container]\n"
              "2: key 'Hostname': '-' is not a host name\n"
              "3: key 'Console': 'fast' is no speed of a serial line\n"
              "4: unknown key 'MemoryMax' in [System]\n"
              "6: key 'LogBufferSize': '1' is out of range\n");
    EXPECT_EQ(loaded.config.default_tasks_max, 7u);
    EXPECT_EQ(loaded.config.log_buffer_size, 256u << 10);
}

}  // namespace
}  // namespace husk::config
