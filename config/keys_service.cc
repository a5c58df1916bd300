// Rows of [Service].
#include <sys/resource.h>

#include "config/device_values.h"
#include "config/key_parsers.h"
#include "config/service_values.h"

namespace husk::config {
namespace {

constexpr char kLater[] = "not supported yet";

constexpr Choice kTypes[] = {
    {"exec", static_cast<int>(ServiceType::kExec)},
    {"simple", static_cast<int>(ServiceType::kSimple)},
    {"oneshot", static_cast<int>(ServiceType::kOneshot)},
    {"notify", static_cast<int>(ServiceType::kNotify)},
    {"notify-reload", static_cast<int>(ServiceType::kNotifyReload)},
    {"forking", 0, "run the program in the foreground and write Type=exec", "exec"},
    {"dbus", 0, "there is no message bus; write Type=exec", "exec"},
    {"idle", 0, "nothing waits for an idle boot here; write Type=exec", "exec"},
};

constexpr Choice kRestarts[] = {
    {"no", static_cast<int>(RestartPolicy::kNo)},
    {"on-success", static_cast<int>(RestartPolicy::kOnSuccess)},
    {"on-failure", static_cast<int>(RestartPolicy::kOnFailure)},
    {"on-abnormal", static_cast<int>(RestartPolicy::kOnAbnormal)},
    {"on-abort", static_cast<int>(RestartPolicy::kOnAbort)},
    {"always", static_cast<int>(RestartPolicy::kAlways)},
    {"on-watchdog", static_cast<int>(RestartPolicy::kOnWatchdog)},
};

constexpr Choice kKillModes[] = {
    {"control-group", static_cast<int>(KillMode::kControlGroup)},
    {"mixed", static_cast<int>(KillMode::kMixed)},
    {"process", static_cast<int>(KillMode::kProcess)},
    {"none", 0, "a stopped unit would leave processes behind; write 'control-group' or 'mixed'"},
};

constexpr Choice kOomPolicies[] = {
    {"continue", static_cast<int>(OomPolicy::kContinue)},
    {"kill", static_cast<int>(OomPolicy::kKill)},
    {"stop", static_cast<int>(OomPolicy::kStop)},
};

Value<int64_t> ParseLogBurst(std::string_view text) { return ParseRange(text, 0, INT32_MAX); }

constexpr char kInLog[] = "output is kept in husk's own log; write 'log'";
constexpr Choice kOutputs[] = {
    {"log", static_cast<int>(OutputTarget::kLog)},
    {"null", static_cast<int>(OutputTarget::kNull)},
    {"console", static_cast<int>(OutputTarget::kConsole)},
    {"journal", 0, kInLog, "log"},
    {"syslog", 0, kInLog, "log"},
    {"kmsg", 0, kInLog, "log"},
    {"inherit", 0, kInLog, "log"},
    {"journal+console", 0, "write 'console'", "console"},
    {"tty", 0, "write 'console'", "console"},
    {"socket", 0, kLater},
};

constexpr Choice kRestartModes[] = {
    {"normal", static_cast<int>(RestartMode::kNormal)},
    {"direct", static_cast<int>(RestartMode::kDirect)},
    {"debug", 0, "there is no debug mode to restart in; write 'normal'", "normal"},
};
constexpr Choice kNotifiers[] = {{"none", static_cast<int>(NotifyAccess::kNone)},
                                 {"main", static_cast<int>(NotifyAccess::kMain)},
                                 {"exec", static_cast<int>(NotifyAccess::kExec)},
                                 {"all", static_cast<int>(NotifyAccess::kAll)}};

Value<NotifyAccess> ParseNotifyAccess(std::string_view text) {
    auto access = ParseChoice(text, kNotifiers);
    if (!access) return std::unexpected(std::move(access).error());
    return static_cast<NotifyAccess>(*access);
}

constexpr Choice kDevicePolicies[] = {
    {"closed", static_cast<int>(DevicePolicy::kClosed)},
    {"strict", static_cast<int>(DevicePolicy::kStrict)},
    {"auto", 0, "every device would be open; write 'closed', and AddDevice= for what it needs"},
};
constexpr Choice kSchedulers[] = {{"other", static_cast<int>(SchedulingPolicy::kOther)},
                                  {"batch", static_cast<int>(SchedulingPolicy::kBatch)},
                                  {"idle", static_cast<int>(SchedulingPolicy::kIdle)},
                                  {"fifo", static_cast<int>(SchedulingPolicy::kFifo)},
                                  {"rr", static_cast<int>(SchedulingPolicy::kRoundRobin)}};
// By name or by the kernel's number.
constexpr Choice kIoClasses[] = {{"none", 0},        {"0", 0}, {"realtime", 1}, {"1", 1},
                                 {"best-effort", 2}, {"2", 2}, {"idle", 3},     {"3", 3}};

Value<int> ParseRestartSteps(std::string_view text) {
    auto steps = ParseRange(text, 0, 100);
    if (!steps) return std::unexpected(std::move(steps).error());
    return static_cast<int>(*steps);
}

// A list of statuses that further assignments add to.
Outcome ApplyStatuses(const void* how, void* target, const KeyInput& input) {
    const auto member = *static_cast<ExitStatusSet ServiceSection::*const*>(how);
    ExitStatusSet& set = static_cast<Unit*>(target)->service.*member;
    if (input.resets) {
        set = {};
        return {};
    }
    auto added = ParseExitStatus(input.text);
    if (!added) return std::unexpected(std::move(added).error());
    set.codes.insert(set.codes.end(), added->codes.begin(), added->codes.end());
    set.signals.insert(set.signals.end(), added->signals.begin(), added->signals.end());
    return {};
}

template <auto Member>
constexpr auto kStatusMember = Member;
template <auto Member>
constexpr KeyCode kAddStatuses = {ApplyStatuses, &kStatusMember<Member>};

Value<Duration> ParseQuotaPeriod(std::string_view text) {
    auto period = ParseSpan(text);
    if (period && (*period < std::chrono::milliseconds(1) || *period > std::chrono::seconds(1)))
        return Bad(Cat(Quote(text), " is out of range"),
                   "1ms to 1s, which is what the kernel takes");
    return period;
}

Outcome ApplyTasks(Unit& unit, const KeyInput& input) {
    auto set = [&](std::optional<uint64_t> most, bool is_share) {
        unit.service.tasks_max = most;
        unit.service.tasks_max_is_share = is_share;
        return Outcome();
    };
    const std::string_view text = input.text;
    if (input.resets) return set(std::nullopt, false);
    if (text == "infinity") return set(kUnlimited, false);
    if (text.ends_with('%')) {
        const auto share = ParseShare(text);
        if (!share || *share == 0 || *share > 10'000)
            return Bad(Cat(Quote(text), " is not a share of the tasks that the device takes"),
                       "over 0% to 100% with at most two decimals");
        return set(share, true);
    }
    auto number = ParseRange(text, 1, INT32_MAX);
    if (!number)
        return Bad(std::move(number.error()->text),
                   "at least 1, a share such as 10%, or 'infinity'");
    return set(static_cast<uint64_t>(*number), false);
}

// As systemd has them, further lists add to the first.
using Cpus = Boxed<std::string>;
Outcome AddCpus(Cpus& cpus, const KeyInput& input) {
    if (input.resets) {
        cpus.reset();
        return {};
    }
    auto list = ParseCpuList(input.text);
    if (!list) return std::unexpected(std::move(list).error());
    cpus = cpus ? Cat(*cpus, ",", *list) : std::move(*list);
    return {};
}
Outcome ApplyCpus(Unit& unit, const KeyInput& input) {
    return AddCpus(unit.service.allowed_cpus, input);
}
Outcome ApplyMemoryNodes(Unit& unit, const KeyInput& input) {
    return AddCpus(unit.service.allowed_memory_nodes, input);
}

Value<uint32_t> ParseIoWeight(std::string_view text) {
    auto weight = ParseRange(text, 1, 10'000);
    if (!weight) return std::unexpected(std::move(weight).error());
    return static_cast<uint32_t>(*weight);
}

Value<unsigned> ParseUmask(std::string_view text) {
    auto mode = ParseFileMode(text);
    if (mode && *mode > 0777)
        return Bad(Cat(Quote(text), " is not a umask"), "octal, at most 0777");
    return mode;
}

struct LimitSetting {
    int resource;
    LimitUnit unit;
};
Outcome ApplyLimit(const void* how, void* target, const KeyInput& input) {
    const auto& setting = *static_cast<const LimitSetting*>(how);
    auto& limits = static_cast<Unit*>(target)->service.limits;
    if (input.resets) {
        limits.erase(setting.resource);
        return {};
    }
    auto limit = ParseResourceLimit(input.text, setting.unit);
    if (!limit) return std::unexpected(std::move(limit).error());
    limits.insert_or_assign(setting.resource, *limit);
    return {};
}
template <int Resource, LimitUnit In>
constexpr LimitSetting kLimit = {Resource, In};
template <int Resource, LimitUnit In>
constexpr KeyCode kSetLimit = {ApplyLimit, &kLimit<Resource, In>};

using S = ServiceSection;
using T = ValueType;
using L = LimitUnit;

template <auto Member, auto Parse>
constexpr KeyCode kSet = kSetPath<Parse, &Unit::service, Member>;
template <auto Member, auto Parse>
constexpr KeyCode kAppend = kAppendPath<Parse, &Unit::service, Member>;
template <auto Member, const auto& Choices>
constexpr KeyCode kSetChoice = kSetChoicePath<&Unit::service, Member, Choices>;

constexpr KeyRow kKeys[] = {
    // life
    {"Type", T::kChoice, "exec",
     "exec: started when the program runs; simple: when its process "
     "exists; oneshot: when it has ended well; notify: when it says READY=1 (sd_notify(3)) on the "
     "socket that NOTIFY_SOCKET names; notify-reload: that, and SIGHUP reloads it, which it "
     "answers "
     "by RELOADING=1 with MONOTONIC_USEC and then READY=1.",
     kSetChoice<&S::type, kTypes>},
    {"ExecCondition", T::kWords, "",
     "A command before all others, in a container of the same plan: exit code 0 goes on, 1 to 254 "
     "leaves the unit down without a failure, 255 or a signal fails it.",
     kAppend<&S::exec_condition, ParseServiceCommand>},
    {"ExecStartPre", T::kWords, "",
     "A command before the start, in a container of the same plan; may be given again. Its failure "
     "is the start's, but for a leading '-'. ':' leaves variables alone, '@' takes the second word "
     "as the program's name.",
     kAppend<&S::exec_start_pre, ParseServiceCommand>},
    {"ExecStartPost", T::kWords, "",
     "The same once the unit is up, in its container, with MAINPID as seen there.",
     kAppend<&S::exec_start_post, ParseServiceCommand>},
    {"ExecReload", T::kWords, "", "A command that reloads, in the unit's container, with MAINPID.",
     Live(kAppend<&S::exec_reload, ParseServiceCommand>)},
    {"ExecStop", T::kWords, "",
     "A command that asks the unit to stop, in its container, with MAINPID and SERVICE_RESULT. "
     "KillSignal= follows to what is left.",
     Live(kAppend<&S::exec_stop, ParseServiceCommand>)},
    {"ExecStopPost", T::kWords, "",
     "A command after the end, whatever that was, in a container of the same plan, with "
     "SERVICE_RESULT, EXIT_CODE and EXIT_STATUS.",
     Live(kAppend<&S::exec_stop_post, ParseServiceCommand>)},
    {"Restart", T::kChoice, "on-failure",
     "no, on-success, on-failure, on-abnormal, on-abort or always. "
     "Never after a stop that was asked for.",
     Live(kSetChoice<&S::restart, kRestarts>)},
    {"RestartSec", T::kSpan, "100ms", "The delay before the first restart.",
     Live(kSet<&S::restart_sec, ParseFiniteSpan>)},
    {"RestartSteps", T::kNumber, "8",
     "Restarts over which the delay grows to RestartMaxDelaySec=; "
     "0 keeps it constant.",
     Live(kSet<&S::restart_steps, ParseRestartSteps>)},
    {"RestartMaxDelaySec", T::kSpan, "30s", "The longest delay; needs RestartSteps=.",
     Live(kSet<&S::restart_max_delay, ParseFiniteSpan>)},
    {"RestartMode", T::kChoice, "normal",
     "Whether units that are bound to this one (BindsTo=) see its automatic restarts: normal: they "
     "are "
     "restarted with it; direct: they go on.",
     Live(kSetChoice<&S::restart_mode, kRestartModes>)},
    {"RestartPreventExitStatus", T::kStatus, "", "Statuses after which it is not restarted.",
     Live(kAddStatuses<&S::restart_prevent>)},
    {"RestartForceExitStatus", T::kStatus, "", "Statuses after which it is restarted in any case.",
     Live(kAddStatuses<&S::restart_force>)},
    {"SuccessExitStatus", T::kStatus, "",
     "Statuses that are successes besides 0, HUP, INT, TERM and PIPE.",
     Live(kAddStatuses<&S::success>)},
    {"RemainAfterExit", T::kBoolean, "no", "Counts as active after it has ended well.",
     kSet<&S::remain_after_exit, ParseBoolean>},
    {"TimeoutStartSec", T::kSpan, "10s", "How long a start may take; 0 or infinity: for ever.",
     Live(kSet<&S::timeout_start, ParseTimeout>)},
    {"TimeoutStopSec", T::kSpan, "10s",
     "Time between the stop signal and SIGKILL; 0 or infinity: for ever.",
     Live(kSet<&S::timeout_stop, ParseTimeout>)},
    {"TimeoutAbortSec", T::kSpan,
     "TimeoutStopSec=", "Time between WatchdogSignal= and SIGKILL; 0 or infinity: for ever.",
     Live(kSet<&S::timeout_abort, ParseTimeout>)},
    {"RuntimeMaxSec", T::kSpan, "infinity",
     "How long it may run once it is started; then it is stopped, and has failed.",
     kSet<&S::runtime_max, ParseAnySpan>},
    {"KillMode", T::kChoice, "control-group",
     "control-group: every process gets the stop signal; mixed: "
     "the main one gets it, the rest SIGKILL; process: the main one alone.",
     Live(kSetChoice<&S::kill_mode, kKillModes>)},
    {"KillSignal", T::kSignal, "SIGTERM", "The stop signal.",
     Live(kSet<&S::kill_signal, ParseSignalValue>)},
    {"RestartKillSignal", T::kSignal, "KillSignal=", "The stop signal of a restart.",
     Live(kSet<&S::restart_kill_signal, ParseSignalValue>)},
    {"FinalKillSignal", T::kSignal, "SIGKILL",
     "The signal after the stop timeout. Another one than SIGKILL is followed by SIGKILL, one "
     "TimeoutStopSec= later.",
     Live(kSet<&S::final_kill_signal, ParseSignalValue>)},
    {"SendSIGKILL", T::kBoolean, "yes", "no: waits for ever after the stop signal.",
     Live(kSet<&S::send_sigkill, ParseBoolean>)},
    {"SendSIGHUP", T::kBoolean, "no", "Sends SIGHUP right after the stop signal, for shells.",
     Live(kSet<&S::send_sighup, ParseBoolean>)},
    {"WatchdogSec", T::kSpan, "infinity",
     "The longest time between two WATCHDOG=1 of the program, counted from when it is ready; "
     "WATCHDOG_USEC tells it. 0 or infinity: none.",
     kSet<&S::watchdog, ParseAnySpan>},
    {"WatchdogSignal", T::kSignal, "SIGABRT", "The signal when the watchdog runs out.",
     Live(kSet<&S::watchdog_signal, ParseSignalValue>)},
    {"NotifyAccess", T::kChoice, "",
     "Whose notifications count. main, the default where Type= or WatchdogSec= needs one: the main "
     "process's; exec: also those of commands of Exec...=; all: every process's of the unit, the "
     "default with Notify=yes; none: there is no socket, unless Type= or WatchdogSec= needs one. "
     "Up "
     "to 512 descriptors are kept for the next start (FDSTORE=1); a stop drops them. Pipes and "
     "sockets go when the other side does, but for FDPOLL=0.",
     kSet<&S::notify_access, ParseNotifyAccess>},
    {"NotifyFd", T::kNumber, "",
     "(own) The program is ready when it writes a newline to this descriptor, which it inherits.",
     kSet<&S::notify_fd, Between<3, 1023>>},
    // resources
    {"MemoryMin", T::kMemory, "0", "Memory that is never reclaimed.",
     Live(kSet<&S::memory_min, ParseMemoryLimit>)},
    {"MemoryLow", T::kMemory, "0", "Memory that is reclaimed last.",
     Live(kSet<&S::memory_low, ParseMemoryLimit>)},
    {"MemoryHigh", T::kMemory, "infinity", "Memory above which it is slowed down.",
     Live(kSet<&S::memory_high, ParseMemoryCeiling>)},
    {"MemoryMax", T::kMemory, "infinity", "Memory that it cannot exceed.",
     Live(kSet<&S::memory_max, ParseMemoryCeiling>)},
    {"MemorySwapMax", T::kMemory, "infinity", "Swap that it cannot exceed.",
     Live(kSet<&S::memory_swap_max, ParseMemoryLimit>)},
    {"MemoryZSwapMax", T::kMemory, "infinity", "Compressed swap that it cannot exceed.",
     Live(kSet<&S::memory_zswap_max, ParseMemoryLimit>)},
    {"OOMPolicy", T::kChoice, "kill",
     "What follows when memory ran out and a process was killed for it. kill: the kernel ends the "
     "whole container; stop: the unit is stopped as by its stop signal; continue: nothing.",
     Live(kSetChoice<&S::oom_policy, kOomPolicies>)},
    {"CPUQuota", T::kPercent, "", "CPU time that it cannot exceed; 100% is one CPU.",
     Live(kSet<&S::cpu_quota, ParseCpuQuota>)},
    {"CPUQuotaPeriodSec", T::kSpan, "100ms", "The time over which CPUQuota= counts.",
     Live(kSet<&S::cpu_quota_period, ParseQuotaPeriod>)},
    {"CPUWeight", T::kNumber, "100", "Its share when CPUs are short: 1 to 10000, or idle.",
     Live(kSet<&S::cpu_weight, ParseCpuWeight>)},
    {"AllowedCPUs", T::kCpus, "", "CPUs that it may use.", Live(kOwn<ApplyCpus>)},
    {"AllowedMemoryNodes", T::kCpus, "", "Memory nodes that it may use.",
     Live(kOwn<ApplyMemoryNodes>)},
    {"IOWeight", T::kNumber, "100",
     "Its share when block devices are busy, 1 to 10000. In force on disks with the scheduler bfq, "
     "or with io.cost.qos set.",
     Live(kSet<&S::io_weight, ParseIoWeight>)},
    {"IOReadBandwidthMax", T::kIoLimits, "",
     "Bytes a second that it may read of a disk: its node in /dev, or a path on it; K, M, G and T "
     "are of base 1000.",
     Live(kAppend<&S::io_read_bandwidth, Expanded<ParseIoLimit>>)},
    {"IOWriteBandwidthMax", T::kIoLimits, "", "Bytes a second that it may write to a disk.",
     Live(kAppend<&S::io_write_bandwidth, Expanded<ParseIoLimit>>)},
    {"IOReadIOPSMax", T::kIoLimits, "", "Reads a second of a disk.",
     Live(kAppend<&S::io_read_iops, Expanded<ParseIoLimit>>)},
    {"IOWriteIOPSMax", T::kIoLimits, "", "Writes a second to a disk.",
     Live(kAppend<&S::io_write_iops, Expanded<ParseIoLimit>>)},
    {"TasksMax", T::kNumber, "512",
     "Processes and threads that it cannot exceed, a share of those that the device takes, or "
     "infinity.",
     Live(kOwn<ApplyTasks>)},
    {"Delegate", T::kBoolean, "no",
     "Its root user may make cgroups below its own, up to 1024 of them and 16 deep, with every "
     "controller that the device has.",
     kSet<&S::delegate, ParseDelegate>},
    {"DevicePolicy", T::kChoice, "closed",
     "Which devices may be opened besides those of DeviceAllow= and AddDevice=. closed: null, "
     "zero, "
     "full, random, urandom, tty and its own terminals; strict: none.",
     Live(kSetChoice<&S::device_policy, kDevicePolicies>)},
    {"DeviceAllow", T::kDeviceRules, "",
     "A device that may be opened where a node of it is, and how: a node in /dev, or a class of "
     "/proc/devices as char-NAME or block-NAME, in which * and ? match; r reads, w writes, m makes "
     "nodes. AddDevice= gives the node too.",
     Live(kAppend<&S::device_allow, Expanded<ParseDeviceRule>>)},
    {"LimitAS", T::kLimit, "", "Address space.", kSetLimit<RLIMIT_AS, L::kBytes>},
    {"LimitCORE", T::kLimit, "", "Size of core files.", kSetLimit<RLIMIT_CORE, L::kBytes>},
    {"LimitCPU", T::kLimit, "", "CPU time.", kSetLimit<RLIMIT_CPU, L::kSeconds>},
    {"LimitDATA", T::kLimit, "", "Data segment.", kSetLimit<RLIMIT_DATA, L::kBytes>},
    {"LimitFSIZE", T::kLimit, "", "Size of files.", kSetLimit<RLIMIT_FSIZE, L::kBytes>},
    {"LimitLOCKS", T::kLimit, "", "File locks.", kSetLimit<RLIMIT_LOCKS, L::kCount>},
    {"LimitMEMLOCK", T::kLimit, "", "Locked memory.", kSetLimit<RLIMIT_MEMLOCK, L::kBytes>},
    {"LimitMSGQUEUE", T::kLimit, "", "Bytes in message queues.",
     kSetLimit<RLIMIT_MSGQUEUE, L::kBytes>},
    {"LimitNICE", T::kLimit, "", "Nice level that may be reached.",
     kSetLimit<RLIMIT_NICE, L::kNice>},
    {"LimitNOFILE", T::kLimit, "", "Open files.", kSetLimit<RLIMIT_NOFILE, L::kCount>},
    {"LimitNPROC", T::kLimit, "", "Processes of the user.", kSetLimit<RLIMIT_NPROC, L::kCount>},
    {"LimitRSS", T::kLimit, "", "Resident memory; the kernel ignores it.",
     kSetLimit<RLIMIT_RSS, L::kBytes>},
    {"LimitRTPRIO", T::kLimit, "", "Real-time priority.", kSetLimit<RLIMIT_RTPRIO, L::kCount>},
    {"LimitRTTIME", T::kLimit, "", "Real-time CPU time without a sleep.",
     kSetLimit<RLIMIT_RTTIME, L::kMicroseconds>},
    {"LimitSIGPENDING", T::kLimit, "", "Queued signals.", kSetLimit<RLIMIT_SIGPENDING, L::kCount>},
    {"LimitSTACK", T::kLimit, "", "Stack.", kSetLimit<RLIMIT_STACK, L::kBytes>},
    {"Nice", T::kNumber, "0", "Nice level, -20 to 19.", kSet<&S::nice, Between<-20, 19>>},
    {"OOMScoreAdjust", T::kNumber, "0", "-1000 to 1000: who goes first when memory is short.",
     kSet<&S::oom_score_adjust, Between<-1000, 1000>>},
    {"CPUSchedulingPolicy", T::kChoice, "other", "other, batch, idle, fifo or rr.",
     kSetChoice<&S::scheduling_policy, kSchedulers>},
    {"CPUSchedulingPriority", T::kNumber, "",
     "Priority of fifo and rr, 1 to 99: a higher one runs first. It is 1 where it is not given.",
     kSet<&S::scheduling_priority, Between<0, 99>>},
    {"IOSchedulingClass", T::kChoice, "", "none, realtime, best-effort or idle.",
     kSet<&S::io_class, Word<kIoClasses>>},
    {"UMask", T::kMode, "0022", "File mode bits that are taken away.", kSet<&S::umask, ParseUmask>},
    // folders and output
    {"StateDirectory", T::kNames, "",
     "Folders in /var/lib that last, in $STATE_DIRECTORY. They are made for the unit's user, and "
     "lie "
     "on the device in /var/lib/husk/state; units that name the same one share it. Another "
     "user's are given to it, with up to 10000 files in them.",
     kAppendPath<EachWord<ParseRelativePath>, &Unit::service, &S::state_directory,
                 &ServiceDirectories::paths>},
    {"StateDirectoryMode", T::kMode, "0755", "Their mode, set at each start.",
     kSetPath<ParseFileMode, &Unit::service, &S::state_directory, &ServiceDirectories::mode>},
    {"CacheDirectory", T::kNames, "",
     "The same in /var/cache, $CACHE_DIRECTORY and /var/lib/husk/cache.",
     kAppendPath<EachWord<ParseRelativePath>, &Unit::service, &S::cache_directory,
                 &ServiceDirectories::paths>},
    {"CacheDirectoryMode", T::kMode, "0755", "Their mode.",
     kSetPath<ParseFileMode, &Unit::service, &S::cache_directory, &ServiceDirectories::mode>},
    {"LogsDirectory", T::kNames, "",
     "The same in /var/log, $LOGS_DIRECTORY and /var/lib/husk/logs.",
     kAppendPath<EachWord<ParseRelativePath>, &Unit::service, &S::logs_directory,
                 &ServiceDirectories::paths>},
    {"LogsDirectoryMode", T::kMode, "0755", "Their mode.",
     kSetPath<ParseFileMode, &Unit::service, &S::logs_directory, &ServiceDirectories::mode>},
    {"RuntimeDirectory", T::kNames, "",
     "Folders in /run, in $RUNTIME_DIRECTORY, on a tmpfs of the unit: they go when it ends, also "
     "before a restart. Units cannot share one.",
     kAppendPath<EachWord<ParseRelativePath>, &Unit::service, &S::runtime_directory,
                 &ServiceDirectories::paths>},
    {"RuntimeDirectoryMode", T::kMode, "0755", "Their mode.",
     kSetPath<ParseFileMode, &Unit::service, &S::runtime_directory, &ServiceDirectories::mode>},
    {"StandardOutput", T::kChoice, "log", "log, null or console.",
     kSetChoice<&S::standard_output, kOutputs>},
    {"StandardError", T::kChoice, "log", "log, null or console.",
     kSetChoice<&S::standard_error, kOutputs>},
    {"LogRateLimitIntervalSec", T::kSpan, "",
     "The time in which LogRateLimitBurst= counts; it begins with a line. 30s where only the burst "
     "is given; 0: no limit.",
     Live(kSet<&S::log_rate_limit_interval, ParseFiniteSpan>)},
    {"LogRateLimitBurst", T::kNumber, "",
     "Lines of the unit that are kept within the interval; the log says how many more were "
     "dropped. 10000 where only the interval is given; 0: no limit, as where neither is given.",
     Live(kSet<&S::log_rate_limit_burst, ParseLogBurst>)},
    {"SyslogIdentifier", T::kName, "",
     "The name before each line of its log file, and where logs of several units are shown "
     "together; the unit's name where it is not given.",
     Live(kSet<&S::syslog_identifier, Expanded<ParsePlainName>>)},
    {"LoadCredential", T::kText, "",
     "ID:PATH or ID:NAME: a file of the device as $CREDENTIALS_DIRECTORY/ID, which only the unit's "
     "user can read. A NAME, or ID alone, is looked up in /etc/husk/credentials and "
     "/run/husk/credentials. Files are read when the unit starts, at most 1M in all; they lie in "
     "memory that is never swapped out.",
     kAppend<&S::credentials, Expanded<ParseLoadCredential>>},
    {"SetCredential", T::kText, "",
     "ID:VALUE, with C's escapes and without specifiers: the same from here, for what is no secret "
     "or as a default where LoadCredential= finds no file.",
     kAppend<&S::credentials, ParseSetCredential>},
};

}  // namespace

std::span<const KeyRow> ServiceSectionKeys() { return kKeys; }

}  // namespace husk::config
