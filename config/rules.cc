#include "config/rules.h"

#include <algorithm>
#include <set>

#include "base/sort.h"
#include "base/text.h"
#include "config/environment_file.h"
#include "config/isolation_rules.h"
#include "config/keys.h"
#include "config/limits.h"
#include "config/log_options.h"
#include "config/network_rules.h"
#include "config/network_values.h"
#include "config/readiness_rules.h"
#include "config/values.h"
#include "config/words.h"

namespace husk::config {
namespace {

// The checks of one unit, each a method that reads like its rule.
class Checks {
  public:
    Checks(Unit& unit, Problems& problems) : unit_(unit), problems_(problems) {}

    void Twins();
    void Root();
    void Command();
    void Mounts();
    void Files();
    void Rights();
    void Restarts();
    void Stops();
    void Resources();
    void Scheduling();
    void References();
    void Logs();
    void Timer();
    void Sockets();

  private:
    bool Given(std::string_view key) const { return FindGiven(unit_, key) != nullptr; }
    // `key` is "Section.Key".
    void Report(Severity severity, std::string_view key, std::string text, std::string hint = {}) {
        AddProblem(problems_, severity, PlaceOf(unit_, key), key.substr(key.find('.') + 1),
                   std::move(text), std::move(hint));
    }
    void Error(std::string_view key, std::string text, std::string hint = {}) {
        Report(Severity::kError, key, std::move(text), std::move(hint));
    }
    void Warning(std::string_view key, std::string text, std::string hint = {}) {
        Report(Severity::kWarning, key, std::move(text), std::move(hint));
    }
    void Ordered(std::string_view smaller_key, const MemoryLimit& smaller,
                 std::string_view larger_key, const MemoryLimit& larger);

