#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/resource.h>

#include <algorithm>

#include "base/capabilities.h"
#include "container/id_map.h"
#include "supervisor/spec_builder.h"

namespace husk::supervisor {
namespace {

using config::MemoryLimit;

class SpecOfUnit : public ::testing::Test {
  protected:
    SpecOfUnit() {
        unit_.name = "web";
        unit_.container.exec = {"/app", "-v"};
        device_ = {.memory_total = 1'000'000'000,
                   .run_directory = "/run/husk",
                   .state_directory = "/var/lib/husk",
                   .resolv_conf = "nameserver 1.1.1.1\n"};
        facts_.id_range = {.base = 1 << 20};
    }
    container::ContainerSpec Build() {
        auto spec = BuildSpec(unit_, system_, device_, facts_);
        EXPECT_TRUE(spec) << (spec ? "" : spec.error().text());
        return spec ? std::move(*spec) : container::ContainerSpec{};
    }
    const rootfs::TmpfsMount* Tmpfs(const container::ContainerSpec& spec, std::string_view path) {
        auto found = std::ranges::find(spec.root.tmpfs, path, &rootfs::TmpfsMount::destination);
        return found == spec.root.tmpfs.end() ? nullptr : &*found;
    }

    config::Unit unit_;
    config::SystemConfig system_;
    DeviceFacts device_;
    UnitFacts facts_;
};

bool Has(const std::vector<std::string>& list, const std::string& item) {
    return std::ranges::find(list, item) != list.end();
}

TEST(SharedFolderAround, IsTheOutermostThatUnitsCanWriteTo) {
    DeviceFacts device{.state_directory = "/state"};
    device.shared_folders = {"/data/app/logs", "/data/app", "/srv"};
    EXPECT_EQ(SharedFolderAround("/state/volumes/web/htdocs/en", device), "/state/volumes/web");
    EXPECT_EQ(SharedFolderAround("/state/volumes/web", device), "") << "nobody can bend that";
    EXPECT_EQ(SharedFolderAround("/state/images/web.erofs", device), "");
    EXPECT_EQ(SharedFolderAround("/data/app/logs/old", device), "/data/app");
    EXPECT_EQ(SharedFolderAround("/data/app", device), "");
    EXPECT_EQ(SharedFolderAround("/data/application", device), "");
    EXPECT_EQ(SharedFolderAround("/etc/localtime", device), "");
    device.shared_folders.push_back("/state");
    EXPECT_EQ(SharedFolderAround("/state/volumes/web/htdocs", device), "/state");
}

TEST(NewVolumeFolder, IsTheUnitsUnlessItsFileSaysOtherwise) {
    config::Volume volume{.source = "data", .named = true};
    const rootfs::UserIds user{.uid = 33, .gid = 34};
    VolumeFolder folder = NewVolumeFolder(volume, user);
    EXPECT_EQ(folder.uid, 33u);
    EXPECT_EQ(folder.gid, 34u);
    EXPECT_EQ(folder.mode, 0755u);
    volume.user = 70;
    volume.mode = 0700;
    folder = NewVolumeFolder(volume, user);
    EXPECT_EQ(folder.uid, 70u);
    EXPECT_EQ(folder.gid, 34u);
    EXPECT_EQ(folder.mode, 0700u);
}

TEST_F(SpecOfUnit, IsSafeWhereTheUnitSaysNothing) {
    const auto spec = Build();
    EXPECT_EQ(spec.name, "web");
    EXPECT_EQ(spec.host_name, "web");
    EXPECT_EQ(spec.argv, (std::vector<std::string>{"/app", "-v"}));
    EXPECT_EQ(spec.working_dir, "/");
    EXPECT_EQ(spec.user_namespace->users, (std::vector<container::IdExtent>{{0, 1 << 20, 65536}}));
    EXPECT_EQ(spec.user_namespace->groups, spec.user_namespace->users);
    EXPECT_EQ(spec.network, container::NetworkKind::kPrivate);
    EXPECT_TRUE(spec.private_pids && spec.private_ipc && spec.no_new_privileges);
    EXPECT_EQ(spec.capabilities, 0u);
    EXPECT_EQ(spec.oom_score_adjust, 0);
    EXPECT_EQ(spec.root.kind, rootfs::RootKind::kSkeleton);
    EXPECT_TRUE(spec.root.read_only);
    EXPECT_EQ(spec.root.masked, rootfs::DefaultMaskedPaths());
    EXPECT_EQ(spec.root.protected_paths, rootfs::DefaultProtectedPaths());
    EXPECT_EQ(spec.limits.tasks_max, 512u);
    EXPECT_EQ(spec.limits.memory_max, std::nullopt);
    EXPECT_TRUE(spec.limits.oom_group);
    ASSERT_EQ(spec.resource_limits.size(), 1u);
    EXPECT_EQ(spec.resource_limits[0].resource, RLIMIT_NOFILE);
    for (const char* path : {"/tmp", "/var/tmp", "/run"}) EXPECT_TRUE(Tmpfs(spec, path)) << path;
}

TEST_F(SpecOfUnit, HasTheVariablesOfItsFilesOverItsOwn) {
    unit_.container.environment = {"A=unit", "B=two words"};
    unit_.container.environment_files = {"/etc/web.env"};
    unit_.container.exec = {"/app", "$B", "${A}", "$$A", "${C}"};
    facts_.environment = {"A=file", "HOME=/srv"};
    const auto spec = Build();
    EXPECT_EQ(spec.argv, (std::vector<std::string>{"/app", "two", "words", "file", "$A", ""}));
    EXPECT_TRUE(Has(spec.environment, "A=file") && Has(spec.environment, "B=two words"));
    EXPECT_TRUE(Has(spec.environment, "HOME=/srv") && !Has(spec.environment, "A=unit"));
}

TEST_F(SpecOfUnit, HasItsFoldersCredentialsAndTimeZone) {
    unit_.service.state_directory.paths = {"web"};
    unit_.service.credentials = {{.id = "key", .value = "hidden"}};
    unit_.container.environment = {"STATE_DIRECTORY=/own"};
    facts_.timezone.file = "/usr/share/zoneinfo/Europe/Berlin";
    auto spec = Build();
    EXPECT_TRUE(Has(spec.environment, "STATE_DIRECTORY=/own")) << "as in systemd, the unit's holds";
    EXPECT_TRUE(Has(spec.environment, "CREDENTIALS_DIRECTORY=/run/credentials/web"));
    ASSERT_EQ(spec.root.binds.size(), 3u);
    EXPECT_EQ(spec.root.binds[0].destination, "/var/lib/web");
    EXPECT_TRUE(spec.root.binds[0].idmap);
    EXPECT_EQ(spec.root.binds[1].destination, "/run/credentials/web");
    EXPECT_EQ(spec.root.binds[2].destination, "/etc/localtime");
    EXPECT_TRUE(spec.root.binds[2].read_only && !spec.root.binds[2].is_directory);
    facts_.timezone = {.variable = "CET-1"};
    spec = Build();
    EXPECT_TRUE(Has(spec.environment, "TZ=CET-1"));
    EXPECT_EQ(spec.root.binds.size(), 2u);
}

TEST_F(SpecOfUnit, HasItsImageAsTree) {
    facts_.tree = "/run/husk/images/1";
    auto spec = Build();
    EXPECT_EQ(spec.root.kind, rootfs::RootKind::kTree);
    EXPECT_EQ(spec.root.tree, "/run/husk/images/1");
    EXPECT_TRUE(spec.root.tree_idmap);
    unit_.container.user_ns = config::UserNamespace::kHost;
    spec = Build();
    EXPECT_FALSE(spec.user_namespace);
    EXPECT_FALSE(spec.root.tree_idmap);
}

TEST_F(SpecOfUnit, HasTheCapabilitiesThatWereAddedAndNotDropped) {
    constexpr uint64_t kBind = uint64_t{1} << CAP_NET_BIND_SERVICE;
    unit_.container.add_capability = {"CAP_NET_BIND_SERVICE", "CAP_CHOWN"};
    EXPECT_EQ(Build().capabilities, kBind | uint64_t{1} << CAP_CHOWN);
    unit_.container.drop_capability = {"CAP_CHOWN"};
    EXPECT_EQ(Build().capabilities, kBind);
    unit_.container.add_capability = {"all"};
    EXPECT_EQ(Build().capabilities, AllCapabilities() & ~(uint64_t{1} << CAP_CHOWN));
    unit_.container.add_capability = {"CAP_FOO"};
    EXPECT_FALSE(BuildSpec(unit_, system_, device_, facts_));
}

TEST_F(SpecOfUnit, AddsCapabilitiesToWhatDropAllLeavesAsPodmanDoes) {
    unit_.container.add_capability = {"CAP_NET_BIND_SERVICE"};
    unit_.container.drop_capability = {"all"};
    EXPECT_EQ(Build().capabilities, uint64_t{1} << CAP_NET_BIND_SERVICE);
}

TEST_F(SpecOfUnit, HasItsLimits) {
    auto& service = unit_.service;
    service.memory_max = {MemoryLimit::Kind::kBytes, 64 << 20};
    service.memory_high = {MemoryLimit::Kind::kPercent, 1250};
    service.memory_swap_max = {MemoryLimit::Kind::kInfinity, 0};
    service.tasks_max = 7;
    service.cpu_quota = 15'000;
    service.cpu_weight = 20;
    service.allowed_cpus = std::string("1");
    service.oom_policy = config::OomPolicy::kContinue;
    const auto limits = Build().limits;
    EXPECT_EQ(limits.memory_max, uint64_t{64 << 20});
    EXPECT_EQ(limits.memory_high, 125'000'000u);
    EXPECT_EQ(limits.memory_swap_max, container::kNoLimit);
    EXPECT_EQ(limits.tasks_max, 7u);
    EXPECT_EQ(limits.cpu_quota_us, 150'000u);
    EXPECT_EQ(limits.cpu_period_us, 100'000u);
    EXPECT_EQ(limits.cpu_weight, 20u);
    EXPECT_EQ(*limits.cpus, "1");
    EXPECT_FALSE(limits.oom_group);
}

TEST_F(SpecOfUnit, HasItsShareOfTheDevicesTasks) {
    device_.tasks_total = 32'768;
    unit_.service.tasks_max = 1000;  // 10%
    unit_.service.tasks_max_is_share = true;
    EXPECT_EQ(Build().limits.tasks_max, 3276u);
    unit_.service.tasks_max = 1;
    device_.tasks_total = 100;
    EXPECT_EQ(Build().limits.tasks_max, 1u) << "one may run in any case";
}

TEST_F(SpecOfUnit, CountsASmallQuotaOverALongerTime) {
    unit_.service.cpu_quota = 50;  // 0.5%
    auto limits = Build().limits;
    EXPECT_EQ(limits.cpu_period_us, 200'000u);
    EXPECT_EQ(limits.cpu_quota_us, 1'000u) << "the least that the kernel takes";
    unit_.service.cpu_quota = 1;
    limits = Build().limits;
    EXPECT_EQ(limits.cpu_period_us, 1'000'000u);
    EXPECT_EQ(limits.cpu_quota_us, 1'000u);
}

TEST_F(SpecOfUnit, IsScheduledAsItSays) {
    EXPECT_EQ(Build().scheduling_policy, SCHED_OTHER);
    EXPECT_EQ(Build().io_class, std::nullopt);
    unit_.service.scheduling_policy = config::SchedulingPolicy::kRoundRobin;
    unit_.service.scheduling_priority = 5;
    unit_.service.io_class = 3;
    EXPECT_EQ(Build().scheduling_policy, SCHED_RR);
    EXPECT_EQ(Build().scheduling_priority, 5);
    EXPECT_EQ(Build().io_class, 3);
}

TEST_F(SpecOfUnit, DelegatesItsLeafToItsOwnRoot) {
    EXPECT_EQ(Build().limits.delegate_to, std::nullopt);
    EXPECT_FALSE(Build().root.writable_cgroup);
    unit_.service.delegate = true;
    EXPECT_EQ(Build().limits.delegate_to, uint32_t{1 << 20});
    EXPECT_TRUE(Build().root.writable_cgroup);
    unit_.container.user_ns = config::UserNamespace::kHost;
    EXPECT_EQ(Build().limits.delegate_to, 0u);
}

TEST_F(SpecOfUnit, TakesTheSystemsDefaultsWhereItHasNoLimits) {
    system_.default_memory_max = {MemoryLimit::Kind::kBytes, 1 << 20};
    system_.default_tasks_max = config::kUnlimited;
    EXPECT_EQ(Build().limits.memory_max, uint64_t{1 << 20});
    EXPECT_EQ(Build().limits.tasks_max, std::nullopt);
    unit_.service.memory_max = {MemoryLimit::Kind::kInfinity, 0};
    EXPECT_EQ(Build().limits.memory_max, container::kNoLimit) << "its own word counts";
}

TEST_F(SpecOfUnit, CannotTakeAllOfTheMemoryWhereNobodySaysALimit) {
    EXPECT_EQ(Build().limits.memory_max, std::nullopt) << "this device cannot limit it";
    device_.limits_memory = true;
    EXPECT_EQ(Build().limits.memory_max, uint64_t{715} << 20);
    system_.default_memory_max = {MemoryLimit::Kind::kInfinity, 0};
    EXPECT_EQ(Build().limits.memory_max, container::kNoLimit);
}

TEST_F(SpecOfUnit, ReplacesVariablesOfTheSameNameOnly) {
    facts_.user.home = "/var/www";
    unit_.container.environment = {"PATH=/bin", "PATHS=x", "EMPTY="};
    const auto environment = Build().environment;
    EXPECT_TRUE(Has(environment, "PATH=/bin"));
    EXPECT_TRUE(Has(environment, "PATHS=x"));
    EXPECT_TRUE(Has(environment, "EMPTY="));
    EXPECT_TRUE(Has(environment, "HOME=/var/www"));
    EXPECT_TRUE(Has(environment, "HOSTNAME=web"));
    EXPECT_TRUE(Has(environment, "container=husk"));
    EXPECT_EQ(std::ranges::count_if(environment, [](auto& e) { return e.starts_with("PATH="); }),
              1);
}

TEST_F(SpecOfUnit, HasAHostNameThatTheKernelTakes) {
    unit_.name = std::string(100, 'n');
    EXPECT_EQ(Build().host_name.size(), 64u);
    unit_.container.host_name = "front";
    const auto spec = Build();
    EXPECT_EQ(spec.host_name, "front");
    auto hosts = std::ranges::find(spec.root.files, "/etc/hosts", &rootfs::RootFile::path);
    ASSERT_NE(hosts, spec.root.files.end());
    EXPECT_NE(hosts->content.find("127.0.1.1\tfront\n"), std::string::npos);
}

TEST_F(SpecOfUnit, FindsItsVolumes) {
    unit_.container.volumes = {
        {.source = "data", .named = true, .destination = "/data"},
        {.source = "/etc/x", .destination = "/x", .read_only = true, .idmap = false}};
    facts_.volume_is_directory = {true, false};
    const auto binds = Build().root.binds;
    ASSERT_EQ(binds.size(), 2u);
    EXPECT_EQ(binds[0].source, "/var/lib/husk/volumes/data");
    EXPECT_TRUE(binds[0].idmap && binds[0].is_directory && binds[0].no_suid && binds[0].no_dev);
    EXPECT_EQ(binds[1].source, "/etc/x");
    EXPECT_TRUE(binds[1].read_only);
    EXPECT_FALSE(binds[1].idmap || binds[1].is_directory);
    unit_.container.user_ns = config::UserNamespace::kHost;
    EXPECT_FALSE(Build().root.binds[0].idmap);
}

TEST_F(SpecOfUnit, PutsNoTmpfsWhereTheUnitMountsOrTheRootIsWritable) {
    unit_.container.volumes = {{.source = "/v", .destination = "/tmp"}};
    unit_.container.tmpfs = {{.destination = "/run", .size = 5}};
    facts_.volume_is_directory = {true};
    auto spec = Build();
    EXPECT_FALSE(Tmpfs(spec, "/tmp"));
    EXPECT_EQ(Tmpfs(spec, "/run")->size, 5u);
    EXPECT_TRUE(Tmpfs(spec, "/var/tmp"));
    unit_.container.read_only_tmpfs = false;
    EXPECT_FALSE(Tmpfs(Build(), "/var/tmp"));
    unit_.container.read_only_tmpfs = true;
    unit_.container.read_only = false;
    EXPECT_FALSE(Tmpfs(Build(), "/var/tmp"));
}

TEST_F(SpecOfUnit, OfAVolatileOverlayIsWritable) {
    unit_.container.overlay = config::OverlayMode::kVolatile;
    unit_.container.overlay_size = 123;
    EXPECT_TRUE(Build().root.volatile_overlay);
    EXPECT_EQ(Build().root.overlay_size, 123u);
    unit_.container.overlay = config::OverlayMode::kVolume;
    unit_.container.overlay_volume = "data";
    EXPECT_FALSE(Build().root.volatile_overlay || Build().root.read_only);
    EXPECT_TRUE(Build().root.overlay_folder.ends_with("/volumes/data"));
    EXPECT_FALSE(Build().root.read_only);
}

TEST_F(SpecOfUnit, UnmasksWhatItAsksFor) {
    unit_.container.mask = {"/etc/secret"};
    unit_.container.unmask = {"/proc/kcore"};
    auto spec = Build();
    EXPECT_FALSE(Has(spec.root.masked, "/proc/kcore"));
    EXPECT_TRUE(Has(spec.root.masked, "/proc/keys"));
    EXPECT_TRUE(Has(spec.root.masked, "/etc/secret"));
    unit_.container.unmask = {"ALL"};
    spec = Build();
    EXPECT_EQ(spec.root.masked, std::vector<std::string>{"/etc/secret"});
    EXPECT_TRUE(spec.root.protected_paths.empty());
}

TEST_F(SpecOfUnit, SharesWhatItAsksToShare) {
    unit_.container.network.kind = config::NetworkMode::Kind::kHost;
    unit_.container.private_ipc = unit_.container.private_pids = false;
    auto spec = Build();
    EXPECT_EQ(spec.network, container::NetworkKind::kHost);
    EXPECT_FALSE(spec.root.own_network || spec.root.own_ipc || spec.root.own_pids ||
                 spec.private_ipc || spec.private_pids);
    unit_.container.network.kind = config::NetworkMode::Kind::kContainer;
    spec = Build();
    EXPECT_EQ(spec.network, container::NetworkKind::kJoin);
    EXPECT_FALSE(spec.root.own_network) << "the namespace is another one's, so is its sysfs";
}

TEST_F(SpecOfUnit, HasTheIdsOfItsMapInPlaceOfARange) {
    unit_.container.uid_map = {{.inside = 0, .outside = 100'000, .count = 1},
                               {.inside = 1000, .outside = 200'000, .count = 10}};
    unit_.container.gid_map = {{.inside = 0, .outside = 100'000, .count = 6}};
    facts_.user = {.uid = 1009, .gid = 5};
    auto spec = Build();
    EXPECT_EQ(spec.user_namespace->users,
              (std::vector<container::IdExtent>{{0, 100'000, 1}, {1000, 200'000, 10}}));
    EXPECT_EQ(container::OnDevice(spec.user_namespace->users, 1009), 200'009u);
    EXPECT_TRUE(spec.root.tty_group);
    unit_.container.gid_map[0].count = 5;
    facts_.user.gid = 4;
    EXPECT_FALSE(Build().root.tty_group) << "devpts would not mount with a group that is no one";
}

TEST_F(SpecOfUnit, IsRefusedWhereItsUserIsNotInTheMap) {
    unit_.container.uid_map = unit_.container.gid_map = {{.outside = 100'000, .count = 10}};
    unit_.container.user = "web";
    auto text = [&] { return BuildSpec(unit_, system_, device_, facts_).error().text(); };
    facts_.user = {.uid = 10, .gid = 0};
    EXPECT_EQ(text(), "user 10 of 'web' is not in the map of ids; add it to UIDMap=");
    facts_.user = {.uid = 9, .gid = 10};
    EXPECT_EQ(text(), "group 10 of 'web' is not in the map of ids; add it to GIDMap=");
    facts_.user = {.uid = 9, .gid = 9, .groups = {1, 11}};
    EXPECT_EQ(text(), "group 11 of 'web' is not in the map of ids; add it to GIDMap=");
}

TEST_F(SpecOfUnit, SharesTheMountsAndTheHostNameOfTheDevice) {
    unit_.container.private_mounts = unit_.container.protect_hostname = false;
    facts_.device_host_name = "box";
    const auto spec = Build();
    EXPECT_FALSE(spec.private_mounts || spec.private_host_name);
    EXPECT_EQ(spec.host_name, "box");
    EXPECT_TRUE(Has(spec.environment, "HOSTNAME=box"));
}

TEST_F(SpecOfUnit, WritesItsKernelParameters) {
    unit_.container.sysctl = {"net.ipv4.ip_local_port_range=1024 65535"};
    const auto files = Build().root.kernel_files;
    ASSERT_EQ(files.size(), 1u);
    EXPECT_EQ(files[0].path, "/proc/sys/net/ipv4/ip_local_port_range");
    EXPECT_EQ(files[0].content, "1024 65535");
    EXPECT_TRUE(NetworkParameters(unit_).empty());
    // Of a network whose namespace is made for it, the supervisor writes them.
    unit_.container.sysctl.push_back("kernel.shmmax=1");
    unit_.container.network.kind = config::NetworkMode::Kind::kMember;
    const auto kept = NetworkParameters(unit_);
    ASSERT_EQ(kept.size(), 1u);
    EXPECT_EQ(kept[0].path, files[0].path);
    const auto others = Build().root.kernel_files;
    ASSERT_EQ(others.size(), 1u);
    EXPECT_EQ(others[0].path, "/proc/sys/kernel/shmmax");
}

TEST_F(SpecOfUnit, HasItsClocksAndLandlock) {
    unit_.container.time_offset = -std::chrono::seconds(2);
    unit_.container.landlock_read_paths = {"/usr", "-/opt"};
    unit_.container.landlock_bind_ports = {80};
    device_.landlock_abi = 6;
    const auto spec = Build();
    EXPECT_EQ(spec.time_offset, -2'000'000'000);
    ASSERT_EQ(spec.landlock.read.size(), 2u);
    EXPECT_EQ(spec.landlock.read[1].path, "/opt");
    EXPECT_TRUE(spec.landlock.read[1].optional && !spec.landlock.read[0].optional);
    EXPECT_EQ(spec.landlock.bind_ports, std::vector<uint16_t>{80});
    EXPECT_EQ(spec.landlock.abi, 6);
}

TEST_F(SpecOfUnit, KeepsItsOwnLimitOfDescriptors) {
    unit_.service.limits[RLIMIT_NOFILE] = {10, 20};
    unit_.service.limits[RLIMIT_CORE] = {0, 0};
    const auto limits = Build().resource_limits;
    ASSERT_EQ(limits.size(), 2u);
    for (const auto& limit : limits)
        if (limit.resource == RLIMIT_NOFILE) {
            EXPECT_EQ(limit.soft, 10u);
        }
}

}  // namespace
}  // namespace husk::supervisor
