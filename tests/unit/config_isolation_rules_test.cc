// Rules across namespaces and id maps.
#include <gtest/gtest.h>

#include <string>

#include "base/text.h"
#include "config/isolation_rules.h"
#include "config/load.h"

namespace husk::config {
namespace {

// Problems of a unit with Exec= on line 2 and `more` from line 3 on.
std::string Of(std::string_view more) {
    std::string out;
    for (const Problem& problem :
         ParseUnit("web", "web.container", Cat("[Container]\nExec=/x\n", more)).problems)
        out += Cat(Describe(problem), "\n");
    return out;
}

TEST(IdMaps, OfOneKindAreForBoth) {
    const auto unit = ParseUnit("web", "f", "[Container]\nExec=/x\nUIDMap=0:100000:10\n").unit;
    EXPECT_EQ(unit.container.gid_map, unit.container.uid_map);
    EXPECT_EQ(Of("UIDMap=0:100000:10\nUIDMap=1000:200000\nGIDMap=0:100000\nUser=1000\n"), "");
}

TEST(IdMaps, AndUserNsAreNotBothGiven) {
    EXPECT_EQ(Of("UserNS=auto\nUIDMap=0:100000\n"),
              "web.container:3: error: keys 'UserNS' and 'UIDMap' or 'GIDMap' say the same in two "
              "ways (give one of them)\n");
}

TEST(IdMaps, GiveEachIdOnce) {
    EXPECT_EQ(Of("UIDMap=0:100000:10\nUIDMap=9:200000:2\n"),
              "web.container:4: error: key 'UIDMap': '9:200000:2' and '0:100000:10' share ids of "
              "the container (give each id once)\n");
    EXPECT_EQ(Of("GIDMap=0:100000:10\nGIDMap=10:100009:1\n"),
              "web.container:4: error: key 'GIDMap': '10:100009:1' and '0:100000:10' share ids of "
              "the device (give each id once)\n");
    EXPECT_EQ(Of("UIDMap=0:100000:10\nUIDMap=10:100010:1\n"), "") << "side by side is fine";
}

TEST(IdMaps, HaveTheContainersRoot) {
    EXPECT_EQ(Of("UIDMap=1:100000:10\nUser=1\nGIDMap=0:1\n"),
              "web.container:3: error: key 'UIDMap' has no id for the container's 0 (the root "
              "belongs to it, and is built as it: add 0:DEVICE-ID)\n");
}

TEST(IdMaps, HaveTheUser) {
    EXPECT_EQ(Of("UIDMap=0:100000:10\nUser=10\n"),
              "web.container:4: error: key 'User': id '10' is not in the map of ids (add "
              "UIDMap=10:DEVICE-ID)\n");
    EXPECT_EQ(Of("UIDMap=0:100000:10\nGroupAdd=3 44\n"),
              "web.container:4: error: key 'GroupAdd': id '44' is not in the map of ids (add "
              "GIDMap=44:DEVICE-ID)\n");
    EXPECT_EQ(Of("UIDMap=0:100000:10\nUser=web\n"), "") << "names are resolved on the device";
}

TEST(IdMaps, AreAsLongAsTheKernelTakes) {
    std::string many;
    for (int i = 0; i < 341; ++i)
        many += Cat("UIDMap=", std::to_string(2 * i), ":", std::to_string(2 * i), "\n");
    EXPECT_NE(Of(many).find("341 ranges, and the kernel takes 340"), std::string::npos);
    many.clear();
    for (int i = 0; i < 300; ++i)
        many +=
            Cat("UIDMap=", std::to_string(2 * i), ":", std::to_string(1900000000 + 2 * i), "\n");
    EXPECT_NE(Of(many).find("bytes long, and the kernel takes 4095"), std::string::npos);
}

TEST(IdMaps, WarnOfIdsThatAreGivenAutomatically) {
    EXPECT_EQ(Of("UIDMap=0:524288:10\n"),
              "web.container:3: warning: key 'UIDMap': '0:524288:10' has ids that UserNS=auto may "
              "give to another unit (device ids below 524288 are never given)\n");
    EXPECT_EQ(Of("UIDMap=0:524278:10\n"), "");
    EXPECT_EQ(Of("UIDMap=0:1878982656:10\n"), "");
}

TEST(IdMaps, FindAnId) {
    const std::vector<IdMapping> map = {{.inside = 0, .count = 1}, {.inside = 10, .count = 2}};
    EXPECT_TRUE(IsMapped(map, 0) && IsMapped(map, 10) && IsMapped(map, 11));
    EXPECT_FALSE(IsMapped(map, 1) || IsMapped(map, 9) || IsMapped(map, 12));
    EXPECT_FALSE(IsMapped(map, UINT32_MAX));
}

TEST(RunInit, NeedsProcessesOfItsOwn) {
    EXPECT_EQ(Of("RunInit=yes\n"), "");
    EXPECT_NE(Of("RunInit=yes\nPrivatePIDs=no\n").find("there is no process 1 of the container"),
              std::string::npos);
}

TEST(RunInit, IsRefusedWhereTheContainerCouldTraceIt) {
    const char* wanted = "could look into its process 1";
    for (const char* capability : {"SYS_PTRACE", "NET_ADMIN SYS_PTRACE"})
        EXPECT_NE(
            Of(Cat("RunInit=yes\nUserNS=host\nAddCapability=", capability, "\n")).find(wanted),
            std::string::npos)
            << capability;
    for (const char* keys :
         {"UserNS=host\nAddCapability=NET_ADMIN\n", "AddCapability=SYS_PTRACE\n"})
        EXPECT_EQ(Of(Cat("RunInit=yes\n", keys)).find(wanted), std::string::npos) << keys;
}

TEST(UserNs, SaysWhyItDoesNotTakeWhatPodmanTakes) {
    EXPECT_NE(Of("UserNS=nomap\n").find("no user starts the unit"), std::string::npos);
    EXPECT_NE(Of("UserNS=private\n").find("UIDMap="), std::string::npos);
    for (const char* word : {"nomap", "private", "keep-id"})
        EXPECT_EQ(Of(Cat("UserNS=", word, "\n")).find("yet"), std::string::npos) << word;
}

TEST(SharedMounts, GoWithNothingThatShapesARoot) {
    EXPECT_EQ(Of("PrivateMounts=no\nVolume=/a:/b\n"),
              "web.container:4: error: key 'Volume' shapes a root of the container's own, and "
              "PrivateMounts=no has none (drop one of the two)\n");
    for (const char* line : {"Image=i", "Rootfs=/r", "Tmpfs=/t", "ReadOnly=yes", "ShmSize=1M",
                             "Mask=/m", "Unmask=ALL", "ReadOnlyTmpfs=no"})
        EXPECT_NE(Of(Cat("PrivateMounts=no\n", line, "\n")).find("shapes a root"),
                  std::string::npos)
            << line;
    EXPECT_EQ(Of("PrivateMounts=no\nUser=web\nWorkingDir=/srv\nMemory=64M\n"), "");
    EXPECT_EQ(Of("PrivateMounts=yes\nVolume=/a:/b\n"), "");
}

TEST(Sysctls, AreOfNamespacesThatAreTheUnitsOwn) {
    EXPECT_EQ(Of("Sysctl=net.core.somaxconn=10 kernel.shmmax=1\n"), "");
    EXPECT_EQ(Of("Sysctl=net.core.somaxconn=10\nNetwork=macvlan:eth0\n"), "");
    EXPECT_NE(Of("Sysctl=net.core.somaxconn=10\nNetwork=db.container\n"), "");
    EXPECT_EQ(Of("Sysctl=net.core.somaxconn=10\nNetwork=host\n"),
              "web.container:3: error: key 'Sysctl': 'net.core.somaxconn' is of a network that is "
              "not the unit's own (give it a network of its own, or set it with Sysctl= in "
              "system.conf)\n");
    EXPECT_NE(Of("Sysctl=fs.mqueue.msg_max=10\nPrivateIPC=no\n").find("is the device's"),
              std::string::npos);
    EXPECT_EQ(Of("Sysctl=net.core.somaxconn=10\nPrivateIPC=no\n"), "");
    EXPECT_NE(Of("Sysctl=net.core.somaxconn=10\nPrivateMounts=no\n").find("a /proc of the"),
              std::string::npos);
    EXPECT_NE(Of("Sysctl=kernel.domainname=x\n").find("cannot be written in a user namespace"),
              std::string::npos);
    EXPECT_NE(Of("Sysctl=net.core.somaxconn=\n").find("has no value"), std::string::npos);
}

TEST(SharedHostName, IsNotSet) {
    EXPECT_EQ(Of("ProtectHostname=no\nHostName=x\n"),
              "web.container:4: error: key 'HostName' would rename the device, since "
              "ProtectHostname=no shares its name (drop one of the two, or name the device in "
              "system.conf)\n");
    EXPECT_EQ(Of("ProtectHostname=no\n"), "");
}

}  // namespace
}  // namespace husk::config