    Unit& unit_;
    Problems& problems_;
};

void Checks::Logs() {
    const LogOptions options = LogOptionsOf(unit_.container.log_options);
    if (!options.tag.empty() && !unit_.service.syslog_identifier.empty() &&
        options.tag != unit_.service.syslog_identifier)
        Error("Container.LogOpt", "its tag= is the twin of SyslogIdentifier=, which says another",
              "leave one of them out");
    if (!options.path.empty() && unit_.container.log_driver == LogDriver::kNone)
        Error("Container.LogOpt", "there is nothing for its file with LogDriver=none",
              "leave one of them out");
    if (options.path.empty() &&
        unit_.container.log_options.size() > (options.tag.empty() ? 0u : 1u))
        Error("Container.LogOpt", "max-size= and max-file= are of a file, and there is none",
              "add LogOpt=path=FILE");
    if (unit_.container.log_driver != LogDriver::kNone) return;
    for (auto [key, target] : {std::pair{"Service.StandardOutput", unit_.service.standard_output},
                               {"Service.StandardError", unit_.service.standard_error}})
        if (Given(key) && target != OutputTarget::kNull)
            Error(key, "cannot be kept with LogDriver=none", "leave one of them out");
}

// The same thing under two names must not be said twice: which one should hold?
void Checks::Twins() {
    static constexpr std::pair<std::string_view, std::string_view> kTwins[] = {
        {"Container.Memory", "Service.MemoryMax"},
        {"Container.PidsLimit", "Service.TasksMax"},
        {"Container.StopSignal", "Service.KillSignal"},
        {"Container.StopTimeout", "Service.TimeoutStopSec"},
    };
    auto both = [&](std::string_view one, std::string_view other) {
        // The line only where it is in another file: comments above it would change its number.
        const Location at = PlaceOf(unit_, other);
        const std::string where =
            at.file == PlaceOf(unit_, one).file
                ? " of [Service], which is given too"
                : Cat(" of [Service], given at ", at.file, ":", std::to_string(at.line));
        Error(one,
              Cat("key ", Quote(one.substr(one.find('.') + 1)), " is the same as ",
                  Quote(other.substr(other.find('.') + 1)), where),
              "give one of them");
    };
    for (const auto& [one, other] : kTwins)
        if (Given(one) && Given(other)) both(one, other);
    if (!Given("Container.Ulimit")) return;
    for (const GivenKey& given : unit_.given)
        if (const std::string key = KeyName(given.key); key.starts_with("Service.Limit"))
            return both("Container.Ulimit", key);
}

void Checks::Root() {
    ContainerSection& c = unit_.container;
    if (!c.image.empty() && !c.rootfs.empty())
        Error("Container.Rootfs", "keys 'Image' and 'Rootfs' are both given",
              "a container has one root");
    if (!c.image_verity.empty() && c.image.empty())
        Error("Container.ImageVerity", "key 'ImageVerity' is given without 'Image'",
              "only image files are checked by their hashes; give Image=");
    if (c.rootfs_overlay && Given("Container.Overlay"))
        Error("Container.Overlay", "key 'Overlay' and the :O of 'Rootfs' say the same",
              "give one of them");
    const bool overlay = c.overlay != OverlayMode::kNone || c.rootfs_overlay;
    if (overlay && c.image.empty() && c.rootfs.empty())
        Error("Container.Overlay", "an overlay needs a root below it", "give Image= or Rootfs=");
    if (!c.read_only && !c.image.empty() && !overlay)
        Error("Container.ReadOnly", "an image cannot be written to",
              "add Overlay=volatile for a root whose changes go when it stops, or "
              "Overlay=NAME.volume "
              "or a Volume= for what stays");
    if (overlay && c.read_only && Given("Container.ReadOnly"))
        Error("Container.ReadOnly", "a read-only root needs no overlay",
              "drop Overlay= or ReadOnly=yes");
    // What an overlay is for; the default is not to stand in its way.
    if (overlay) c.read_only = false;
}

void Checks::Command() {
    ContainerSection& c = unit_.container;
    std::vector<std::string> missing;
    // Others are known on the device only: ExpandCommand() of supervisor/unit_files.h.
    if (!HasOutsideVariables(c)) {
        c.entrypoint = ExpandVariables(c.entrypoint, c.environment, missing);
        c.exec = ExpandVariables(c.exec, c.environment, missing);
    }
    Sort(missing);
    missing.erase(std::unique(missing.begin(), missing.end()), missing.end());
    const char* key = Given("Container.Exec") ? "Container.Exec" : "Container.Entrypoint";
    for (const std::string& name : missing)
        Warning(key, Cat("variable ", Quote(name), " is empty: no Environment= sets it"),
                Cat("write $$", name, " to leave it to the program"));
    const auto command = unit_.Command();
    // A command that was given and misspelt has been spoken of, and so have lines that are no keys.
    const bool tried = std::any_of(problems_.begin(), problems_.end(), [](const Problem& problem) {
        return problem.severity == Severity::kError &&
               (problem.key.empty() || EditDistance(problem.key, "Exec") <= 2 ||
                EditDistance(problem.key, "Entrypoint") <= 3);
    });
    if (command.empty() && tried) return;
    if (command.empty() || command[0].empty())
        return Error(
            Given("Container.Exec") ? "Container.Exec" : "Container.Image", "no command",
            "give Exec= with the program and its arguments; images have none of their own");
    size_t bytes = 0;
    for (const std::string& word : command) bytes += word.size() + 1;
    if (bytes > kMaxCommandBytes)
        Error(key, Cat("command of ", std::to_string(bytes), " bytes"),
              Cat("at most ", std::to_string(kMaxCommandBytes)));
    if (command[0].back() == '/')
        Error(key, Cat("command ", Quote(command[0]), " is a directory"), "name a program");
}

// What Mount= says goes to those that say the same in another form.
void Checks::Mounts() {
    ContainerSection& c = unit_.container;
    for (MountSpec& mount : c.mounts) {
        mount.volume.at = mount.tmpfs.at = mount.at;
        switch (mount.kind) {
            case MountSpec::Kind::kTmpfs: c.tmpfs.push_back(std::move(mount.tmpfs)); break;
            case MountSpec::Kind::kImage: c.image_mounts.push_back(std::move(mount.volume)); break;
            case MountSpec::Kind::kBind:
            case MountSpec::Kind::kVolume: c.volumes.push_back(std::move(mount.volume)); break;
        }
    }
    c.mounts.clear();
}

void Checks::Files() {
    std::set<std::string_view> seen;
    for (const Volume& image : unit_.container.image_mounts)
        if (!seen.insert(image.destination).second)
            AddProblem(problems_, Severity::kError, unit_.LocationOf(image.at), "Mount",
                       Cat("destination ", Quote(image.destination), " is mounted twice"),
                       "drop one of them");
    for (const Volume& volume : unit_.container.volumes)
        if (!seen.insert(volume.destination).second)
            AddProblem(problems_, Severity::kError, unit_.LocationOf(volume.at), "Volume",
                       Cat("destination ", Quote(volume.destination), " is mounted twice"),
                       "drop one of them");
    for (const TmpfsMount& tmpfs : unit_.container.tmpfs)
        if (!seen.insert(tmpfs.destination).second)
            AddProblem(problems_, Severity::kError, unit_.LocationOf(tmpfs.at), "Tmpfs",
                       Cat("destination ", Quote(tmpfs.destination), " is mounted twice"),
                       "drop one of them");
    std::set<std::string> folders;
    const ServiceSection& service = unit_.service;
    auto check = [&](const char* key, const char* place, const ServiceDirectories& list) {
        for (const std::string& path : list.paths) {
            std::string destination = Cat(place, path);
            if (seen.contains(destination) || !folders.insert(destination).second)
                Error(key, Cat("destination ", Quote(destination), " is mounted twice"),
                      "drop one of them");
        }
    };
    check("Service.StateDirectory", "/var/lib/", service.state_directory);
    check("Service.CacheDirectory", "/var/cache/", service.cache_directory);
    check("Service.LogsDirectory", "/var/log/", service.logs_directory);
    check("Service.RuntimeDirectory", "/run/", service.runtime_directory);
    for (const DeviceMapping& device : unit_.container.devices) {
        const Location at = unit_.LocationOf(device.at);
        if (!seen.insert(device.destination).second)
            AddProblem(problems_, Severity::kError, at, "AddDevice",
                       Cat(Quote(device.destination), " is given twice"), "drop one of them");
        for (const char* own : {"/dev/pts", "/dev/shm", "/dev/mqueue"})
            if (IsBelow(device.destination, own))
                AddProblem(problems_, Severity::kError, at, "AddDevice",
                           Cat("each container has a ", Quote(own), " of its own"),
                           "give another place in /dev");
    }
}

void Checks::Rights() {
    ContainerSection& c = unit_.container;
    for (const std::string& capability : c.drop_capability)
        if (std::find(c.add_capability.begin(), c.add_capability.end(), capability) !=
            c.add_capability.end())
            Error("Container.DropCapability",
                  Cat("capability ", Quote(capability), " is added and dropped"),
                  "drop one of the two");
    for (const char* key : {"Container.SystemCallFilter", "Container.SystemCallErrorNumber"})
        if (!c.seccomp_profile.empty() && Given(key))
            Error(key,
                  Cat("keys 'SeccompProfile' and ",
                      Quote(std::string_view(key).substr(sizeof "Container")), " are both given"),
                  "the profile says it all: give one of them");
    // Podman adds to what DropCapability=all leaves, in whatever order the two stand.
    auto one_each = [](List<std::string>& list) {
        Sort(list);
        list.erase(std::unique(list.begin(), list.end()), list.end());
    };
    one_each(c.add_capability);
    one_each(c.drop_capability);
}

void Checks::Restarts() {
    ServiceSection& s = unit_.service;
    const bool steps = Given("Service.RestartSteps"), most = Given("Service.RestartMaxDelaySec");
    if (most && !steps)
        Error("Service.RestartMaxDelaySec",
              "key 'RestartMaxDelaySec' is given without 'RestartSteps'",
              "add RestartSteps=, the number of restarts over which the delay grows");
    if (steps && !most && s.restart_steps > 0)
        Error("Service.RestartSteps", "key 'RestartSteps' is given without 'RestartMaxDelaySec'",
              "add RestartMaxDelaySec=, the delay to grow to");
    if (most && s.restart_max_delay < s.restart_sec)
        Error("Service.RestartMaxDelaySec",
              "the longest delay is shorter than the first, RestartSec=",
              Cat("at least ", FormatDuration(s.restart_sec)));
    // A long RestartSec= alone stays what it says: the default cap must not cut it.
    if (!most) s.restart_max_delay = std::max(s.restart_max_delay, s.restart_sec);
    const bool restarts_on_success =
        s.restart == RestartPolicy::kAlways || s.restart == RestartPolicy::kOnSuccess;
    if (s.type == ServiceType::kOneshot && restarts_on_success)
        Error("Service.Restart",
              "a oneshot unit that ends well has done its work and is not restarted",
              "Restart=no or on-failure, or another Type=");
    for (int code : s.restart_prevent.codes)
        if (std::find(s.restart_force.codes.begin(), s.restart_force.codes.end(), code) !=
            s.restart_force.codes.end())
            Error("Service.RestartForceExitStatus",
                  Cat("exit code ", std::to_string(code), " both forces and prevents a restart"),
                  "drop one of the two");
    for (int signal : s.restart_prevent.signals)
        if (std::find(s.restart_force.signals.begin(), s.restart_force.signals.end(), signal) !=
            s.restart_force.signals.end())
            Error("Service.RestartForceExitStatus",
                  Cat("signal ", SignalName(signal), " both forces and prevents a restart"),
                  "drop one of the two");
}

void Checks::Stops() {
    const ServiceSection& s = unit_.service;
    if (s.type == ServiceType::kOneshot && s.runtime_max != kInfinite)
        Error("Service.RuntimeMaxSec", "key 'RuntimeMaxSec' does nothing with Type=oneshot",
              "TimeoutStartSec= limits how long it may take");
    const bool reloads = !s.exec_reload.empty();
    if (s.type == ServiceType::kNotifyReload && reloads)
        Error(Given("Container.ReloadCmd") ? "Container.ReloadCmd" : "Service.ExecReload",
              "Type=notify-reload reloads by a signal, and here is a command, too",
              "drop it, or write Type=notify");
    if (s.reload_signal && reloads)
        Error("Container.ReloadSignal", "a signal and a command to reload are both given",
              "give one of them");
    if (!s.send_sigkill && s.timeout_stop == kInfinite)
        Warning("Service.SendSIGKILL", "a stop may never end: no SIGKILL and no timeout",
                "give TimeoutStopSec= or SendSIGKILL=yes");
}

// Shares of memory and sizes cannot be compared before the device is known.
void Checks::Ordered(std::string_view smaller_key, const MemoryLimit& smaller,
                     std::string_view larger_key, const MemoryLimit& larger) {
    using Kind = MemoryLimit::Kind;
    if (smaller.kind == Kind::kUnset || larger.kind == Kind::kUnset ||
        larger.kind == Kind::kInfinity)
        return;
    if (smaller.kind != larger.kind && smaller.kind != Kind::kInfinity) return;
    if (smaller.kind == Kind::kInfinity || smaller.value > larger.value)
        Error(smaller_key,
              Cat("key ", Quote(smaller_key.substr(smaller_key.find('.') + 1)), " is larger than ",
                  Quote(larger_key.substr(larger_key.find('.') + 1))),
              "MemoryMin <= MemoryLow <= MemoryHigh <= MemoryMax");
}

void Checks::Resources() {
    const ServiceSection& s = unit_.service;
    const char* most = Given("Container.Memory") ? "Container.Memory" : "Service.MemoryMax";
    Ordered("Service.MemoryMin", s.memory_min, most, s.memory_max);
    Ordered("Service.MemoryLow", s.memory_low, most, s.memory_max);
    // High above max is legal in systemd and only never reached; infinity says so openly.
    if (s.memory_high.kind != MemoryLimit::Kind::kInfinity)
        Ordered("Service.MemoryHigh", s.memory_high, most, s.memory_max);
    Ordered("Service.MemoryMin", s.memory_min, "Service.MemoryLow", s.memory_low);
    if (Given("Service.CPUQuotaPeriodSec") && !s.cpu_quota)
        Warning("Service.CPUQuotaPeriodSec",
                "key 'CPUQuotaPeriodSec' does nothing without 'CPUQuota'");
}

void Checks::Scheduling() {
    ServiceSection& s = unit_.service;
    const bool real_time = s.scheduling_policy == SchedulingPolicy::kFifo ||
                           s.scheduling_policy == SchedulingPolicy::kRoundRobin;
    const bool given = Given("Service.CPUSchedulingPriority");
    if (real_time && given && s.scheduling_priority == 0)
        Error("Service.CPUSchedulingPriority", "fifo and rr have no priority 0", "1 to 99");
    if (!real_time && s.scheduling_priority != 0)
        Error("Service.CPUSchedulingPriority",
              "key 'CPUSchedulingPriority' is given without a real-time policy",
              "add CPUSchedulingPolicy=fifo or rr, or write Nice=");
    // As sched_setscheduler(2) wants it, and as systemd has it.
    if (real_time && !given) s.scheduling_priority = 1;
}

void Checks::Timer() {
    const TimerSection& t = unit_.timer;
    if (t.persistent && t.calendar.empty())
        Error("Timer.Persistent", "key 'Persistent' is given without 'OnCalendar'",
              "only times of the calendar can be missed while the device is off");
    else if (t.randomized_delay > Duration(0) && !t.IsGiven())
        Error("Timer.RandomizedDelaySec", "a [Timer] without any time",
              "add OnCalendar=, OnBootSec=, OnUnitActiveSec= or OnUnitInactiveSec=");
    const bool first = !t.on_boot.empty() || !t.calendar.empty() || !unit_.socket.listeners.empty();
    if (!t.on_unit_active.empty() && t.on_unit_inactive.empty() && !first)
        Warning("Timer.OnUnitActiveSec", "nothing starts the unit for the first time",
                "add OnBootSec=");
    if (!t.on_unit_inactive.empty() && !first)
        Warning("Timer.OnUnitInactiveSec", "nothing starts the unit for the first time",
                "add OnBootSec=");
}

void Checks::Sockets() {
    const std::vector<Listener>& all = unit_.socket.listeners;
    for (const char* key : {"Socket.SocketMode", "Socket.FileDescriptorName"})
        if (Given(key) && all.empty())
            Error(key, "a [Socket] without any socket",
                  "add ListenStream=, ListenDatagram= or ListenFIFO=");
    if (all.size() > kMaxListeners)
        return Error("Socket.ListenStream", Cat(std::to_string(all.size()), " sockets and FIFOs"),
                     Cat("at most ", std::to_string(kMaxListeners)));
    for (size_t i = 0; i < all.size(); ++i)
        for (size_t j = 0; j < i; ++j)
            if (Clashes(all[i], all[j])) {
                AddProblem(problems_, Severity::kError, unit_.LocationOf(all[i].at),
                           ListenKey(all[i].kind),
                           Cat("address ", Quote(ListenText(all[i].address)), " is in use by line ",
                               std::to_string(all[j].at.line)),
                           "drop one of them");
                break;
            }
}

void Checks::References() {
    const UnitSection& u = unit_.unit;
    auto own = [&](const std::vector<std::string>& names, std::string_view key) {
        if (std::find(names.begin(), names.end(), unit_.name) != names.end())
            Error(key, Cat("key ", Quote(key.substr(key.find('.') + 1)), ": the unit names itself"),
                  "drop it");
    };
    own(u.after, "Unit.After");
    own(u.before, "Unit.Before");
    own(u.wants, "Unit.Wants");
    own(u.requires_, "Unit.Requires");
    own(u.binds_to, "Unit.BindsTo");
    own(u.part_of, "Unit.PartOf");
    own(u.conflicts, "Unit.Conflicts");
    own(u.on_failure, "Unit.OnFailure");
    own(u.on_success, "Unit.OnSuccess");
    for (const auto* needed : {&u.requires_, &u.binds_to, &u.wants})
        for (const std::string& name : *needed)
            if (std::find(u.conflicts.begin(), u.conflicts.end(), name) != u.conflicts.end())
                Error("Unit.Conflicts",
                      Cat("unit ", Quote(name),
                          " is to be started with this one, and conflicts with it"),
                      "drop it here, or there");
    const NetworkMode& network = unit_.container.network;
    if (network.kind == NetworkMode::Kind::kContainer && network.unit == unit_.name)
        Error("Container.Network", "key 'Network': the unit names itself",
              "name the unit whose network it shares");
}

}  // namespace

const GivenKey* FindGiven(const Unit& unit, std::string_view key) {
    // By the names of the few that were given: to look for the key's number takes longer.
    const size_t dot = key.find('.');
    for (const GivenKey& given : unit.given)
        if (RowOfKey(given.key).name == key.substr(dot + 1) && KeyName(given.key) == key)
            return &given;
    return nullptr;
}

Location PlaceOf(const Unit& unit, std::string_view key) {
    const GivenKey* given = FindGiven(unit, key);
    return given == nullptr ? Location{unit.path, 0} : unit.LocationOf(given->at);
}

void AddProblem(Problems& problems, Severity severity, Location at, std::string_view key,
                std::string text, std::string hint) {
    problems.push_back(
        {severity, std::move(at), std::string(key), std::move(text), std::move(hint)});
}

void InsertProblem(Problems& problems, Problem problem) {
    auto behind = std::ranges::find_if(problems, [&](const Problem& other) {
        return other.at.file == problem.at.file && other.at.line > problem.at.line;
    });
    problems.insert(behind, std::move(problem));
}

void FinishUnit(Unit& unit, Problems& problems) {
    Checks checks(unit, problems);
    checks.Twins();
    checks.Root();
    checks.Command();
    checks.Mounts();
    checks.Files();
    checks.Rights();
    CheckIsolation(unit, problems);
    CheckNetworkKeys(unit, problems);
    checks.Restarts();
    checks.Stops();
    checks.Resources();
    checks.Scheduling();
    CheckReadiness(unit, problems);
    checks.References();
    checks.Logs();
    checks.Timer();
    checks.Sockets();
}

}  // namespace husk::config
