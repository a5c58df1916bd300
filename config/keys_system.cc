// Rows of /etc/husk/system.conf.
#include "config/device_values.h"
#include "config/key_parsers.h"
#include "config/service_values.h"

namespace husk::config {
namespace {

using C = SystemConfig;
using T = ValueType;

Value<std::string> ParseModule(std::string_view text) {
    for (char c : text)
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '_' && c != '-')
            return Bad(Cat(Quote(text), " is not a kernel module"), "a name such as overlay");
    return std::string(text);
}

Value<std::string> ParseSysctl(std::string_view text) {
    const size_t equals = text.find('=');
    const std::string_view name = Trim(text.substr(0, equals));
    if (equals == text.npos || name.empty() || name.find("..") != name.npos || name[0] == '/' ||
        name[0] == '.')
        return Bad(Cat(Quote(text), " is not a kernel parameter"),
                   "NAME=VALUE, as in vm.swappiness=10");
    return Cat(name, "=", Trim(text.substr(equals + 1)));
}

Value<std::string> ParseFilesystem(std::string_view text) {
    for (std::string_view known : {"ext4", "btrfs", "f2fs", "xfs", "tmpfs"})
        if (text == known) return std::string(text);
    return Bad(Cat(Quote(text), " is not a file system for state"),
               "ext4, btrfs, f2fs, xfs or tmpfs");
}

Value<uint64_t> ParseDefaultTasks(std::string_view text) {
    if (text == "infinity") return kUnlimited;
    auto number = ParseRange(text, 1, INT32_MAX);
    if (!number) return Bad(std::move(number.error()->text), "at least 1, or 'infinity'");
    return static_cast<uint64_t>(*number);
}

// Each unit holds one, in memory that init shares, so a typing error must not take the device's.
Value<uint64_t> ParseLogBuffer(std::string_view text) {
    auto size = ParseSize(text);
    if (size && (*size < (4 << 10) || *size > (64 << 20)))
        return Bad(Cat(Quote(text), " is out of range"), "4K to 64M");
    return size;
}

Value<MemoryLimit> ParseLogBufferMax(std::string_view text) {
    auto limit = ParseMemoryCeiling(text);
    if (limit && (limit->kind == MemoryLimit::Kind::kInfinity ||
                  (limit->kind == MemoryLimit::Kind::kBytes && limit->value < (1 << 20))))
        return Bad(Cat(Quote(text), " is out of range"), "1M or more, or a share such as 10%");
    return limit;
}

// "off", or a time.
Value<Duration> ParseWatchdog(std::string_view text) {
    if (text == "off" || text == "infinity") return kInfinite;
    auto span = ParseFiniteSpan(text);
    if (!span) return Bad(std::move(span.error()->text), "a span such as '30s', or 'off'");
    return span;
}

Value<uint32_t> ParsePressureBound(std::string_view text) {
    if (text == "off") return 0u;
    const auto share = ParseShare(text);
    if (!share || *share == 0 || *share > 10'000)
        return Bad(Cat(Quote(text), " is not a share of time"), "1% to 100%, or 'off'");
    return static_cast<uint32_t>(*share);
}

Value<UnitAction> ParseCrashAction(std::string_view text) {
    auto action = ParseUnitAction(text);
    if (action && *action == UnitAction::kNone)
        return Bad("a device without PID 1 is a frozen one", "reboot, poweroff or halt");
    return action;
}

// SHA-512 or SHA-256 of crypt(3).
Value<std::string> ParsePasswordHash(std::string_view text) {
    const bool known = text.starts_with("$6$") || text.starts_with("$5$");
    const size_t salt = text.find_last_of('$');
    if (!known || salt < 3 || text.size() - salt < 43 || text.find_first_of(" \t:") != text.npos)
        return Bad("it is no hash of a password", "what 'openssl passwd -6' prints");
    return std::string(text);
}

Value<Terminal> ParseConsole(std::string_view text) {
    const size_t comma = text.find(',');
    const std::string_view name = text.substr(0, comma);
    auto path = ParsePath(name.starts_with('/') ? std::string(name) : Cat("/dev/", name));
    if (!path) return std::unexpected(std::move(path).error());
    Terminal terminal{.path = std::move(*path)};
    if (comma == text.npos) return terminal;
    const auto speed = ParseUnsigned(text.substr(comma + 1));
    if (!speed || *speed < 50 || *speed > 4'000'000)
        return Bad(Cat(Quote(text.substr(comma + 1)), " is no speed of a serial line"),
                   "bits a second, as in ttyS1,115200");
    terminal.speed = static_cast<uint32_t>(*speed);
    return terminal;
}

Value<std::string> ParseDeviceTimezone(std::string_view text) {
    if (text == "local") return Bad("'local' is this one", "a name such as Europe/Berlin");
    return ParseTimezone(text);
}

template <auto Member, auto Parse>
constexpr KeyCode kSet = kSetPath<Parse, Member>;
template <auto Member, auto Parse>
constexpr KeyCode kAppend = kAppendPath<Parse, Member>;

constexpr KeyRow kSystem[] = {
    {"Hostname", T::kName, "", "The device's host name.", kSet<&C::hostname, ParseHostName>},
    {"KernelModules", T::kNames, "", "Modules to load at boot.",
     kAppend<&C::kernel_modules, EachWord<ParseModule>>},
    {"Sysctl", T::kAssignments, "",
     "Kernel parameters to set at boot; quote one that holds blanks.",
     kAppend<&C::sysctl, EachWord<ParseSysctl>>},
    {"Console", T::kText, "",
     "The terminal that the console program runs on, as tty1 or ttyS1,115200, instead of the "
     "kernel's own console, where messages still go.",
     kSet<&C::console, ParseConsole>},
    {"Coldplug", T::kBoolean, "yes",
     "(own) Load the modules of the image that say they are for a device that is there "
     "(modules.alias), at boot and when a device appears later.",
     kSet<&C::coldplug, ParseBoolean>},
    {"RescuePassword", T::kText, "",
     "(own) What 'openssl passwd -6' makes of a password. With it, husk.rescue on the kernel's "
     "command line starts no unit and gives who knows the password a shell on the console; without "
     "it husk.rescue is off.",
     kSet<&C::rescue_password, ParsePasswordHash>},
    {"StateDevice", T::kPath, "",
     "The block device for state, as What= of [Mounts]. Where it is to be made at the first boot, "
     "write an entry with Where=/var/lib/husk there instead.",
     kSet<&C::state_device, ParseBlockDevice>},
    {"StateFilesystem", T::kChoice, "ext4", "Its file system.",
     kSet<&C::state_filesystem, ParseFilesystem>},
    {"Timezone", T::kText, "",
     "The device's time zone, a name of /usr/share/zoneinfo: of OnCalendar= without a zone, of "
     "units "
     "with Timezone=local, and of who else reads /etc/localtime, which becomes a link. On a root "
     "that "
     "cannot be written to, let it be a link to /run/husk/localtime in the image.",
     kSet<&C::timezone, ParseDeviceTimezone>},
};

constexpr KeyRow kManager[] = {
    {"RuntimeWatchdogSec", T::kSpan, "30s",
     "The hardware watchdog resets a device that stands still, or is unwell, for so long; where it "
     "cannot count so far, its own time. off: it is left alone.",
     kSet<&C::runtime_watchdog, ParseWatchdog>},
    {"RuntimeWatchdogPreSec", T::kSpan, "off",
     "So long before the reset the watchdog tells the kernel, which does what its pretimeout "
     "governor says.",
     kSet<&C::runtime_watchdog_pre, ParseWatchdog>},
    {"RuntimeWatchdogPreGovernor", T::kName, "",
     "What the kernel does then: noop, or panic, which leaves its log in pstore.",
     kSet<&C::runtime_watchdog_pre_governor, ParseModule>},
    {"RebootWatchdogSec", T::kSpan, "off",
     "The watchdog's time for the last steps of a reboot. off: as RuntimeWatchdogSec=.",
     kSet<&C::reboot_watchdog, ParseWatchdog>},
    {"WatchdogDevice", T::kPath, "/dev/watchdog0", "The hardware watchdog.",
     kSet<&C::watchdog_device, ParsePath>},
    {"WatchdogProbeSec", T::kSpan, "1min",
     "(own) How often a write to state storage is tried; the watchdog is not fed where it fails, "
     "or "
     "takes longer than RuntimeWatchdogSec=. off: never.",
     kSet<&C::watchdog_probe, ParseWatchdog>},
    {"WatchdogMemoryPressure", T::kPercent, "90%",
     "(own) The watchdog is not fed where everything stood still for want of memory for such a "
     "share "
     "of the last minute, and less than a twentieth of the memory is available. off: whatever.",
     kSet<&C::watchdog_memory_pressure, ParsePressureBound>},
    {"CrashAction", T::kChoice, "reboot",
     "What becomes of the device when PID 1 crashes: reboot, poweroff or halt.",
     kSet<&C::crash_action, ParseCrashAction>},
    {"DefaultTimeoutStartSec", T::kSpan, "10s",
     "For units without TimeoutStartSec=; 0 or infinity: for ever.",
     kSet<&C::default_timeout_start, ParseTimeout>},
    {"DefaultTimeoutStopSec", T::kSpan, "10s",
     "For units without TimeoutStopSec=; 0 or infinity: for ever.",
     kSet<&C::default_timeout_stop, ParseTimeout>},
    {"DefaultMemoryMax", T::kMemory, "75%",
     "For units without MemoryMax=: what fills the device is killed itself, and not its "
     "neighbours. "
     "infinity: no limit.",
     kSet<&C::default_memory_max, ParseMemoryCeiling>},
    {"DefaultTasksMax", T::kNumber, "512", "For units without TasksMax=.",
     kSet<&C::default_tasks_max, ParseDefaultTasks>},
    {"LogBufferSize", T::kSize, "256K", "Log kept in memory for each unit, 4K to 64M.",
     kSet<&C::log_buffer_size, ParseLogBuffer>},
    {"LogBufferMax", T::kMemory, "10%",
     "Log kept in memory for all units together, at least 1M: where they would exceed it, the "
     "oldest of the longest logs is dropped.",
     kSet<&C::log_buffer_max, ParseLogBufferMax>},
    {"CtrlAltDelBurstAction", T::kChoice, "reboot",
     "What is done at once, without waiting for units, when Ctrl-Alt-Del is hit seven times within "
     "2 s: reboot, poweroff, halt or none.",
     kSet<&C::burst_action, ParseUnitAction>},
};

}  // namespace

std::span<const KeySection> SystemSections() {
    static const KeySection kSections[] = {
        {"System", "The device.", kSystem},
        {"Mounts", "The device's file systems.", DeviceMountKeys(), DeviceMountRefused()},
        {"Devices", "Nodes in /dev.", DeviceNodeKeys()},
        {"Network", "The device's own links.", DeviceNetworkKeys(), DeviceNetworkRefused()},
        {"Manager", "husk itself, and defaults of units.", kManager},
    };
    return kSections;
}

}  // namespace husk::config
