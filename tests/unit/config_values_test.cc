#include <gtest/gtest.h>
#include <sys/resource.h>

#include "config/container_values.h"
#include "config/device_values.h"
#include "config/network_values.h"
#include "config/security_values.h"
#include "config/service_values.h"
#include "config/values.h"

namespace husk::config {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

const HostFacts kHost{"host", "0123", "4567", "6.1.0"};
const Specifiers kWeb{"web", kHost};

template <typename T>
std::string Says(const Value<T>& value) {
    return value ? "good" : value.error()->text + " (" + value.error()->hint + ")";
}

TEST(Values, BooleansAreSystemds) {
    for (const char* yes : {"1", "yes", "YES", "y", "true", "t", "on", "On"})
        EXPECT_TRUE(ParseBoolean(yes).value_or(false)) << yes;
    for (const char* no : {"0", "no", "n", "false", "f", "off", "OFF"})
        EXPECT_FALSE(ParseBoolean(no).value_or(true)) << no;
    EXPECT_EQ(Says(ParseBoolean("yeah")), "'yeah' is not a boolean ('yes' or 'no')");
}

TEST(Values, SpansAreSystemds) {
    const std::pair<const char*, Duration> kGood[] = {
        {"5", seconds(5)},
        {"1min 30s", seconds(90)},
        {"1min30s", seconds(90)},
        {"2h", hours(2)},
        {"1.5h", minutes(90)},
        {"250ms", milliseconds(250)},
        {"10us", microseconds(10)},
        {"10 \xc2\xb5s", microseconds(10)},
        {"1d 2hr 3 minutes", hours(26) + minutes(3)},
        {"0.001", milliseconds(1)},
        {"1w", hours(168)},
        {"1min 30", seconds(90)},
        {"0", seconds(0)},
        {"infinity", kInfinite},
        {"2 s", seconds(2)},
        {"1M", seconds(2629800)},
    };
    for (auto [text, span] : kGood) EXPECT_EQ(ParseSpan(text).value_or(Duration(-1)), span) << text;
    for (const char* bad : {"", " ", "-1", "x", "5 parsecs", "1..2", "1.", ".5", "5s infinity",
                            "300y", "99999999999999999999", "1h-2m"})
        EXPECT_FALSE(ParseSpan(bad)) << bad;
    EXPECT_EQ(Says(ParseSpan("5 parsecs")),
              "'5 parsecs' has no known unit of time (seconds, or a span such as '500ms', '1min "
              "30s' or 'infinity')");
}

TEST(Values, SizesAreBase1024) {
    const std::pair<const char*, uint64_t> kGood[] = {
        {"0", 0},          {"100", 100},         {"1K", 1024},       {"1k", 1024},
        {"64M", 64 << 20}, {"1.5G", 3ull << 29}, {"2T", 2ull << 40}, {"5B", 5},
        {"0.5K", 512},     {"7E", 7ull << 60},
    };
    for (auto [text, size] : kGood) EXPECT_EQ(ParseSize(text).value_or(1), size) << text;
    for (const char* bad :
         {"", "K", "-1", "1KB", "1 K", "8E", "16E", "99999999999999999999", "1X", "0x10", "1.K"})
        EXPECT_FALSE(ParseSize(bad)) << bad;
    EXPECT_EQ(Says(ParseSize("12X")),
              "'12X' is not a size (bytes, or a size with K, M, G or T such as '64M')");
}

TEST(Values, SharesOfMemoryAreHundredthsOfAPercent) {
    EXPECT_EQ(ParseMemoryLimit("33.33%")->value, 3333u);
    EXPECT_EQ(ParseMemoryLimit("100%")->value, 10000u);
    EXPECT_FALSE(ParseMemoryLimit("100.01%"));
    EXPECT_FALSE(ParseMemoryLimit("0.001%"));
    EXPECT_FALSE(ParseMemoryLimit("%"));
    EXPECT_FALSE(ParseMemoryCeiling("0"));
    EXPECT_TRUE(ParseMemoryLimit("0"));
}

TEST(Values, PathsAreAbsoluteAndNormalised) {
    EXPECT_EQ(ParsePath("/a//b/./c/").value(), "/a/b/c");
    EXPECT_EQ(ParsePath("//").value(), "/");
    EXPECT_EQ(Says(ParsePath("a")), "'a' is not an absolute path (begin with '/')");
    EXPECT_EQ(Says(ParsePath("/a/../b")), "'/a/../b' has a '..' (write the path without it)");
    EXPECT_TRUE(ParsePath("/a/..b"));
    EXPECT_FALSE(ParsePath("/" + std::string(256, 'x')));
    EXPECT_TRUE(IsBelow("/proc/x", "/proc"));
    EXPECT_FALSE(IsBelow("/process", "/proc"));
}

TEST(Values, UnitsAreNamedWithAndWithoutSuffix) {
    EXPECT_EQ(ParseUnitReference("web").value(), "web");
    EXPECT_EQ(ParseUnitReference("web.container").value(), "web");
    EXPECT_EQ(ParseUnitReference("web.service").value(), "web");
    EXPECT_EQ(ParseUnitReference("web@1.service").value(), "web@1");
    EXPECT_FALSE(ParseUnitReference("network-online.target"));
    EXPECT_FALSE(ParseUnitReference("../web"));
    EXPECT_FALSE(ParseUnitReference(std::string(101, 'a')));
}

TEST(Values, VolumesHaveASourceADestinationAndOptions) {
    Volume plain = ParseVolume("/data/%N:/srv/", kWeb).value();
    EXPECT_EQ(plain.source, "/data/web");
    EXPECT_EQ(plain.destination, "/srv");
    EXPECT_TRUE(plain.no_suid && plain.no_dev && plain.idmap && !plain.no_exec && !plain.read_only);
    EXPECT_EQ(ParseVolume("db.volume:/srv", kWeb)->source, "db");
    EXPECT_TRUE(ParseVolume("db:/srv", kWeb)->named);
    EXPECT_FALSE(ParseVolume("db:/srv:nosuid,suid", kWeb)->no_suid);
    EXPECT_EQ(Says(ParseVolume("/data", kWeb)),
              "'/data' has no destination (SOURCE:DEST[:OPTION,...] with an absolute path or a "
              "volume's name as SOURCE)");
    EXPECT_EQ(Says(ParseVolume("./x:/srv", kWeb)),
              "'./x' is neither an absolute path nor a volume's name (SOURCE:DEST[:OPTION,...] "
              "with an absolute path or a volume's name as SOURCE)");
    EXPECT_EQ(Says(ParseVolume("/a:/proc/x", kWeb)),
              "destination '/proc/x' is in '/proc' (nothing can be mounted over the kernel's own "
              "files; choose another path)");
    EXPECT_EQ(Says(ParseVolume("/a:/b:U", kWeb)),
              "volume option 'U' is refused (volumes are mapped to the container's ids, never "
              "chowned; leave it out)");
    EXPECT_EQ(Says(ParseVolume("/a:/b:O", kWeb)), "volume option 'O' is not supported yet ()");
    EXPECT_EQ(Says(ParseVolume("/a:/b:noexc", kWeb)),
              "volume option 'noexc' is not one of the values (did you mean 'noexec'?)");
    for (const char* bad : {":", "::", "/a:", ":/b", "/a:/", "/a:/sys", "/a:/dev",
                            "/a:/b:", "/a:/b:ro:rw", "/a/../b:/c", "/a:/%i%"})
        EXPECT_FALSE(ParseVolume(bad, kWeb)) << bad;
}

TEST(Values, TmpfsTakesSizeAndMode) {
    EXPECT_EQ(ParseTmpfs("/x", kWeb)->mode, 01777u);
    EXPECT_EQ(ParseTmpfs("/x:size=1M,mode=0755,nosuid,nodev", kWeb)->mode, 0755u);
    for (const char* bad :
         {"x", "/", "/proc", "/x:", "/x:size=0", "/x:mode=9", "/x:nr_inodes=5", "/x:ro,,rw"})
        EXPECT_FALSE(ParseTmpfs(bad, kWeb)) << bad;
}

TEST(Values, AMemberOfANetworkMaySayHowItIsSeenThere) {
    const NetworkMode mode =
        ParseNetwork(
            "lan.network:ip=10.0.0.5,ip6=fd00::5,mac=02:00:00:00:00:0a,alias=a,alias=b,"
            "interface_name=lan0")
            .value();
    ASSERT_EQ(mode.kind, NetworkMode::Kind::kMember);
    const NetworkMembership& lan = mode.networks[0];
    EXPECT_EQ(lan.network, "lan");
    EXPECT_EQ(lan.ip4, ParseIpAddress("10.0.0.5").value());
    EXPECT_EQ(lan.ip6, ParseIpAddress("fd00::5").value());
    EXPECT_EQ(lan.mac, (MacAddress{2, 0, 0, 0, 0, 10}));
    EXPECT_EQ(lan.aliases, (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(lan.interface_name, "lan0");
    EXPECT_EQ(Says(ParseNetwork("lan.network:ip=x")),
              "'x' is not an address (as in 10.0.0.2 or fd00::2)");
    for (const char* bad :
         {".network", "a/b.network", "lan@1.network", "lan.network:", "lan.network:ip",
          "lan.network:isolate=no", "lan.network:mac=01:00:00:00:00:01",
          "lan.network:mac=02:0:0:0:0:1", "lan.network:interface_name=lo",
          "lan.network:interface_name=0123456789abcdef", "lan.network:interface_name=a/b",
          "lan.network:ip6=10.0.0.1"})
        EXPECT_FALSE(ParseNetwork(bad)) << bad;
}

TEST(Values, NetworksAreNoneHostOrAnotherUnits) {
    EXPECT_EQ(ParseNetwork("web.container")->unit, "web");
    EXPECT_EQ(Says(ParseNetwork("container:web")),
              "'container:web' is not a network (write web.container)");
    EXPECT_EQ(Says(ParseNetwork("bridge")),
              "network 'bridge' is not supported yet (NAME.network, 'none', 'host', macvlan:LINK, "
              "ipvlan:LINK, or NAME.container to share that unit's network)");
    EXPECT_FALSE(ParseNetwork("web"));
}

TEST(Values, NetworksUponALinkHaveAllThatAFileWouldSay) {
    const auto mode = ParseNetwork(
        "macvlan:eth1:ip=192.0.2.7/24,gw=192.0.2.1,ip=2001:db8::7/64,mtu=1400,"
        "interface_name=lan0");
    ASSERT_TRUE(mode) << Says(mode);
    ASSERT_EQ(mode->networks.size(), 1u);
    const NetworkMembership& one = mode->networks[0];
    EXPECT_EQ(one.network, "macvlan:eth1");
    EXPECT_EQ(one.parent, "eth1");
    EXPECT_EQ(one.driver, NetworkDriver::kMacvlan);
    EXPECT_EQ(one.ip4, ParseIpAddress("192.0.2.7").value());
    EXPECT_EQ(one.length4, 24u);
    EXPECT_EQ(one.ip6, ParseIpAddress("2001:db8::7").value());
    EXPECT_EQ(one.length6, 64u);
    EXPECT_EQ(one.gateway4, ParseIpAddress("192.0.2.1").value());
    EXPECT_FALSE(one.gateway6);
    EXPECT_EQ(one.mtu, 1400u);
    EXPECT_EQ(one.interface_name, "lan0");
    EXPECT_EQ(ParseNetwork("ipvlan:eth1")->networks[0].driver, NetworkDriver::kIpvlan);
    for (const char* bad :
         {"macvlan:", "macvlan:a/b", "macvlan:eth1:ip=192.0.2.7", "macvlan:eth1:ip=192.0.2.7/33",
          "macvlan:eth1:gw=x", "macvlan:eth1:mtu=1", "macvlan:eth1:vlan=3",
          "lan.network:gw=192.0.2.1", "macvlan:eth1:ip6=192.0.2.7/24"})
        EXPECT_FALSE(ParseNetwork(bad)) << bad;
}

TEST(Values, CapabilitiesAreTheKernels) {
    EXPECT_EQ(ParseCapability("cap_sys_admin").value(), "CAP_SYS_ADMIN");
    EXPECT_EQ(ParseCapability("CHECKPOINT_RESTORE").value(), "CAP_CHECKPOINT_RESTORE");
    EXPECT_EQ(Says(ParseCapability("NET_ADMN")),
              "'NET_ADMN' is not a capability (did you mean 'CAP_NET_ADMIN'?)");
}

TEST(Values, LimitsAreSoftAndHard) {
    EXPECT_EQ(ParseResourceLimit("5:infinity", LimitUnit::kCount)->hard, kUnlimited);
    EXPECT_EQ(Says(ParseResourceLimit("5:4", LimitUnit::kCount)),
              "soft limit in '5:4' is over the hard limit (SOFT:HARD)");
    EXPECT_EQ(ParseUlimit("nofile=1:-1")->second.hard, kUnlimited);
    EXPECT_EQ(ParseUlimit("core=1M")->first, RLIMIT_CORE);
    EXPECT_EQ(Says(ParseUlimit("nofle=1")), "'nofle' is not a limit (did you mean 'nofile'?)");
    EXPECT_EQ(ParseResourceLimit("+5", LimitUnit::kNice)->soft, 15u);
    EXPECT_EQ(ParseResourceLimit("-20", LimitUnit::kNice)->soft, 40u);
    EXPECT_FALSE(ParseResourceLimit("host", LimitUnit::kCount));
}

TEST(Values, NumbersKeepTheirBounds) {
    EXPECT_EQ(ParseRange("+5", -10, 10).value(), 5);
    for (const char* bad : {"", "+", "+-5", "--5", "11", "-11", "5x", " 5", "1e1"})
        EXPECT_FALSE(ParseRange(bad, -10, 10)) << bad;
    EXPECT_EQ(Says(ParseRange("11", -10, 10)),
              "'11' is out of range (a whole number from -10 to 10)");
}

TEST(Values, CpuListsAreChecked) {
    EXPECT_EQ(ParseCpuList("0-3, 5").value(), "0-3,5");
    for (const char* bad : {"a", "1-", "-1", "3-1", "1-2-3", "9000", "0-99999999999999999999"})
        EXPECT_FALSE(ParseCpuList(bad)) << bad;
}

TEST(Values, UnitsOfSystemdSayWhatThereIsOfThem) {
    EXPECT_EQ(Says(ParseUnitReference("network-online.target")),
              "'network-online.target' cannot be named here (After=, Wants= and Requires= may name "
              "it)");
    EXPECT_EQ(Says(ParseUnitReference("basic.target")),
              "'basic.target' cannot be named here (that is so before any unit starts; leave it "
              "out)");
    EXPECT_EQ(
        Says(ParseUnitReference("web.socket")),
        "'web.socket' cannot be named here (a socket stands in [Socket] of its unit; name the "
        "unit)");
    EXPECT_TRUE(HoldsBeforeUnits("local-fs.target") && HoldsBeforeUnits("sysinit.target"));
    EXPECT_TRUE(HoldsBeforeUnits("network.target"));
    EXPECT_FALSE(HoldsBeforeUnits("multi-user.target") ||
                 HoldsBeforeUnits("network-online.target"));
}

PublishedPort Port(std::string_view text) { return ParsePublishedPort(text).value(); }

TEST(Values, PublishedPortsHaveADeviceAndAContainerSide) {
    EXPECT_EQ(Port("80"), (PublishedPort{.container = 80}));
    EXPECT_EQ(Port("8080:80/udp"),
              (PublishedPort{.host = 8080, .container = 80, .protocol = PortProtocol::kUdp}));
    EXPECT_EQ(Port("127.0.0.1:8080:80").address, ParseIpAddress("127.0.0.1").value());
    EXPECT_EQ(Port("[::1]:8080:80").address, ParseIpAddress("::1").value());
    EXPECT_EQ(Port("127.0.0.1::80").host, 0u);
    EXPECT_EQ(Port("[fd00::1]:80").container, 80u);
    EXPECT_EQ(Port("8000-8009:9000-9009").count, 10u);
    EXPECT_EQ(Says(ParsePublishedPort("8000-8009:80")),
              "ranges of '8000-8009:80' are not of the same length (as many ports of the device as "
              "of the container)");
    for (const char* bad : {"", ":", "0", "65536", "80/", "80/http", "a:80", "1:2:3", "::1:80:80",
                            "[::1]80", "[::1:80", "9-8:9-8", "1-2-3", "300.0.0.1:80:80", "80:"})
        EXPECT_FALSE(ParsePublishedPort(bad)) << bad;
}

TEST(Values, PublishedPortsOverlapWhereBothWantOnePortOfTheDevice) {
    const std::pair<const char*, const char*> kOverlapping[] = {
        {"80:80", "80:81"},
        {"80:80", "127.0.0.1:80:80"},
        {"0.0.0.0:80:80", "10.0.0.1:80:80"},
        {"8000-8009:8000-8009", "8009-8010:1-2"},
    };
    for (auto [a, b] : kOverlapping) {
        EXPECT_TRUE(Overlaps(Port(a), Port(b))) << a << " " << b;
        EXPECT_TRUE(Overlaps(Port(b), Port(a))) << a << " " << b;
    }
    const std::pair<const char*, const char*> kApart[] = {
        {"80:80", "81:80"},
        {"80:80/tcp", "80:80/udp"},
        {"127.0.0.1:80:80", "127.0.0.2:80:80"},
        {"0.0.0.0:80:80", "[::1]:80:80"},
        {"80", "80"},
        {"8000-8009:8000-8009", "8010:1"},
    };
    for (auto [a, b] : kApart) EXPECT_FALSE(Overlaps(Port(a), Port(b))) << a << " " << b;
}

TEST(Values, NetworksHaveALengthAndNoAddressOfTheirOwn) {
    EXPECT_EQ(ParseIpPrefix("10.88.0.1/16")->length, 16u);
    EXPECT_TRUE(ParseSubnet("10.88.0.0/16") && ParseSubnet("fd00::/64") && ParseSubnet("::/0"));
    for (const char* bad : {"10.88.0.0", "10.88.0.0/33", "10.88.0.1/16", "fd00::1/64", "/8", "x/8"})
        EXPECT_FALSE(ParseSubnet(bad)) << bad;
    EXPECT_EQ(ParseIpRange("10.0.0.0/30")->last, ParseIpAddress("10.0.0.3").value());
    EXPECT_TRUE(ParseIpRange("10.0.0.5-10.0.0.9"));
    EXPECT_FALSE(ParseIpRange("10.0.0.9-10.0.0.5"));
    EXPECT_FALSE(ParseIpRange("10.0.0.1-fd00::1"));
}

TEST(Values, DevicesAreNodesAndClasses) {
    const DeviceMapping plain = ParseDeviceMapping("/dev/ttyS0").value();
    EXPECT_EQ(plain.destination, "/dev/ttyS0");
    EXPECT_EQ(plain.access, (DeviceAccess{true, true, true}));
    const DeviceMapping whole = ParseDeviceMapping("-/dev/ttyS0:/dev/modem:r").value();
    EXPECT_TRUE(whole.optional);
    EXPECT_EQ(whole.destination, "/dev/modem");
    EXPECT_EQ(whole.access, (DeviceAccess{true, false, false}));
    EXPECT_EQ(ParseDeviceMapping("/dev/kvm:rw")->access, (DeviceAccess{true, true, false}));
    EXPECT_EQ(Says(ParseDeviceMapping("nvidia.com/gpu=all")),
              "'nvidia.com/gpu=all' is a name of the Container Device Interface (give the device's "
              "path in /dev)");
    for (const char* bad : {"", "/dev", "/etc/x", "/dev/a:/dev/b:x", "/dev/a:/dev/b:", "/dev/a:rr",
                            "/dev/a:/dev/b:r:w", "/dev/../etc/x"})
        EXPECT_FALSE(ParseDeviceMapping(bad)) << bad;
    EXPECT_EQ(ParseDeviceRule("block-loop r")->kind, DeviceRule::Kind::kBlockClass);
    EXPECT_EQ(ParseDeviceRule("char-pts")->name, "pts");
    for (const char* bad : {"", "char-", "/dev/a x", "/dev/a r w", "pts"})
        EXPECT_FALSE(ParseDeviceRule(bad)) << bad;
}

TEST(Values, IoLimitsAreBase1000) {
    EXPECT_EQ(ParseIoLimit("/dev/sda 5M")->most, 5'000'000u);
    EXPECT_EQ(ParseIoLimit("/dev/sda 7")->most, 7u);
    EXPECT_EQ(ParseIoLimit("/dev/sda infinity")->most, kUnlimited);
    for (const char* bad : {"/dev/sda 0", "/dev/sda 1X", "/dev/sda 99999999999T", "5M", "/dev/sda",
                            "/dev/sda 1 2", "/dev/sda 1.5M"})
        EXPECT_FALSE(ParseIoLimit(bad)) << bad;
}

TEST(Values, MountsAreInPodmansLongForm) {
    const MountSpec bind = ParseMount("type=bind,src=/a,dst=/b/,ro,noexec").value();
    EXPECT_EQ(bind.kind, MountSpec::Kind::kBind);
    EXPECT_EQ(bind.volume.source, "/a");
    EXPECT_EQ(bind.volume.destination, "/b");
    EXPECT_TRUE(bind.volume.read_only && bind.volume.no_exec);
    EXPECT_TRUE(bind.volume.no_suid && bind.volume.no_dev && bind.volume.idmap) << "as Volume=";
    const MountSpec tmpfs =
        ParseMount("type=tmpfs,destination=/t,tmpfs-size=1M,tmpfs-mode=0700,ro").value();
    EXPECT_EQ(tmpfs.tmpfs.destination, "/t");
    EXPECT_EQ(tmpfs.tmpfs.size, 1u << 20);
    EXPECT_EQ(tmpfs.tmpfs.mode, 0700u);
    EXPECT_TRUE(tmpfs.tmpfs.read_only);
    const MountSpec volume =
        ParseMount("type=volume,source=data.volume,destination=/d,readonly=false,subpath=a/b,suid")
            .value();
    EXPECT_TRUE(volume.volume.named);
    EXPECT_EQ(volume.volume.source, "data");
    EXPECT_EQ(volume.volume.subpath, "a/b");
    EXPECT_FALSE(volume.volume.read_only || volume.volume.no_suid);
    const MountSpec image =
        ParseMount("destination=/d,type=image,source=docker.io/library/nginx:1").value();
    EXPECT_TRUE(image.volume.read_only);
    EXPECT_EQ(Says(ParseMount("type=image,source=x,destination=/d,rw")),
              "an image cannot be written to (leave rw out)");
    EXPECT_EQ(Says(ParseMount("type=bind,source=/a,destination=/b,bind-propagation=shared")),
              "propagation 'shared' is refused (mounts are always private: what is mounted later "
              "shows on neither side)");
    EXPECT_EQ(
        Says(ParseMount("type=bind,source=/a,destination=/b,relabel=shared")),
        "mount option 'relabel=shared' is refused (owners are mapped and there are no SELinux "
        "labels; leave it out)");
    EXPECT_EQ(Says(ParseMount("type=tmpfs,destination=/t,tmpfs-siz=1M")),
              "mount option 'tmpfs-siz' is not one of type=tmpfs (did you mean 'tmpfs-size'?)");
    for (const char* bad :
         {"", "type=", "type=bind", "type=bind,source=/a", "type=bind,source=a,destination=/b",
          "type=tmpfs,destination=/proc", "type=tmpfs,source=/a,destination=/b", "type=devpts",
          "type=bind,source=/a,destination=/b,ro=maybe", "type=tmpfs,destination=/t,suid",
          "type=volume,source=d,destination=/b,subpath=../x",
          "type=bind,source=/a,destination=/b,idmap=uids=0-1-10",
          "type=bind,source=/a,destination"})
        EXPECT_FALSE(ParseMount(bad)) << bad;
}

TEST(Values, SystemCallListsHaveGroupsAndErrors) {
    const SystemCallList list = ParseSystemCallList("~@mount ptrace:ENOSYS kill:kill").value();
    EXPECT_TRUE(list.deny);
    ASSERT_EQ(list.entries.size(), 3u);
    EXPECT_EQ(list.entries[0].name, "@mount");
    EXPECT_EQ(list.entries[1].error, 38);
    EXPECT_EQ(list.entries[2].error, 0);
    EXPECT_EQ(ParseSystemCallError("EPERM").value(), 1);
    EXPECT_EQ(ParseSystemCallError("ELOOP").value(), 40);
    EXPECT_EQ(ParseSystemCallError("4095").value(), 4095);
    EXPECT_EQ(Says(ParseSystemCallList("@system-services")),
              "'system-services' is not a group of system calls (did you mean 'system-service'?)");
    EXPECT_EQ(Says(ParseSystemCallList("read opnat")),
              "'opnat' is not a system call (did you mean 'openat'?)");
    EXPECT_TRUE(ParseSystemCallList("open _llseek waitpid @known")) << "of any architecture";
    EXPECT_FALSE(ParseSystemCallList("@husk")) << "not one of systemd's";
    for (const char* bad : {"~", "Open", "read:x", "read ~write", "@", "0", "4096"})
        EXPECT_FALSE(ParseSystemCallList(bad)) << bad;
    EXPECT_FALSE(ParseSystemCallError("4096") || ParseSystemCallError("0"));
}

TEST(Values, TheNativeArchitectureIsTheOnlyOne) {
    EXPECT_EQ(ParseArchitecture("native").value(), "native");
    EXPECT_FALSE(ParseArchitecture("x32"));
#if defined(__x86_64__)
    EXPECT_TRUE(ParseArchitecture("x86-64"));
    EXPECT_EQ(Says(ParseArchitecture("x86")),
              "calls of architecture 'x86' always kill the process ('native', here x86-64, is what "
              "programs may use)");
    EXPECT_EQ(Says(ParseArchitecture("x86_64")),
              "'x86_64' is not an architecture (did you mean 'x86-64'?)");
#endif
}

TEST(Values, CommandsHaveSystemdsPrefixes) {
    const ServiceCommand command = ParseServiceCommand("-@:/bin/%N 'a b'", kWeb).value();
    EXPECT_TRUE(command.may_fail && command.plain && command.own_name);
    EXPECT_EQ(command.words, (std::vector<std::string>{"/bin/web", "a b"}));
    EXPECT_EQ(Says(ParseServiceCommand("+/bin/x", kWeb)),
              "prefix '+' is refused (commands run with the container's rights; leave it out)");
    EXPECT_FALSE(ParseServiceCommand("-", kWeb) || ParseServiceCommand("@/bin/x", kWeb));
}

TEST(Values, ConditionsHaveTheirMarksFirst) {
    const Condition condition = ParsePathCondition("|!/etc/x/").value();
    EXPECT_TRUE(condition.triggering && condition.negated);
    EXPECT_EQ(condition.value, "/etc/x");
    EXPECT_FALSE(ParsePathCondition("!|/etc/x") || ParsePathCondition("|") ||
                 ParsePathCondition("etc"));
}

TEST(ConfigValues, AListenAddressIsTheSameTextAgain) {
    for (const char* text : {"80", "127.0.0.1:80", "[::1]:8080", "[::]:1", "/run/x", "@x"}) {
        auto listen = ParseListenAddress(text);
        ASSERT_TRUE(listen) << text;
        EXPECT_EQ(ListenText(*listen), text);
    }
}

}  // namespace
}  // namespace husk::config
