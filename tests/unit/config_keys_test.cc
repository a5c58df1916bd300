// Every key of the table: a value that must arrive in the typed unit, and one that must be refused.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "base/text.h"
#include "config/keys.h"
#include "config/limits.h"
#include "config/load.h"
#include "config/network_values.h"
#include "config/rules.h"

namespace husk::config {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct KeyLine {
    const char* section;
    const char* key;
    const char* good;
    std::function<bool(const Unit&)> arrived;
    const char* bad;  // nullptr: there is no bad text
};

using Commands = std::vector<ServiceCommand>;
// One command of so many words.
bool HasOne(const Commands& commands, size_t words) {
    return commands.size() == 1 && commands[0].words.size() == words;
}

MemoryLimit Bytes(uint64_t bytes) { return {MemoryLimit::Kind::kBytes, bytes}; }
bool Is(const std::vector<std::string>& list, std::vector<std::string> wanted) {
    return list == wanted;
}
bool Limit(const Unit& u, int resource, uint64_t soft, uint64_t hard) {
    auto found = u.service.limits.find(resource);
    return found != u.service.limits.end() && found->second.soft == soft &&
           found->second.hard == hard;
}

const std::vector<KeyLine>& Lines() {
    static const std::vector<KeyLine> kLines = {
        {"Unit", "Description", "of %N",
         [](const Unit& u) { return u.unit.description == "of web"; }, "%Z"},
        {"Unit", "Documentation", "man:x(1) https://y",
         [](const Unit& u) {
             return Is(u.unit.documentation, {"man:x(1)", "https://y"});
         },
         "x.html"},
        {"Unit", "After", "a b.container c.service",
         [](const Unit& u) {
             return Is(u.unit.after, {"a", "b", "c"});
         },
         "a.target"},
        {"Unit", "After", "network-online.target network.target a",
         [](const Unit& u) { return Is(u.unit.after, {"a"}) && u.unit.after_online; },
         "systemd-networkd-wait-online.service"},
        {"Unit", "Wants", "a network-online.target",
         [](const Unit& u) { return Is(u.unit.wants, {"a"}) && u.unit.wants_online; }, "network.target"},
        {"Unit", "Requires", "network-online.target",
         [](const Unit& u) { return u.unit.requires_.empty() && u.unit.requires_online; }, "nss-lookup.target"},
        {"Unit", "Before", "a", [](const Unit& u) { return Is(u.unit.before, {"a"}); }, "a/b"},
        {"Unit", "Wants", "a", [](const Unit& u) { return Is(u.unit.wants, {"a"}); }, "a.mount"},
        {"Unit", "Requires", "a", [](const Unit& u) { return Is(u.unit.requires_, {"a"}); }, "-a"},
        {"Unit", "BindsTo", "db cache.service", [](const Unit& u) { return Is(u.unit.binds_to, {"db", "cache"}); }, "a/b"},
        {"Unit", "PartOf", "db", [](const Unit& u) { return Is(u.unit.part_of, {"db"}); }, "x.target"},
        {"Unit", "Conflicts", "db", [](const Unit& u) { return Is(u.unit.conflicts, {"db"}); }, "x.slice"},
        {"Unit", "OnFailure", "alarm@%n", [](const Unit& u) { return Is(u.unit.on_failure, {"alarm@web"}); }, "-x"},
        {"Unit", "OnSuccess", "next", [](const Unit& u) { return Is(u.unit.on_success, {"next"}); }, ".."},
        {"Unit", "ConditionPathExists", "|!/etc/%N.conf", [](const Unit& u) { if (u.unit.conditions.empty()) return false;
 const auto& c = u.unit.conditions[0]; return c.triggering && c.negated && !c.assertion && c.value == "/etc/web.conf" && c.at.line == 4; }, "!etc"},
        {"Unit", "ConditionKernelCommandLine", "!quiet", [](const Unit& u) { if (u.unit.conditions.empty()) return false;
 const auto& c = u.unit.conditions[0]; return c.negated && c.value == "quiet"; }, "two words"},
        {"Unit", "ConditionArchitecture", "!x86-64", [](const Unit& u) { if (u.unit.conditions.empty()) return false;
 const auto& c = u.unit.conditions[0]; return c.negated && c.value == "x86-64"; }, "pentium"},
        {"Unit", "ConditionFirstBoot", "yes", [](const Unit& u) { if (u.unit.conditions.empty()) return false;
 const auto& c = u.unit.conditions[0]; return c.kind == Condition::Kind::kFirstBoot && c.value == "yes"; }, "first"},
        {"Unit", "AssertPathExists", "/etc/x", [](const Unit& u) { if (u.unit.conditions.empty()) return false;
 const auto& c = u.unit.conditions[0]; return c.assertion && c.value == "/etc/x"; }, "x"},
        {"Unit", "StartLimitAction", "reboot", [](const Unit& u) { return u.unit.start_limit_action == UnitAction::kReboot; }, "reboot-force"},
        {"Unit", "FailureAction", "poweroff", [](const Unit& u) { return u.unit.failure_action == UnitAction::kPoweroff; }, "exit"},
        {"Unit", "SuccessAction", "halt", [](const Unit& u) { return u.unit.success_action == UnitAction::kHalt; }, "sleep"},
        {"Unit", "Critical", "yes", [](const Unit& u) { return u.unit.critical; }, "very"},
        {"Unit", "CriticalSec", "3s", [](const Unit& u) { return u.unit.critical_allowance == std::chrono::seconds(3); }, "infinity"},
        {"Container", "Image", "web.erofs",
         [](const Unit& u) { return u.container.image == "web.erofs"; }, "nginx@sha256:0"},
        {"Container", "Rootfs", "/srv/root:O",
         [](const Unit& u) {
             return u.container.rootfs == "/srv/root" && u.container.rootfs_overlay;
         },
         "/srv/root:U"},
        {"Container", "Entrypoint", "/bin/sh -c",
         [](const Unit& u) {
             return Is(u.container.entrypoint, {"/bin/sh", "-c"});
         },
         "[\"/bin/sh\"]"},
        {"Container", "Exec", "/bin/x 'a b' %N",
         [](const Unit& u) {
             return Is(u.container.exec, {"/bin/x", "a b", "web"});
         },
         "/bin/x 'a"},
        {"Container", "WorkingDir", "/srv//%N/",
         [](const Unit& u) { return u.container.working_dir == "/srv/web"; }, "srv"},
        {"Container", "EnvironmentFile", "-/etc/%N.env",
         [](const Unit& u) {
             return Is(u.container.environment_files, {"-/etc/web.env"});
         },
         "/etc/*.env"},
        {"Container", "EnvironmentHost", "no", [](const Unit& u) { return !u.container.environment_host; }, "yes"},
        {"Container", "RunInit", "yes", [](const Unit& u) { return u.container.run_init; }, "tini"},
        {"Container", "Timezone", "Europe/Berlin",
         [](const Unit& u) { return u.container.timezone == "Europe/Berlin"; }, "/Berlin"},
        {"Container", "Secret", "db-key,type=env,target=KEY",
         [](const Unit& u) {
             return !u.container.secrets.empty() && u.container.secrets[0].name == "db-key" &&
                    u.container.secrets[0].environment && u.container.secrets[0].target == "KEY";
         },
         "db-key,type=env"},
        {"Container", "Secret", "key,target=/etc//key,uid=70,gid=www,mode=0440",
         [](const Unit& u) {
             if (u.container.secrets.empty()) return false;
             const SecretSpec& s = u.container.secrets[0];
             return s.target == "/etc/key" && s.user == "70" && s.group == "www" && s.mode == 0440;
         },
         "key,target=../key"},
        {"Container", "Secret", "key", [](const Unit& u) { return !u.container.secrets.empty() && u.container.secrets[0].mode == 0400; },
         "key,type=env,mode=0400"},
        {"Container", "ContainerName", "web-%N",
         [](const Unit& u) { return u.container.container_name == "web-web"; }, "a b"},
        {"Container", "Label", "org.x.y=1 \"a=b c\"",
         [](const Unit& u) {
             return Is(u.container.labels, {"org.x.y=1", "a=b c"});
         },
         "=1"},
        {"Container", "Annotation", "run.x=1",
         [](const Unit& u) {
             return Is(u.container.annotations, {"run.x=1"});
         },
         "x"},
        {"Service", "StateDirectory", "web web/cache",
         [](const Unit& u) {
             return Is(u.service.state_directory.paths, {"web", "web/cache"});
         },
         "/web"},
        {"Service", "StateDirectoryMode", "0700",
         [](const Unit& u) { return u.service.state_directory.mode == 0700; }, "rwx"},
        {"Service", "CacheDirectory", "web",
         [](const Unit& u) {
             return Is(u.service.cache_directory.paths, {"web"});
         },
         "../web"},
        {"Service", "CacheDirectoryMode", "0700",
         [](const Unit& u) { return u.service.cache_directory.mode == 0700; }, "8"},
        {"Service", "LogsDirectory", "web",
         [](const Unit& u) {
             return Is(u.service.logs_directory.paths, {"web"});
         },
         "."},
        {"Service", "LogsDirectoryMode", "0750",
         [](const Unit& u) { return u.service.logs_directory.mode == 0750; }, "8"},
        {"Service", "RuntimeDirectory", "web",
         [](const Unit& u) {
             return Is(u.service.runtime_directory.paths, {"web"});
         },
         "a:b"},
        {"Service", "RuntimeDirectoryMode", "0700",
         [](const Unit& u) { return u.service.runtime_directory.mode == 0700; }, "8"},
        {"Service", "LoadCredential", "key:/etc/key",
         [](const Unit& u) {
             const auto& all = u.service.credentials;
             return !all.empty() && all[0].id == "key" && all[0].source == "/etc/key";
         },
         "a/b:/etc/key"},
        {"Service", "SetCredential", "%N:50%\\n\\x41",
         [](const Unit& u) {
             const auto& all = u.service.credentials;
             return !all.empty() && all[0].id == "web" && all[0].value == "50%\nA" && all[0].source.empty();
         },
         "key"},
        {"Container", "Environment", "A=1 \"B=x y\" A=2",
         [](const Unit& u) {
             return Is(u.container.environment, {"B=x y", "A=2"});
         },
         "1A=2"},
        {"Container", "User", "www-data",
         [](const Unit& u) { return u.container.user == "www-data"; }, "4294967295"},
        {"Container", "Group", "33", [](const Unit& u) { return u.container.group == "33"; },
         "a b"},
        {"Container", "GroupAdd", "dialout 7",
         [](const Unit& u) {
             return Is(u.container.group_add, {"dialout", "7"});
         },
         "keep-groups"},
        {"Container", "HostName", "web-1.local",
         [](const Unit& u) { return u.container.host_name == "web-1.local"; }, "-web"},
        {"Container", "Volume", "/data:/srv:ro,noexec,noidmap,rbind,dev",
         [](const Unit& u) {
             const Volume& v = u.container.volumes[0];
             return v.source == "/data" && !v.named && v.destination == "/srv" && v.read_only &&
                    v.no_exec && !v.idmap && v.recursive && v.no_suid && !v.no_dev && v.at.line > 0;
         },
         "/data:/srv:Z"},
        {"Container", "Tmpfs", "/cache:size=1M,mode=700,noexec,ro",
         [](const Unit& u) {
             const TmpfsMount& t = u.container.tmpfs[0];
             return t.destination == "/cache" && t.size == 1 << 20 && t.mode == 0700 && t.no_exec &&
                    t.read_only;
         },
         "/cache:size=50%"},
        {"Container", "ShmSize", "1m",
         [](const Unit& u) { return u.container.shm_size == 1 << 20; }, "0"},
        {"Container", "ReadOnly", "yes", [](const Unit& u) { return u.container.read_only; },
         "maybe"},
        {"Container", "ReadOnlyTmpfs", "no",
         [](const Unit& u) { return !u.container.read_only_tmpfs; }, "2"},
        {"Container", "Overlay", "volatile",
         [](const Unit& u) {
             return u.container.overlay == OverlayMode::kVolatile &&
                    u.container.overlay_size == kDefaultOverlaySize;
         },
         "tmpfs"},
        {"Container", "Overlay", "volatile:8M",
         [](const Unit& u) {
             return u.container.overlay == OverlayMode::kVolatile &&
                    u.container.overlay_size == 8 << 20;
         },
         "volatile:0"},
        {"Container", "Overlay", "root-%N.volume",
         [](const Unit& u) {
             return u.container.overlay == OverlayMode::kVolume &&
                    u.container.overlay_volume == "root-web";
         },
         "../x.volume"},
        {"Container", "Mount", "type=volume,source=data.volume,destination=/d,subpath=/a/b,ro",
         [](const Unit& u) {
             if (u.container.volumes.empty()) return false;
             const Volume& v = u.container.volumes[0];
             return v.named && v.source == "data" && v.destination == "/d" && v.read_only &&
                    v.subpath == "a/b" && v.at.line > 0 && u.container.mounts.empty();
         },
         "type=bind,source=/a"},
        {"Container", "ImageVerity",
         "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\nImage=web",
         [](const Unit& u) { return std::string(u.container.image_verity).size() == 64; }, "abc"},
        {"Container", "Mask", "/a:/b/",
         [](const Unit& u) {
             return Is(u.container.mask, {"/a", "/b"});
         },
         "/a:b"},
        {"Container", "Unmask", "all:/proc/kcore",
         [](const Unit& u) {
             return Is(u.container.unmask, {"ALL", "/proc/kcore"});
         },
         "/proc/*"},
        {"Container", "AddCapability", "net_raw CAP_KILL",
         [](const Unit& u) {
             return Is(u.container.add_capability, {"CAP_KILL", "CAP_NET_RAW"});
         },
         "NET_ROW"},
        {"Container", "SeccompProfile", "/etc/%N.json",
         [](const Unit& u) { return u.container.seccomp_profile == "/etc/web.json"; },
         "unconfined"},
        {"Container", "SystemCallFilter", "~@mount ptrace:EPERM",
         [](const Unit& u) {
             if (u.container.system_calls.size() != 1) return false;
             const SystemCallList& list = u.container.system_calls[0];
             return list.deny && list.entries.size() == 2 && list.entries[0].name == "@mount" &&
                    list.entries[1].error == 1 && list.at.line > 0;
         },
         "@moun"},
        {"Container", "SystemCallErrorNumber", "EACCES",
         [](const Unit& u) { return u.container.system_call_error == 13; }, "EACESS"},
        {"Container", "SystemCallArchitectures", "native", [](const Unit&) { return true; },
         "native x86"},
        {"Container", "DropCapability", "ALL",
         [](const Unit& u) { return Is(u.container.drop_capability, {"all"}); }, "CAP_"},
        {"Container", "NoNewPrivileges", "off",
         [](const Unit& u) { return !u.container.no_new_privileges; }, "x"},
        {"Container", "UserNS", "host",
         [](const Unit& u) { return u.container.user_ns == UserNamespace::kHost; }, "keep-id"},
        {"Container", "UIDMap", "0:100000:65536",
         [](const Unit& u) {
             const auto& map = u.container.uid_map;
             return map.size() == 1 && map[0].inside == 0 && map[0].outside == 100000 &&
                    map[0].count == 65536 && u.container.gid_map == map;
         },
         "0"},
        {"Container", "GIDMap", "0:100000",
         [](const Unit& u) {
             return u.container.gid_map.size() == 1 && u.container.gid_map[0].count == 1 &&
                    u.container.uid_map.size() == 1;
         },
         "a:b"},
        {"Container", "PrivateMounts", "no",
         [](const Unit& u) { return !u.container.private_mounts; }, "x"},
        {"Container", "ProtectHostname", "no",
         [](const Unit& u) { return !u.container.protect_hostname; }, "x"},
        {"Container", "TimeOffset", "-1h",
         [](const Unit& u) { return u.container.time_offset == -std::chrono::hours(1); },
         "infinity"},
        {"Container", "LandlockReadPaths", "/usr:-/opt/%p/",
         [](const Unit& u) {
             return Is(u.container.landlock_read_paths, {"/usr", "-/opt/web"});
         },
         "/usr:etc"},
        {"Container", "LandlockWritePaths", "/data",
         [](const Unit& u) { return Is(u.container.landlock_write_paths, {"/data"}); }, "/data/.."},
        {"Container", "LandlockBindPorts", "80 443",
         [](const Unit& u) {
             return u.container.landlock_bind_ports == std::vector<uint16_t>{80, 443};
         },
         "http"},
        {"Container", "Sysctl", "net/core/somaxconn=10 \"net.ipv4.ping_group_range=0 1\"",
         [](const Unit& u) {
             return Is(u.container.sysctl,
                       {"net.core.somaxconn=10", "net.ipv4.ping_group_range=0 1"});
         },
         "vm.swappiness=1"},
        {"Container", "PrivatePIDs", "no", [](const Unit& u) { return !u.container.private_pids; },
         "x"},
        {"Container", "PrivateIPC", "no", [](const Unit& u) { return !u.container.private_ipc; },
         "x"},
        {"Container", "Network", "host",
         [](const Unit& u) { return u.container.network.kind == NetworkMode::Kind::kHost; },
         "lan"},
        {"Container", "IP", "10.89.0.2\nNetwork=lan.network",
         [](const Unit& u) { return u.container.ip4 == ParseIpAddress("10.89.0.2").value(); },
         "fd00::2"},
        {"Container", "IP6", "fd00::2\nNetwork=lan.network",
         [](const Unit& u) { return u.container.ip6 == ParseIpAddress("fd00::2").value(); },
         "10.89.0.2"},
        {"Container", "PublishPort", "127.0.0.1:8080:80/tcp\nNetwork=lan.network",
         [](const Unit& u) {
             return u.container.publish_ports.size() == 1 &&
                    u.container.publish_ports[0].host == 8080 &&
                    u.container.publish_ports[0].at.line == 4;
         },
         "8080:80/http"},
        {"Container", "DNS", "10.0.0.1\nDNS=fd00::1",
         [](const Unit& u) { return u.container.dns.size() == 2 && !u.container.no_dns; },
         "dns.example"},
        {"Container", "DNSSearch", "example.org",
         [](const Unit& u) {
             return Is(u.container.dns_search, {"example.org"});
         },
         "-"},
        {"Container", "DNSOption", "ndots:1",
         [](const Unit& u) {
             return Is(u.container.dns_options, {"ndots:1"});
         },
         "ndots:1 rotate"},
        {"Container", "AddHost", "db;db.local:10.0.0.2",
         [](const Unit& u) {
             return u.container.hosts.size() == 1 && Is(u.container.hosts[0].names, {"db", "db.local"});
         },
         "db"},
        {"Container", "NetworkAlias", "db\nNetwork=lan.network",
         [](const Unit& u) {
             return Is(u.container.network_aliases, {"db"});
         },
         "a b"},
        {"Container", "AddDevice", "-/dev/ttyUSB0:/dev/modem:rw\nAddDevice=/dev/snd",
         [](const Unit& u) {
             const auto& list = u.container.devices;
             return list.size() == 2 && list[0].source == "/dev/ttyUSB0" && list[0].optional &&
                    list[0].destination == "/dev/modem" &&
                    list[0].access == DeviceAccess{true, true, false} &&
                    list[1].destination == "/dev/snd" && list[1].access.make;
         },
         "/etc/passwd"},
        {"Container", "PidsLimit", "-1",
         [](const Unit& u) { return u.service.tasks_max == kUnlimited; }, "0"},
        {"Container", "Memory", "512m",
         [](const Unit& u) { return u.service.memory_max == Bytes(512 << 20); }, "0"},
        {"Container", "Ulimit", "nofile=10:20",
         [](const Unit& u) { return Limit(u, RLIMIT_NOFILE, 10, 20); }, "nofiles=10"},
        {"Container", "StopSignal", "QUIT",
         [](const Unit& u) { return u.service.kill_signal == 3; }, "SIGFOO"},
        {"Container", "StopTimeout", "7",
         [](const Unit& u) { return u.service.timeout_stop == seconds(7); }, "7s"},
        {"Service", "Type", "oneshot",
         [](const Unit& u) { return u.service.type == ServiceType::kOneshot; }, "forking"},
        {"Service", "RestartMode", "direct", [](const Unit& u) { return u.service.restart_mode == RestartMode::kDirect; }, "fast"},
        {"Service", "Restart", "on-abnormal",
         [](const Unit& u) { return u.service.restart == RestartPolicy::kOnAbnormal; }, "yes"},
        {"Service", "RestartSec", "1.5",
         [](const Unit& u) { return u.service.restart_sec == milliseconds(1500); }, "infinity"},
        {"Service", "RestartSteps", "0", [](const Unit& u) { return u.service.restart_steps == 0; },
         "-1"},
        {"Service", "RestartMaxDelaySec", "1min\nRestartSteps=3",
         [](const Unit& u) { return u.service.restart_max_delay == seconds(60); }, "1 fortnight"},
        {"Service", "RestartPreventExitStatus", "3 SIGTERM TEMPFAIL",
         [](const Unit& u) {
             return u.service.restart_prevent.codes == std::vector{3, 75} &&
                    u.service.restart_prevent.signals == std::vector{15};
         },
         "256"},
        {"Service", "RestartForceExitStatus", "9",
         [](const Unit& u) { return u.service.restart_force.codes == std::vector{9}; }, "NINE"},
        {"Service", "SuccessExitStatus", "KILL",
         [](const Unit& u) { return u.service.success.signals == std::vector{9}; }, "-1"},
        {"Service", "RemainAfterExit", "yes",
         [](const Unit& u) { return u.service.remain_after_exit; }, "x"},
        {"Service", "TimeoutStartSec", "0",
         [](const Unit& u) { return u.service.timeout_start == kInfinite; }, "-1"},
        {"Service", "TimeoutStopSec", "1min 30s",
         [](const Unit& u) { return u.service.timeout_stop == seconds(90); }, "1mi"},
        {"Service", "TimeoutAbortSec", "3",
         [](const Unit& u) { return u.service.timeout_abort == seconds(3); }, "x"},
        {"Service", "RuntimeMaxSec", "1h",
         [](const Unit& u) { return u.service.runtime_max == seconds(3600); }, "1 fortnight"},
        {"Container", "ReloadCmd", "/bin/kill -HUP 1",
         [](const Unit& u) { return HasOne(u.service.exec_reload, 3); },
         "/bin/kill 'a"},
        {"Service", "ExecCondition", "/bin/test -e /x",
         [](const Unit& u) { return HasOne(u.service.exec_condition, 3); },
         "+/bin/test"},
        {"Service", "ExecStartPre", "-:/bin/mkdir -p /x",
         [](const Unit& u) {
             const Commands& commands = u.service.exec_start_pre;
             return HasOne(commands, 3) && commands[0].may_fail && commands[0].plain;
         },
         ""},
        {"Service", "ExecStartPost", "@/bin/sh mysh -c x",
         [](const Unit& u) { return HasOne(u.service.exec_start_post, 4) && u.service.exec_start_post[0].own_name; }, "@/bin/sh"},
        {"Service", "ExecReload", "/bin/kill -HUP 1",
         [](const Unit& u) { return HasOne(u.service.exec_reload, 3); },
         "/bin/a ; /bin/b"},
        {"Service", "ExecStop", "/bin/x",
         [](const Unit& u) { return HasOne(u.service.exec_stop, 1); }, "!!/bin/x"},
        {"Service", "ExecStopPost", "/bin/x",
         [](const Unit& u) { return HasOne(u.service.exec_stop_post, 1); }, "-"},
        {"Service", "RestartKillSignal", "INT",
         [](const Unit& u) { return u.service.restart_kill_signal == 2; }, "SIGFOO"},
        {"Service", "FinalKillSignal", "SIGQUIT",
         [](const Unit& u) { return u.service.final_kill_signal == 3; }, "65"},
        {"Service", "SendSIGHUP", "yes", [](const Unit& u) { return u.service.send_sighup; }, "x"},
        {"Unit", "StartLimitIntervalSec", "1min",
         [](const Unit& u) { return u.unit.start_limit_interval == seconds(60); }, "x"},
        {"Unit", "StartLimitBurst", "5",
         [](const Unit& u) { return u.unit.start_limit_burst == 5; }, "-1"},
        {"Unit", "JobTimeoutSec", "90",
         [](const Unit& u) { return u.unit.job_timeout == seconds(90); }, "x"},
        {"Container", "ReloadSignal", "USR1",
         [](const Unit& u) { return u.service.reload_signal == 10; }, "x"},
        {"Service", "KillMode", "mixed",
         [](const Unit& u) { return u.service.kill_mode == KillMode::kMixed; }, "none"},
        {"Service", "KillSignal", "SIGINT",
         [](const Unit& u) { return u.service.kill_signal == 2; }, "65"},
        {"Service", "SendSIGKILL", "no", [](const Unit& u) { return !u.service.send_sigkill; },
         "x"},
        {"Service", "MemoryMin", "1K",
         [](const Unit& u) { return u.service.memory_min == Bytes(1024); }, "1KB"},
        {"Service", "MemoryLow", "0",
         [](const Unit& u) { return u.service.memory_low == Bytes(0); }, "-1"},
        {"Service", "MemoryHigh", "12.5%",
         [](const Unit& u) {
             return u.service.memory_high == MemoryLimit{MemoryLimit::Kind::kPercent, 1250};
         },
         "101%"},
        {"Service", "MemoryMax", "infinity",
         [](const Unit& u) { return u.service.memory_max.kind == MemoryLimit::Kind::kInfinity; },
         "0%"},
        {"Service", "MemorySwapMax", "0",
         [](const Unit& u) { return u.service.memory_swap_max == Bytes(0); }, "x"},
        {"Service", "OOMPolicy", "continue",
         [](const Unit& u) { return u.service.oom_policy == OomPolicy::kContinue; }, "end"},
        {"Service", "CPUQuota", "150%", [](const Unit& u) { return u.service.cpu_quota == 15000u; },
         "50"},
        {"Service", "CPUQuotaPeriodSec", "10ms",
         [](const Unit& u) { return u.service.cpu_quota_period == milliseconds(10); }, "2"},
        {"Service", "CPUWeight", "idle", [](const Unit& u) { return u.service.cpu_weight == 0u; },
         "0"},
        {"Service", "AllowedCPUs", "0-3 5,7",
         [](const Unit& u) { return u.service.allowed_cpus == std::string("0-3,5,7"); }, "3-1"},
        {"Service", "TasksMax", "9", [](const Unit& u) { return u.service.tasks_max == 9u; }, "0%"},
        {"Service", "AllowedMemoryNodes", "0\nAllowedMemoryNodes=2-3",
         [](const Unit& u) { return u.service.allowed_memory_nodes == std::string("0,2-3"); }, "x"},
        {"Service", "MemoryZSwapMax", "64M",
         [](const Unit& u) { return u.service.memory_zswap_max == Bytes(64 << 20); }, "64MB"},
        {"Service", "IOWeight", "10000",
         [](const Unit& u) { return u.service.io_weight == 10000u; }, "0"},
        {"Service", "IOReadBandwidthMax", "/dev/sda 10M\nIOReadBandwidthMax=/srv infinity",
         [](const Unit& u) {
             return u.service.io_read_bandwidth ==
                    std::vector<IoLimit>{{"/dev/sda", 10'000'000}, {"/srv", kUnlimited}};
         },
         "/dev/sda"},
        {"Service", "IOWriteBandwidthMax", "/dev/sda 1K",
         [](const Unit& u) {
             return u.service.io_write_bandwidth == std::vector<IoLimit>{{"/dev/sda", 1000}};
         },
         "/dev/sda 0"},
        {"Service", "IOReadIOPSMax", "/var 7",
         [](const Unit& u) {
             return u.service.io_read_iops == std::vector<IoLimit>{{"/var", 7}};
         },
         "/var many"},
        {"Service", "IOWriteIOPSMax", "/var 8",
         [](const Unit& u) {
             return u.service.io_write_iops == std::vector<IoLimit>{{"/var", 8}};
         },
         "var 8"},
        {"Service", "DevicePolicy", "strict",
         [](const Unit& u) { return u.service.device_policy == DevicePolicy::kStrict; }, "auto"},
        {"Service", "DeviceAllow", "char-pts rw\nDeviceAllow=/dev/sda r",
         [](const Unit& u) {
             const auto& list = u.service.device_allow;
             return list.size() == 2 && list[0].kind == DeviceRule::Kind::kCharacterClass &&
                    list[1].name == "/dev/sda" &&
                    list[1].access == DeviceAccess{true, false, false};
         },
         "/etc/passwd"},
        {"Service", "Delegate", "yes", [](const Unit& u) { return u.service.delegate; },
         "cpu memory"},
        {"Service", "CPUSchedulingPolicy", "fifo",
         [](const Unit& u) {
             return u.service.scheduling_policy == SchedulingPolicy::kFifo &&
                    u.service.scheduling_priority == 1;
         },
         "deadline"},
        {"Service", "CPUSchedulingPriority", "7\nCPUSchedulingPolicy=rr",
         [](const Unit& u) { return u.service.scheduling_priority == 7; }, "100"},
        {"Service", "IOSchedulingClass", "best-effort",
         [](const Unit& u) { return u.service.io_class == 2; }, "4"},
        {"Service", "LimitAS", "1G",
         [](const Unit& u) { return Limit(u, RLIMIT_AS, 1 << 30, 1 << 30); }, "x"},
        {"Service", "LimitCORE", "0:infinity",
         [](const Unit& u) { return Limit(u, RLIMIT_CORE, 0, kUnlimited); }, "2:1"},
        {"Service", "LimitCPU", "1.5s", [](const Unit& u) { return Limit(u, RLIMIT_CPU, 2, 2); },
         "1K"},
        {"Service", "LimitDATA", "1M",
         [](const Unit& u) { return Limit(u, RLIMIT_DATA, 1 << 20, 1 << 20); }, "x"},
        {"Service", "LimitFSIZE", "1M",
         [](const Unit& u) { return Limit(u, RLIMIT_FSIZE, 1 << 20, 1 << 20); }, "x"},
        {"Service", "LimitLOCKS", "5", [](const Unit& u) { return Limit(u, RLIMIT_LOCKS, 5, 5); },
         "x"},
        {"Service", "LimitMEMLOCK", "64K",
         [](const Unit& u) { return Limit(u, RLIMIT_MEMLOCK, 65536, 65536); }, "x"},
        {"Service", "LimitMSGQUEUE", "1K",
         [](const Unit& u) { return Limit(u, RLIMIT_MSGQUEUE, 1024, 1024); }, "x"},
        {"Service", "LimitNICE", "-1", [](const Unit& u) { return Limit(u, RLIMIT_NICE, 21, 21); },
         "+20"},
        {"Service", "LimitNOFILE", "1024:4096",
         [](const Unit& u) { return Limit(u, RLIMIT_NOFILE, 1024, 4096); }, "1K"},
        {"Service", "LimitNPROC", "infinity",
         [](const Unit& u) { return Limit(u, RLIMIT_NPROC, kUnlimited, kUnlimited); }, ""},
        {"Service", "LimitRSS", "1M",
         [](const Unit& u) { return Limit(u, RLIMIT_RSS, 1 << 20, 1 << 20); }, "x"},
        {"Service", "LimitRTPRIO", "10",
         [](const Unit& u) { return Limit(u, RLIMIT_RTPRIO, 10, 10); }, "x"},
        {"Service", "LimitRTTIME", "500",
         [](const Unit& u) { return Limit(u, RLIMIT_RTTIME, 500, 500); }, "x"},
        {"Service", "LimitSIGPENDING", "10",
         [](const Unit& u) { return Limit(u, RLIMIT_SIGPENDING, 10, 10); }, "x"},
        {"Service", "LimitSTACK", "8M",
         [](const Unit& u) { return Limit(u, RLIMIT_STACK, 8 << 20, 8 << 20); }, "x"},
        {"Service", "Nice", "-5", [](const Unit& u) { return u.service.nice == -5; }, "20"},
        {"Service", "OOMScoreAdjust", "+500",
         [](const Unit& u) { return u.service.oom_score_adjust == 500; }, "1001"},
        {"Container", "HealthCmd", "/bin/check || exit 1",
         [](const Unit& u) {
             return u.container.health.command ==
                    std::vector<std::string>{"/bin/sh", "-c", "/bin/check || exit 1"};
         },
         "[\"/bin/check\"]"},
        {"Container", "HealthHttp", "http://localhost:8080/health",
         [](const Unit& u) {
             return u.container.health.http ==
                    HealthTarget{.host = "localhost", .port = 8080, .path = "/health"};
         },
         "http://db/"},
        {"Container", "HealthTcp", "[::1]:5432",
         [](const Unit& u) {
             return u.container.health.tcp == HealthTarget{.host = "::1", .port = 5432};
         },
         "db:5432"},
        {"Container", "HealthInterval", "disable",
         [](const Unit& u) { return u.container.health.interval == kInfinite; }, "never"},
        {"Container", "HealthTimeout", "5s",
         [](const Unit& u) { return u.container.health.timeout == std::chrono::seconds(5); }, "0"},
        {"Container", "HealthRetries", "5",
         [](const Unit& u) { return u.container.health.retries == 5; }, "0"},
        {"Container", "HealthStartPeriod", "1min",
         [](const Unit& u) { return u.container.health.start_period == std::chrono::minutes(1); },
         "x"},
        {"Container", "HealthStartupCmd", "CMD /bin/check --all\nHealthTcp=80",
         [](const Unit& u) {
             return u.container.health.startup_command ==
                    std::vector<std::string>{"/bin/check", "--all"};
         },
         "CMD "},
        {"Container", "HealthStartupInterval", "5s",
         [](const Unit& u) {
             return u.container.health.startup_interval == std::chrono::seconds(5);
         },
         "x"},
        {"Container", "HealthStartupRetries", "2",
         [](const Unit& u) { return u.container.health.startup_retries == 2; }, "-1"},
        {"Container", "HealthStartupSuccess", "2",
         [](const Unit& u) { return u.container.health.startup_success == 2; }, "x"},
        {"Container", "HealthStartupTimeout", "5s",
         [](const Unit& u) {
             return u.container.health.startup_timeout == std::chrono::seconds(5);
         },
         "x"},
        {"Container", "HealthOnFailure", "kill",
         [](const Unit& u) { return u.container.health.on_failure == HealthAction::kKill; },
         "reboot"},
        {"Container", "Notify", "yes",
         [](const Unit& u) { return u.container.notify == NotifyMode::kYes; }, "ready"},
        {"Service", "WatchdogSec", "30s",
         [](const Unit& u) { return u.service.watchdog == std::chrono::seconds(30); }, "x"},
        {"Service", "WatchdogSignal", "TERM",
         [](const Unit& u) { return u.service.watchdog_signal == 15; }, "x"},
        {"Service", "NotifyAccess", "all",
         [](const Unit& u) { return u.service.notify_access == NotifyAccess::kAll; }, "some"},
        {"Service", "NotifyFd", "3", [](const Unit& u) { return u.service.notify_fd == 3; }, "2"},
        {"Service", "UMask", "027", [](const Unit& u) { return u.service.umask == 027; }, "1777"},
        {"Service", "LogRateLimitIntervalSec", "1min",
         [](const Unit& u) { return u.service.log_rate_limit_interval == std::chrono::minutes(1); },
         "infinity"},
        {"Service", "LogRateLimitBurst", "500",
         [](const Unit& u) { return u.service.log_rate_limit_burst == 500; }, "-1"},
        {"Service", "SyslogIdentifier", "%N-log",
         [](const Unit& u) { return u.service.syslog_identifier == "web-log"; }, "a b"},
        {"Container", "LogOpt", "path=/var/log/%N.log",
         [](const Unit& u) { return Is(u.container.log_options, {"path=/var/log/web.log"}); },
         "colour=red"},
        {"Container", "LogDriver", "none",
         [](const Unit& u) { return u.container.log_driver == LogDriver::kNone; }, "journald"},
        {"Service", "StandardOutput", "null",
         [](const Unit& u) { return u.service.standard_output == OutputTarget::kNull; }, "journal"},
        {"Service", "StandardError", "console",
         [](const Unit& u) { return u.service.standard_error == OutputTarget::kConsole; }, "tty"},
        {"Timer", "OnBootSec", "5min",
         [](const Unit& u) { return u.timer.on_boot == std::vector<Duration>{seconds(300)}; }, "x"},
        {"Timer", "OnUnitActiveSec", "1h",
         [](const Unit& u) {
             return u.timer.on_unit_active == std::vector<Duration>{seconds(3600)};
         },
         "infinity"},
        {"Timer", "OnUnitInactiveSec", "1h",
         [](const Unit& u) {
             return u.timer.on_unit_inactive == std::vector<Duration>{seconds(3600)};
         },
         "x"},
        {"Timer", "OnCalendar", "Mon..Fri *-*-* 08:00",
         [](const Unit& u) {
             return u.timer.calendar.size() == 1 && u.timer.calendar[0].weekdays == 0x1f;
         },
         "noon"},
        {"Timer", "Persistent", "yes", [](const Unit& u) { return u.timer.persistent; }, "x"},
        {"Timer", "RandomizedDelaySec", "5min",
         [](const Unit& u) { return u.timer.randomized_delay == seconds(300); }, "x"},
        {"Socket", "ListenStream", "[::1]:8080",
         [](const Unit& u) {
             return u.socket.listeners.size() == 1 && u.socket.listeners[0].address.port == 8080;
         },
         "x"},
        {"Socket", "ListenDatagram", "@web",
         [](const Unit& u) {
             return u.socket.listeners.size() == 1 &&
                    u.socket.listeners[0].kind == Listener::Kind::kDatagram;
         },
         "0"},
        {"Socket", "ListenFIFO", "/run/fifo",
         [](const Unit& u) {
             return u.socket.listeners.size() == 1 &&
                    u.socket.listeners[0].address.path == "/run/fifo";
         },
         "fifo"},
        {"Socket", "SocketMode", "0660", [](const Unit& u) { return u.socket.mode == 0660; },
         "1777"},
        {"Socket", "FileDescriptorName", "web",
         [](const Unit& u) { return u.socket.descriptor_name == "web"; }, "a:b"},
        {"Install", "WantedBy", "default multi-user.target",
         [](const Unit& u) { return u.install.enabled; }, "graphical.target"},
        {"Install", "Enabled", "no", [](const Unit& u) { return !u.install.enabled; }, "x"},
    };
    return kLines;
}

LoadedUnit ParseLine(const KeyLine& line, const char* value) {
    // What a unit cannot do without, unless the line is about just that.
    std::string text;
    if (std::string_view(line.key) != "Exec") text += "[Container]\nExec=/x\n";
    if (std::string_view(line.key) == "Overlay") text += "Image=i\n";
    text += Cat("[", line.section, "]\n", line.key, "=", value, "\n");
    const std::string_view key = line.key;
    if (key == "Persistent" || key == "RandomizedDelaySec") text += "OnCalendar=daily\n";
    if (key == "SocketMode" || key == "FileDescriptorName") text += "ListenStream=1\n";
    return ParseUnit("web", "web.container", text);
}

TEST(ConfigKeys, EverySupportedKeyHasALineHere) {
    std::set<std::string> here;
    for (const KeyLine& line : Lines()) here.insert(Cat(line.section, ".", line.key));
    for (const auto& section : UnitSections())
        for (const auto& row : section.rows)
            EXPECT_EQ(row.code.carried_out(), here.contains(Cat(section.name, ".", row.name)))
                << section.name << "." << row.name;
}

TEST(ConfigKeys, AGoodValueArrivesAndIsNotedAsGiven) {
    for (const KeyLine& line : Lines()) {
        LoadedUnit unit = ParseLine(line, line.good);
        SCOPED_TRACE(Cat(line.section, ".", line.key, "=", line.good));
        for (const Problem& problem : unit.problems)
            EXPECT_NE(problem.severity, Severity::kError) << Describe(problem);
        EXPECT_TRUE(line.arrived(unit.unit));
        EXPECT_TRUE(FindGiven(unit.unit, Cat(line.section, ".", line.key)));
    }
}

TEST(ConfigKeys, ABadValueIsAnErrorOnItsLineThatNamesTheKey) {
    for (const KeyLine& line : Lines()) {
        if (line.bad == nullptr || *line.bad == '\0') continue;
        LoadedUnit unit = ParseLine(line, line.bad);
        SCOPED_TRACE(Cat(line.section, ".", line.key, "=", line.bad));
        EXPECT_TRUE(unit.refused);
        ASSERT_FALSE(unit.problems.empty());
        bool named = false;
        for (const Problem& problem : unit.problems) {
            if (problem.key != line.key) continue;
            named = true;
            EXPECT_GT(problem.at.line, 0);
            EXPECT_TRUE(problem.text.starts_with(Cat("key '", line.key, "': "))) << problem.text;
        }
        EXPECT_TRUE(named);
    }
}

TEST(ConfigKeys, AnEmptyAssignmentBringsTheDefaultBack) {
    const Unit defaults;
    for (const KeyLine& line : Lines()) {
        const std::string twice = Cat(line.good, "\n", line.key, "=");
        LoadedUnit unit = ParseLine(line, twice.c_str());
        SCOPED_TRACE(Cat(line.section, ".", line.key));
        EXPECT_FALSE(FindGiven(unit.unit, Cat(line.section, ".", line.key)));
        // WantedBy=, ReadOnly=yes, EnvironmentHost=no and the native architecture say what holds
        // anyway.
        const std::string_view key = line.key;
        if (key == "WantedBy" || key == "SystemCallArchitectures" || key == "ReadOnly" ||
            key == "EnvironmentHost" || key.starts_with("Volume") || key == "Tmpfs")
            continue;
        EXPECT_FALSE(line.arrived(unit.unit));
    }
}

TEST(ConfigKeys, ARowIsOneKeyInOneSection) {
    std::set<std::string_view> seen;
    for (const auto& section : UnitSections())
        for (const auto& row : section.rows) {
            EXPECT_TRUE(seen.insert(row.name).second) << row.name;
            EXPECT_LE(std::string_view(row.name).size(), kMaxNameBytes);
            EXPECT_NE(*row.help, '\0') << row.name;
            EXPECT_NE(row.code.apply, nullptr) << row.name;
        }
}

Problems ProblemsOf(std::string_view section, std::string_view line) {
    return ParseUnit("web", "web.container",
                     Cat("[Container]\nExec=/x\n[", section, "]\n", line, "\n"))
        .problems;
}

TEST(ConfigKeys, EveryKeyOfAUnitIsCarriedOut) {
    for (const auto& section : UnitSections())
        for (const auto& row : section.rows)
            EXPECT_TRUE(row.code.carried_out()) << section.name << "." << row.name;
}

TEST(ConfigKeys, ARefusedKeyIsOneOnlyAndSaysWhy) {
    for (const auto& section : UnitSections()) {
        std::set<std::string_view> seen;
        for (const Refused& refused : section.refused)
            for (std::string_view name : SplitWords(refused.keys)) {
                const std::string key = Cat(section.name, ".", name);
                EXPECT_TRUE(seen.insert(name).second) << key;
                EXPECT_FALSE(KeyIndex(key)) << key;
                EXPECT_LE(name.size(), kMaxNameBytes) << key;
                Problems problems = ProblemsOf(section.name, Cat(name, "=1"));
                ASSERT_EQ(problems.size(), 1u) << key;
                EXPECT_EQ(problems[0].text, Cat("key '", name, "' is refused"));
                EXPECT_TRUE(problems[0].hint.starts_with(refused.why)) << problems[0].hint;
                EXPECT_EQ(problems[0].fix.has_value(), refused.instead != nullptr) << key;
                if (refused.instead != nullptr && *refused.instead != '\0') {
                    EXPECT_TRUE(KeyIndex(refused.instead)) << refused.instead;
                }
            }
    }
}

TEST(ConfigKeys, AKeyOfAnotherSectionNamesItsHomeAndMovesThere) {
    Problems problems = ProblemsOf("Service", "Image=web");
    EXPECT_EQ(problems[0].hint, "it belongs in [Container]");
    ASSERT_TRUE(problems[0].fix);
    EXPECT_EQ(problems[0].fix->section, "Container");
    // Podman's own process, or the program's? Only a person knows.
    EXPECT_FALSE(ProblemsOf("Service", "User=web")[0].fix);
    EXPECT_EQ(ProblemsOf("Service", "AutoUpdate=registry")[0].text, "key 'AutoUpdate' is refused");
}

// Defaults that stand in the table in words, or are decided after the file is read.
constexpr std::string_view kSpecialDefaults[] = {
    "Container.IP",                // given out when all units are known
    "Container.IP6",               //
    "Container.DNS",               // of its network
    "Container.SystemCallFilter",  // a profile, in words
    "Container.Group",             // the user's
    "Container.HostName",          // the unit's name
    "Container.GIDMap",            // the other map
    "Container.User",              // nothing is 0, so that Group= knows
    "Container.WorkingDir",        // nothing is the root
    "Container.PidsLimit",         // twins of keys of [Service]
    "Container.Memory",            //
    "Container.StopSignal",        //
    "Container.StopTimeout",       //
    "Service.RestartSteps",        // RestartMaxDelaySec= belongs to it
    "Service.RestartMaxDelaySec",  //
    "Socket.SocketMode",           // goes with Listen...=
    "Service.TimeoutStartSec",     // of system.conf where the unit has none
    "Service.TimeoutStopSec",      //
    "Service.TimeoutAbortSec",     //
    "Service.RestartKillSignal",   //
    "Service.TasksMax",            //
    "Service.MemoryMax",           //
    "Service.MemoryMin",           // nothing is written to the cgroup
    "Service.MemoryLow",           //
    "Service.MemoryHigh",          //
    "Service.MemorySwapMax",       //
    "Service.MemoryZSwapMax",      //
    "Service.IOWeight",            //
    "Service.CPUWeight",           //
    "Service.OOMScoreAdjust",      //
};

TEST(ConfigKeys, AKeyWithItsDefaultSaysTheSameAsWithoutIt) {
    std::set<std::string> special(std::begin(kSpecialDefaults), std::end(kSpecialDefaults));
    const Unit without = ParseUnit("web", "web.container", "[Container]\nExec=/x\n").unit;
    for (const auto& section : UnitSections())
        for (const auto& row : section.rows) {
            if (!row.code.carried_out() || *row.default_text == '\0') continue;
            if (special.erase(Cat(section.name, ".", row.name)) == 1) continue;
            SCOPED_TRACE(Cat(section.name, ".", row.name, "=", row.default_text));
            LoadedUnit with = ParseUnit("web", "web.container",
                                        Cat("[Container]\nExec=/x\n[", section.name, "]\n",
                                            row.name, "=", row.default_text, "\n"));
            EXPECT_FALSE(with.refused);
            EXPECT_TRUE(with.unit.unit == without.unit);
            EXPECT_TRUE(with.unit.container == without.container);
            EXPECT_TRUE(with.unit.service == without.service);
            EXPECT_TRUE(with.unit.install == without.install);
            EXPECT_TRUE(with.unit.timer == without.timer);
            EXPECT_TRUE(with.unit.socket == without.socket);
        }
    EXPECT_TRUE(special.empty()) << *special.begin() << " is not special";
}

}  // namespace
}  // namespace husk::config
