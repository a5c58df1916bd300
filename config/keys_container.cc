// Rows of [Container].
#include "config/device_values.h"
#include "config/key_parsers.h"
#include "config/log_options.h"
#include "config/security_values.h"
#include "config/service_values.h"

namespace husk::config {
namespace {

Value<std::vector<std::string>> ParseCommand(std::string_view text, const Specifiers& specifiers) {
    if (text.starts_with('['))
        return Bad("JSON lists are not taken here", "write words: Entrypoint=/bin/sh -c");
    return ExpandedWords(text, specifiers);
}

// A later assignment replaces an earlier one of the same name.
Outcome AppendEnvironment(Unit& unit, const KeyInput& input) {
    auto& environment = unit.container.environment;
    if (input.resets) {
        environment.clear();
        return {};
    }
    auto assignments = ParseAssignments(input.text, input.specifiers);
    if (!assignments) return std::unexpected(std::move(assignments).error());
    for (std::string& assignment : *assignments) {
        const std::string_view name =
            std::string_view(assignment).substr(0, assignment.find('=') + 1);
        erase_if(environment, [&](const std::string& old) { return old.starts_with(name); });
        environment.push_back(std::move(assignment));
    }
    return CheckCount(environment.size());
}

Outcome SetRootfs(Unit& unit, const KeyInput& input) {
    unit.container.rootfs.clear();
    unit.container.rootfs_overlay = false;
    if (input.resets) return {};
    std::string_view text = input.text;
    if (const size_t colon = text.rfind(':'); colon != text.npos) {
        if (text.substr(colon) != ":O")
            return Bad(Cat("option ", Quote(text.substr(colon + 1)), " is not supported"),
                       "PATH, or PATH:O for a volatile overlay");
        text = text.substr(0, colon);
        unit.container.rootfs_overlay = true;
    }
    auto expanded = ExpandSpecifiers(text, input.specifiers);
    if (!expanded) return std::unexpected(std::move(expanded).error());
    auto path = ParsePath(*expanded);
    if (!path) return std::unexpected(std::move(path).error());
    if (*path == "/")
        return Bad("'/' is the device's own root",
                   "name a directory that holds a root file system");
    unit.container.rootfs = std::move(*path);
    return {};
}

Value<std::vector<std::string>> ParseMask(std::string_view text, const Specifiers& specifiers) {
    auto expanded = ExpandSpecifiers(text, specifiers);
    if (!expanded) return std::unexpected(std::move(expanded).error());
    return ParsePathList(*expanded, {});
}

Value<std::vector<std::string>> ParseUnmask(std::string_view text, const Specifiers& specifiers) {
    auto expanded = ExpandSpecifiers(text, specifiers);
    if (!expanded) return std::unexpected(std::move(expanded).error());
    return ParsePathList(*expanded, "ALL");
}

Value<std::string> ParseAddedCapability(std::string_view text) {
    if (EditDistance(text, "all") == 0)
        return Bad("'all' is refused", "name each capability that the program needs");
    return ParseCapability(text);
}

Value<std::string> ParseDroppedCapability(std::string_view text) {
    if (EditDistance(text, "all") == 0) return "all";
    return ParseCapability(text);
}

Value<std::string> ParseAddedGroup(std::string_view text) {
    if (text == "keep-groups")
        return Bad("'keep-groups' is not supported", "no user starts the unit; name each group");
    return ParseUserName(text);
}

// Podman's -1 is no limit.
Value<uint64_t> ParsePidsLimit(std::string_view text) {
    if (text == "-1") return kUnlimited;
    auto number = ParseRange(text, 1, INT32_MAX);
    if (!number) return Bad(std::move(number.error()->text), "at least 1, or -1 for no limit");
    return static_cast<uint64_t>(*number);
}

Outcome AddUlimit(Unit& unit, const KeyInput& input) {
    if (input.resets) {
        unit.service.limits.clear();
        return {};
    }
    auto limit = ParseUlimit(input.text);
    if (!limit) return std::unexpected(std::move(limit).error());
    unit.service.limits.insert_or_assign(limit->first, limit->second);
    return {};
}

Outcome SetOverlay(Unit& unit, const KeyInput& input) {
    ContainerSection& c = unit.container;
    c.overlay = OverlayMode::kNone;
    c.overlay_size = kDefaultOverlaySize;
    c.overlay_volume.clear();
    if (input.resets || input.text == "none") return {};
    std::string_view text = input.text;
    if (text == "volatile" || text.starts_with("volatile:")) {
        c.overlay = OverlayMode::kVolatile;
        if (text == "volatile") return {};
        auto size = ParsePositiveSize(text.substr(text.find(':') + 1));
        if (!size) return std::unexpected(std::move(size).error());
        c.overlay_size = *size;
        return {};
    }
    auto name = ExpandSpecifiers(text, input.specifiers);
    if (!name) return std::unexpected(std::move(name).error());
    if (!name->ends_with(".volume") || !IsVolumeName(*name))
        return Bad(Cat(Quote(text), " is not an overlay"),
                   "'none', 'volatile', 'volatile:SIZE' or NAME.volume");
    c.overlay = OverlayMode::kVolume;
    c.overlay_volume = name->substr(0, name->size() - std::string_view(".volume").size());
    return {};
}

constexpr Choice kUserNamespaces[] = {
    {"auto", static_cast<int>(UserNamespace::kAuto)},
    {"host", static_cast<int>(UserNamespace::kHost)},
    {"keep-id", 0, "no user starts the unit; 'auto' gives each unit a range of its own"},
    {"nomap", 0,
     "no user starts the unit that could be left out of the map; 'auto' maps no id of one"},
    {"private", 0,
     "which ids it gets must be said: 'auto' gives an own range, UIDMap= those you name"},
};

constexpr Choice kHealthActions[] = {{"none", static_cast<int>(HealthAction::kNone)},
                                     {"kill", static_cast<int>(HealthAction::kKill)},
                                     {"restart", static_cast<int>(HealthAction::kRestart)},
                                     {"stop", static_cast<int>(HealthAction::kStop)}};

Value<HealthAction> ParseHealthAction(std::string_view text) {
    auto action = ParseChoice(text, kHealthActions);
    if (!action) return std::unexpected(std::move(action).error());
    return static_cast<HealthAction>(*action);
}

constexpr char kOwnLog[] = "output is kept in husk's own log; leave it out";
constexpr Choice kLogDrivers[] = {
    {"none", static_cast<int>(LogDriver::kNone)},
    {"passthrough", static_cast<int>(LogDriver::kPassthrough)},
    {"journald", 0, kOwnLog, ""},
    {"json-file", 0, kOwnLog, ""},
    {"k8s-file", 0, kOwnLog, ""},
};

Value<std::vector<std::string>> ParseHealthCommand(std::string_view text,
                                                   const Specifiers& specifiers) {
    if (text.starts_with('['))
        return Bad("JSON lists are not taken here",
                   "write 'CMD /bin/check --all' for a program without a shell");
    auto expanded = ExpandSpecifiers(text, specifiers);
    if (!expanded) return std::unexpected(std::move(expanded).error());
    if (*expanded == "none") return std::vector<std::string>();
    std::string_view rest = *expanded;
    constexpr std::string_view kProgram = "CMD ", kShell = "CMD-SHELL ";
    if (rest.starts_with(kProgram)) {
        // Parts between blanks, without quotes: Podman's strings.Fields().
        std::vector<std::string> words;
        for (std::string_view word : SplitWords(rest.substr(kProgram.size())))
            words.emplace_back(word);
        if (words.empty()) return Bad("a program is missing", "CMD /bin/check --all");
        return words;
    }
    if (rest.starts_with(kShell)) rest.remove_prefix(kShell.size());
    return std::vector<std::string>{"/bin/sh", "-c", std::string(rest)};
}

Value<Duration> ParseCheckTimeout(std::string_view text) {
    auto timeout = ParseFiniteSpan(text);
    if (timeout && *timeout == Duration(0))
        return Bad("no check ends in no time", "a time such as 5s");
    return timeout;
}

Value<NotifyMode> ParseNotify(std::string_view text) {
    if (text == "healthy") return NotifyMode::kHealthy;
    auto is = ParseBoolean(text);
    if (!is) return Bad(std::move(is.error()->text), "'yes', 'no' or 'healthy'");
    return *is ? NotifyMode::kYes : NotifyMode::kNo;
}

// ReloadCmd=: one command, without the prefixes of ExecReload=.
Value<std::vector<ServiceCommand>> ParseReloadCommand(std::string_view text,
                                                      const Specifiers& specifiers) {
    auto words = ParseCommand(text, specifiers);
    if (!words) return std::unexpected(std::move(words).error());
    return std::vector{ServiceCommand{.words = std::move(*words)}};
}

// As resolv.conf(5) takes it.
Value<std::string> ParseResolverOption(std::string_view text) {
    if (text.find_first_of(" \t") != text.npos)
        return Bad(Cat(Quote(text), " is not one option"), "write the key again for each");
    return std::string(text);
}

// Networks add up; what stands alone replaces what stands alone.
Outcome AddNetwork(Unit& unit, const KeyInput& input) {
    NetworkMode& mode = unit.container.network;
    if (input.resets) {
        mode = {};
        return {};
    }
    auto given = ParseNetwork(input.text);
    if (!given) return std::unexpected(std::move(given).error());
    using Kind = NetworkMode::Kind;
    const bool joins = given->kind == Kind::kMember;
    // A default is not what somebody wrote.
    if (!joins ? mode.kind == Kind::kMember
               : mode.kind == Kind::kHost || mode.kind == Kind::kContainer)
        return Bad(Cat(Quote(input.text), " does not go together with the Network= before it"),
                   "an empty Network= in front drops that");
    if (!joins) {
        mode = std::move(*given);
        return {};
    }
    given->networks[0].at = input.at;
    mode.kind = Kind::kMember;
    mode.networks.push_back(std::move(given->networks[0]));
    return CheckCount(mode.networks.size());
}

Outcome AddNameServer(Unit& unit, const KeyInput& input) {
    ContainerSection& c = unit.container;
    if (input.resets) {
        c.dns.clear();
        c.no_dns = false;
        return {};
    }
    auto server = ParseNameServer(input.text);
    if (!server) return std::unexpected(std::move(server).error());
    if (!*server) {
        c.no_dns = true;
        return {};
    }
    c.dns.push_back(**server);
    return CheckCount(c.dns.size());
}

constexpr KeyCode Expanding(KeyCode code) {
    code.expands = true;
    return code;
}

using C = ContainerSection;
using S = ServiceSection;
using T = ValueType;

template <auto Member, auto Parse>
constexpr KeyCode kSet = kSetPath<Parse, &Unit::container, Member>;
template <auto Member, auto Parse>
constexpr KeyCode kAppend = kAppendPath<Parse, &Unit::container, Member>;
template <auto Member, auto Parse>
constexpr KeyCode kSetService = kSetPath<Parse, &Unit::service, Member>;
template <auto Member, auto Parse>
constexpr KeyCode kHealth = kSetPath<Parse, &Unit::container, &C::health, Member>;

constexpr KeyRow kKeys[] = {
    // the root
    {"Image", T::kImage, "",
     "The root: an erofs or squashfs file, mounted read-only, never unpacked. A registry's name "
     "for an image means a file named after it, see IMAGES.",
     kSet<&C::image, Expanded<ParseImage>>},
    {"ImageVerity", T::kText, "",
     "(own) The dm-verity root hash of the image, or the path of a file with it; without it, that "
     "in NAME.roothash beside the image, if any. Each block is "
     "checked when it is read; a bad one fails the unit. The hash tree lies behind the file system "
     "in the same file, or beside it in NAME.verity.",
     kSet<&C::image_verity, Expanded<ParseRootHash>>},
    {"Rootfs", T::kPath, "",
     "The root: a directory; PATH:O gives a volatile overlay. Without Image= "
     "and Rootfs= the root is a skeleton: put programs in with Volume=.",
     kOwn<SetRootfs>},
    {"ReadOnly", T::kBoolean, "yes", "The root cannot be written to.",
     kSet<&C::read_only, ParseBoolean>},
    {"ReadOnlyTmpfs", T::kBoolean, "yes", "A tmpfs on /tmp, /run and /var/tmp of a read-only root.",
     kSet<&C::read_only_tmpfs, ParseBoolean>},
    {"Overlay", T::kText, "none",
     "(own) A writable root. volatile[:SIZE]: what is written lies in memory, at most SIZE of it "
     "(64M), and goes when the unit stops; NAME.volume: it lasts, in that volume, which no other "
     "unit can have as its overlay.",
     kOwn<SetOverlay>},
    // the command
    {"Entrypoint", T::kWords, "", "Words before those of Exec=.",
     kSet<&C::entrypoint, ParseCommand>},
    {"Exec", T::kWords, "",
     "The command; its first word is looked up in the container. $NAME and "
     "${NAME} are replaced from Environment= and EnvironmentFile=; $$ is a dollar sign.",
     kSet<&C::exec, ParseCommand>},
    {"WorkingDir", T::kPath, "/", "The working directory.",
     kSet<&C::working_dir, Expanded<ParsePath>>},
    {"Environment", T::kAssignments, "", "The environment; quote an assignment that holds blanks.",
     kOwn<AppendEnvironment>},
    {"EnvironmentFile", T::kPath, "",
     "A file of the device with a NAME=VALUE on each line, as systemd.exec(5) has it: # and ; "
     "begin "
     "comments, quotes keep blanks, a backslash at the end joins lines. It is read at each start "
     "and replaces what Environment= says; of several files the last one holds. A leading - leaves "
     "out a file that is missing. At most 64K and 1000 variables.",
     kAppend<&C::environment_files, Expanded<ParseEnvironmentFile>>},
    {"EnvironmentHost", T::kBoolean, "no",
     "Only no: husk is process 1 and has no environment to pass on.",
     kSet<&C::environment_host, ParseEnvironmentHost>},
    {"User", T::kName, "0", "The user, by the container's own passwd.",
     kSet<&C::user, Expanded<ParseUserName>>},
    {"Group", T::kName, "the user's, or 0", "The group, by the container's own group file.",
     kSet<&C::group, Expanded<ParseUserName>>},
    {"GroupAdd", T::kNames, "", "Further groups.",
     kAppend<&C::group_add, EachWord<ParseAddedGroup>>},
    {"HostName", T::kName, "the unit's name", "The host name inside.",
     kSet<&C::host_name, Expanded<ParseHostName>>},
    {"Timezone", T::kText, "",
     "The time zone inside: a name such as Europe/Berlin, or local for the device's own. The "
     "device's file of it in /usr/share/zoneinfo lies on /etc/localtime; where that is a link of "
     "the root, TZ is set instead.",
     kSet<&C::timezone, ParseTimezone>},
    {"RunInit", T::kBoolean, "no",
     "Process 1 of the container is husk's own: it reaps, forwards signals to the program, and "
     "ends as "
     "that did. Nothing in the container can look into it: /proc/1/fd is closed.",
     kSet<&C::run_init, ParseBoolean>},
    // files
    {"Volume", T::kVolume, "",
     "A directory or file of the device, or a named volume. Options: ro, rw, "
     "[no]exec, [no]suid, [no]dev, [no]idmap, bind, rbind. Without options: rw,nosuid,nodev,idmap.",
     kAppend<&C::volumes, ParseVolume>},
    {"Mount", T::kText, "",
     "A mount in Podman's long form: type=bind|tmpfs|volume|image,source=,destination=, and ro, "
     "[no]exec, [no]suid, [no]dev, subpath=, tmpfs-size=, tmpfs-mode=. An image is read-only. "
     "Mounts "
     "are always private: what is mounted later shows on neither side.",
     kAppend<&C::mounts, Expanded<ParseMount>>},
    {"Tmpfs", T::kTmpfs, "",
     "A tmpfs. Options: size=, mode=, ro, rw, [no]exec; nosuid and nodev hold always.",
     kAppend<&C::tmpfs, ParseTmpfs>},
    {"ShmSize", T::kSize, "64M", "The size of /dev/shm.", kSet<&C::shm_size, ParsePositiveSize>},
    {"Mask", T::kPathList, "", "Paths hidden besides the usual ones, separated by ':'.",
     kAppend<&C::mask, ParseMask>},
    {"Unmask", T::kPathList, "", "Paths not hidden after all, separated by ':'; ALL for every one.",
     kAppend<&C::unmask, ParseUnmask>},
    {"Sysctl", T::kAssignments, "",
     "Kernel parameters of the container's own namespaces: net. with a network of its own, be it "
     "none; kernel.shm, kernel.msg, kernel.sem and fs.mqueue. with PrivateIPC=yes. Older kernels "
     "have some of them, as net.core. with Network=none, with UserNS=host only. Quote a value that "
     "holds blanks.",
     kAppend<&C::sysctl, EachWord<ParseNamespacedSysctl>>},
    {"AddDevice", T::kDevices, "",
     "A device of the device in the container, as a node that belongs to its User=, and leave to "
     "open it; a folder such as /dev/snd: all nodes in it. ACCESS is rwm where it is not given. A "
     "leading - leaves out what is missing.",
     kAppend<&C::devices, Expanded<ParseDeviceMapping>>},
    {"Secret", T::kText, "",
     "The device's file /etc/husk/secrets/NAME, which must belong to root and have mode 0600, as "
     "/run/secrets/NAME. Options: target= for another name or path there, uid=, gid= (those of the "
     "unit), mode= (0400). type=env: as the variable target= instead, at most 120K. Files are read "
     "when the unit starts, at most 1M in all; they lie in memory that is never swapped out.",
     kAppend<&C::secrets, Expanded<ParseSecret>>},
    // rights
    {"AddCapability", T::kCapabilities, "",
     "Capabilities to keep; without this key there are none.",
     kAppend<&C::add_capability, EachWord<ParseAddedCapability>>},
    {"DropCapability", T::kCapabilities, "",
     "Capabilities to take away again; 'all' for every one.",
     kAppend<&C::drop_capability, EachWord<ParseDroppedCapability>>},
    {"NoNewPrivileges", T::kBoolean, "yes", "Nothing that is executed gains rights.",
     kSet<&C::no_new_privileges, ParseBoolean>},
    {"SeccompProfile", T::kPath, "",
     "A file of system call rules in Docker's and OCI's JSON, in place of SystemCallFilter=. It is "
     "read when the unit is loaded and when it is first started. Rules for an agent that answers "
     "(SCMP_ACT_NOTIFY, SCMP_ACT_TRACE) are refused.",
     kSet<&C::seccomp_profile, Expanded<ParseSeccompProfile>>},
    {"SystemCallFilter", T::kWords, "the default profile",
     "System calls, and groups such as @mount, as systemd has them: the first assignment begins a "
     "list of what is allowed besides @default, further ones add to it or, with a leading ~, take "
     "away. A first assignment with ~ takes away from the default profile: @system-service without "
     "what Docker refuses; more is open with the capability that a call needs. NAME:ERROR says "
     "what that refused call returns, NAME:kill that it ends the process. Whatever is listed, "
     "calls of other architectures end the process, namespaces need CAP_SYS_ADMIN, ioctl refuses "
     "TIOCSTI and TIOCLINUX, and personality changes nothing.",
     kAppend<&C::system_calls, ParseSystemCallList>},
    {"SystemCallErrorNumber", T::kText, "EPERM",
     "What a refused system call returns: a name or a number; 'kill' ends the process. One that is "
     "newer than husk is ENOSYS.",
     kSet<&C::system_call_error, ParseSystemCallError>},
    {"SystemCallArchitectures", T::kWords, "native",
     "native, or the native architecture's name: no other is ever allowed.",
     kCheck<EachWord<ParseArchitecture>>},
    {"LandlockReadPaths", T::kPathList, "",
     "(own) Landlock: files are read and executed, and directories listed, below these paths of "
     "the container and LandlockWritePaths= only. Name the program, its libraries and what it "
     "reads. Separated by ':'; one with a leading '-' may be missing.",
     kAppend<&C::landlock_read_paths, Expanded<ParseLandlockPaths>>},
    {"LandlockWritePaths", T::kPathList, "",
     "(own) Landlock: files are written, made, removed and truncated below these paths only; from "
     "kernel 6.10 on, devices take ioctls below these only.",
     kAppend<&C::landlock_write_paths, Expanded<ParseLandlockPaths>>},
    {"LandlockBindPorts", T::kPortNumbers, "",
     "(own) Landlock: the only TCP ports that may be bound. Needs kernel 6.7. With any of the "
     "three Landlock keys, from kernel 6.12 on, neither abstract sockets nor processes of others "
     "can be "
     "reached.",
     kAppend<&C::landlock_bind_ports, ParsePorts>},
    // namespaces
    {"UserNS", T::kChoice, "auto",
     "auto: an own range of 65,536 ids, picked by the unit's name, so that it stays the same; "
     "host: the device's ids.",
     kSetChoicePath<&Unit::container, &C::user_ns, kUserNamespaces>},
    {"UIDMap", T::kIdMaps, "",
     "In place of UserNS=: CONTAINER-ID:DEVICE-ID[:COUNT], one assignment a range. Id 0 and User= "
     "must be in it. Images and volumes are mapped by it too.",
     kAppend<&C::uid_map, ParseIdMapping>},
    {"GIDMap", T::kIdMaps,
     "UIDMap=", "The same for groups; UIDMap= is GIDMap= where that is missing.",
     kAppend<&C::gid_map, ParseIdMapping>},
    {"PrivatePIDs", T::kBoolean, "yes", "no: sees the device's processes.",
     kSet<&C::private_pids, ParseBoolean>},
    {"PrivateIPC", T::kBoolean, "yes", "no: shares the device's System V and POSIX IPC.",
     kSet<&C::private_ipc, ParseBoolean>},
    {"PrivateMounts", T::kBoolean, "yes",
     "no: has no root of its own, but the device's root and mounts, /proc, /dev and /sys as the "
     "device sees them. User= is then of the device's passwd.",
     kSet<&C::private_mounts, ParseBoolean>},
    {"ProtectHostname", T::kBoolean, "yes", "no: shares the device's host name.",
     kSet<&C::protect_hostname, ParseBoolean>},
    {"TimeOffset", T::kSpan, "0",
     "(own) Shifts the monotonic and boot clocks, as a program sees them that goes on from where "
     "it "
     "was on another machine, or that is tested with a long uptime. The time of day stays. May be "
     "negative as far as the device has been up.",
     kSet<&C::time_offset, ParseTimeOffset>},
    // network
    {"Network", T::kNetwork, "none",
     "none, host, NAME.container: that unit's network, which is then required and started first; "
     "its restarts go unnoticed, unless its own network is none; "
     "NAME.network, a network of NAME.network's; or macvlan:LINK, ipvlan:LINK, a link of its own "
     "upon one of the device's: the unit is in that LAN itself. It waits for LINK. Written again, "
     "the unit is in several. Behind a colon may stand ip=, ip6=, mac=, alias=, interface_name=, "
     "with commas between. The unit keeps its addresses for as long as its file is there, restarts "
     "and boots included. Of macvlan and ipvlan it is ip=ADDRESS/LENGTH, again for IPv6, and gw= "
     "and mtu=; without ip= it has what IPv6 routers give it, and what its program gets for "
     "itself. "
     "Device and unit cannot reach each other over LINK (the kernel's own limit).",
     Expanding(kOwn<AddNetwork>)},
    {"IP", T::kText, "given out by husk", "The address on the unit's one network.",
     kSet<&C::ip4, ParseIp4Address>},
    {"IP6", T::kText, "given out by husk", "The IPv6 address on the unit's one network.",
     kSet<&C::ip6, ParseIp6Address>},
    {"PublishPort", T::kPorts, "",
     "A port of the device that leads into the container: [[ADDRESS:]PORT:]CONTAINER-PORT[/tcp|udp|"
     "sctp], or ranges of the same length. Without a port of the device husk chooses one, always "
     "the same.",
     kAppend<&C::publish_ports, Expanded<ParsePublishedPort>>},
    {"DNS", T::kText, "the network's, or the device's",
     "A name server for resolv.conf; none: the root's own file stays as it is.",
     kOwn<AddNameServer>},
    {"DNSSearch", T::kText, "", "A search domain; . for none.",
     kAppend<&C::dns_search, Expanded<ParseSearchDomain>>},
    {"DNSOption", T::kText, "", "A resolver option, as in resolv.conf(5).",
     kAppend<&C::dns_options, ParseResolverOption>},
    {"AddHost", T::kText, "",
     "A line of /etc/hosts: NAME[;NAME...]:ADDRESS; host-gateway is the device's address on the "
     "unit's first network.",
     kAppend<&C::hosts, Expanded<ParseHostEntry>>},
    {"NetworkAlias", T::kText, "",
     "A further name by which the units of its networks find it, besides its own.",
     kAppend<&C::network_aliases, Expanded<ParseHostName>>},
    // limits and life: same effect as their [Service] twins
    {"PidsLimit", T::kNumber, "TasksMax=", "Twin of TasksMax=; -1 for no limit.",
     Live(kSetService<&S::tasks_max, ParsePidsLimit>)},
    {"Memory", T::kMemory, "MemoryMax=", "Twin of MemoryMax=.",
     Live(kSetService<&S::memory_max, ParseMemoryCeiling>)},
    {"Ulimit", T::kUlimit, "", "Twin of the Limit...= keys: nofile=1024:4096.", kOwn<AddUlimit>},
    {"StopSignal", T::kSignal, "KillSignal=", "Twin of KillSignal=.",
     Live(kSetService<&S::kill_signal, ParseSignalValue>)},
    {"StopTimeout", T::kNumber, "TimeoutStopSec=", "Twin of TimeoutStopSec=, in whole seconds.",
     Live(kSetService<&S::timeout_stop, ParseWholeSeconds>)},
    {"ReloadCmd", T::kWords, "", "Twin of ExecReload=.",
     Live(kSetService<&S::exec_reload, ParseReloadCommand>)},
    {"ReloadSignal", T::kSignal, "",
     "The signal that 'husk reload UNIT' sends to the program. Type=notify-reload has SIGHUP.",
     Live(kSetService<&S::reload_signal, ParseSignalValue>)},
    // health and readiness
    {"HealthCmd", T::kText, "",
     "A command that succeeds while the unit is healthy, for /bin/sh -c in the container; 'CMD "
     "/bin/check --all' runs a program without a shell, 'none' nothing. It is run in the "
     "container's namespaces and its cgroup.",
     Live(kHealth<&HealthSection::command, ParseHealthCommand>)},
    {"HealthHttp", T::kText, "",
     "(own) http://HOST[:PORT][/PATH]: the unit is healthy while this answers with a status of 2xx "
     "or 3xx. Asked from inside its network, without a program in the image; HOST is an address or "
     "localhost, which is 127.0.0.1, then ::1.",
     Live(kHealth<&HealthSection::http, Expanded<ParseHealthHttp>>)},
    {"HealthTcp", T::kText, "",
     "(own) [HOST:]PORT: the unit is healthy while this accepts connections, as with HealthHttp=.",
     Live(kHealth<&HealthSection::tcp, Expanded<ParseHealthTcp>>)},
    {"HealthInterval", T::kSpan, "30s",
     "Time from the end of a check to the next one; the first is made when the program runs. "
     "disable: only 'husk healthcheck' checks.",
     Live(kHealth<&HealthSection::interval, ParseHealthInterval>)},
    {"HealthTimeout", T::kSpan, "30s",
     "How long a check may take; then it has failed, and its processes are killed.",
     Live(kHealth<&HealthSection::timeout, ParseCheckTimeout>)},
    {"HealthRetries", T::kNumber, "3", "Failures in a row that make it unhealthy.",
     Live(kHealth<&HealthSection::retries, Between<1, INT32_MAX>>)},
    {"HealthStartPeriod", T::kSpan, "0",
     "Time after the start in which failures do not count; a success does.",
     Live(kHealth<&HealthSection::start_period, ParseFiniteSpan>)},
    {"HealthStartupCmd", T::kText, "",
     "Checked in place of the other until it has succeeded; written as HealthCmd=.",
     Live(kHealth<&HealthSection::startup_command, ParseHealthCommand>)},
    {"HealthStartupInterval", T::kSpan, "30s", "Time between startup checks.",
     Live(kHealth<&HealthSection::startup_interval, ParseHealthInterval>)},
    {"HealthStartupRetries", T::kNumber, "0",
     "Failed startup checks after which the unit is restarted; 0: never.",
     Live(kHealth<&HealthSection::startup_retries, Between<0, INT32_MAX>>)},
    {"HealthStartupSuccess", T::kNumber, "1", "Successful startup checks that are needed.",
     Live(kHealth<&HealthSection::startup_success, Between<0, INT32_MAX>>)},
    {"HealthStartupTimeout", T::kSpan, "30s", "How long a startup check may take.",
     Live(kHealth<&HealthSection::startup_timeout, ParseCheckTimeout>)},
    {"HealthOnFailure", T::kChoice, "none",
     "What follows when it becomes unhealthy. kill: it is killed, and Restart= decides; restart; "
     "stop; none.",
     Live(kHealth<&HealthSection::on_failure, ParseHealthAction>)},
    {"Notify", T::kChoice, "no",
     "yes: ready when it says READY=1, as with Type=notify; healthy: after the first good health "
     "check.",
     kSet<&C::notify, ParseNotify>},
    // names and logs
    {"ContainerName", T::kName, "", "A name for people and programs; husk shows it.",
     Live(kSet<&C::container_name, Expanded<ParsePlainName>>)},
    {"Label", T::kAssignments, "", "NAME=VALUE for people and programs; husk shows them.",
     Live(kAppend<&C::labels, ParseLabels>)},
    {"Annotation", T::kAssignments, "", "The same as Label=, in a list of its own.",
     Live(kAppend<&C::annotations, ParseLabels>)},
    {"LogDriver", T::kChoice, "passthrough",
     "passthrough: what the program writes goes where StandardOutput= and StandardError= say; "
     "none: "
     "nothing is kept, as with null for both.",
     kSetChoicePath<&Unit::container, &C::log_driver, kLogDrivers>},
    {"LogOpt", T::kText, "",
     "An option of the log; repeatable. path=FILE: its lines also go to a file, as 'husk logs' "
     "shows "
     "them. max-size=SIZE (1M): it is renamed to FILE.1 when it would grow beyond. max-file=N (3): "
     "so many files are kept. tag=NAME: twin of SyslogIdentifier=. Nothing is written while less "
     "than a twentieth of the file system (at most 64M) is free; what memory still holds is "
     "written later.",
     Live(kAppend<&C::log_options, Expanded<ParseLogOption>>)},
};

}  // namespace

std::span<const KeyRow> ContainerSectionKeys() { return kKeys; }

}  // namespace husk::config
