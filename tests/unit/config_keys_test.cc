// Every key of the table: a value that must arrive in the typed unit, and one that must be refused.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "base/text.h"
#include "config/keys.h"
#include "config/load.h"
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
        {"Unit", "Before", "a", [](const Unit& u) { return Is(u.unit.before, {"a"}); }, "a/b"},
        {"Unit", "Wants", "a", [](const Unit& u) { return Is(u.unit.wants, {"a"}); }, "a.mount"},
        {"Unit", "Requires", "a", [](const Unit& u) { return Is(u.unit.requires_, {"a"}); }, "-a"},
        {"Container", "Image", "web.erofs",
         [](const Unit& u) { return u.container.image == "web.erofs"; },
         "nginx@sha256:0"},
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
             const Volume& v = u.container.volumes.at(0);
             return v.source == "/data" && !v.named && v.destination == "/srv" && v.read_only &&
                    v.no_exec && !v.idmap && v.recursive && v.no_suid && !v.no_dev && v.at.line > 0;
         },
         "/data:/srv:Z"},
        {"Container", "Tmpfs", "/cache:size=1M,mode=700,noexec,ro",
         [](const Unit& u) {
             const TmpfsMount& t = u.container.tmpfs.at(0);
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
         [](const Unit& u) { return u.container.overlay == OverlayMode::kVolatile; },
         "data.volume"},
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
        {"Container", "DropCapability", "ALL",
         [](const Unit& u) { return Is(u.container.drop_capability, {"all"}); }, "CAP_"},
        {"Container", "NoNewPrivileges", "off",
         [](const Unit& u) { return !u.container.no_new_privileges; }, "x"},
        {"Container", "UserNS", "host",
         [](const Unit& u) { return u.container.user_ns == UserNamespace::kHost; }, "keep-id"},
        {"Container", "PrivatePIDs", "no", [](const Unit& u) { return !u.container.private_pids; },
         "x"},
        {"Container", "PrivateIPC", "no", [](const Unit& u) { return !u.container.private_ipc; },
         "x"},
        {"Container", "Network", "host",
         [](const Unit& u) { return u.container.network.kind == NetworkMode::Kind::kHost; },
         "lan.network"},
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
         [](const Unit& u) { return u.service.oom_policy == OomPolicy::kContinue; }, "stop"},
        {"Service", "CPUQuota", "150%",
         [](const Unit& u) { return u.service.cpu_quota_percent == 150u; }, "50"},
        {"Service", "CPUQuotaPeriodSec", "10ms",
         [](const Unit& u) { return u.service.cpu_quota_period == milliseconds(10); }, "2"},
        {"Service", "CPUWeight", "idle", [](const Unit& u) { return u.service.cpu_weight == 0u; },
         "0"},
        {"Service", "AllowedCPUs", "0-3 5,7",
         [](const Unit& u) { return u.service.allowed_cpus == "0-3,5,7"; }, "3-1"},
        {"Service", "TasksMax", "9", [](const Unit& u) { return u.service.tasks_max == 9u; },
         "10%"},
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
        {"Service", "UMask", "027", [](const Unit& u) { return u.service.umask == 027; }, "1777"},
        {"Service", "StandardOutput", "null",
         [](const Unit& u) { return u.service.standard_output == OutputTarget::kNull; }, "journal"},
        {"Service", "StandardError", "console",
         [](const Unit& u) { return u.service.standard_error == OutputTarget::kConsole; }, "tty"},
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
        // WantedBy= and ReadOnly=yes say what holds anyway.
        const std::string_view key = line.key;
        if (key == "WantedBy" || key == "ReadOnly" || key.starts_with("Volume") || key == "Tmpfs")
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
            EXPECT_TRUE(row.code.refusal != nullptr || *row.help != '\0') << row.name;
            EXPECT_FALSE(row.code.parse != nullptr && row.code.refusal != nullptr) << row.name;
        }
}

TEST(ConfigKeys, KeysWithoutAParserSayThatOrWhy) {
    for (const auto& section : UnitSections())
        for (const auto& row : section.rows) {
            if (row.code.carried_out()) continue;
            LoadedUnit unit =
                ParseUnit("web", "web.container",
                          Cat("[Container]\nExec=/x\n[", section.name, "]\n", row.name, "=1\n"));
            // "1" may be a bad value too, and then both are said.
            ASSERT_FALSE(unit.problems.empty()) << row.name;
            const Problem& problem = unit.problems.back();
            EXPECT_EQ(problem.text, row.code.refusal
                                        ? Cat("key '", row.name, "' is refused")
                                        : Cat("key '", row.name, "' is not supported yet"));
            EXPECT_EQ(problem.hint, row.code.refusal ? row.code.refusal : "");
        }
}

}  // namespace
}  // namespace husk::config
