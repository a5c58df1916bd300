#include "cli/verbs.h"

#include <iterator>

#include "cli/check.h"
#include "cli/commands.h"
#include "cli/graph.h"
#include "cli/log_writer.h"
#include "cli/rescue.h"
#include "supervisor/prepare_root.h"
#include "supervisor/supervise.h"

namespace husk::cli {
namespace {

constexpr Option kCommon[] = {
    {'\0', "json", nullptr, "print JSON, for programs"},
    {'\0', "run-dir", "DIR", "run folder (default: $HUSK_RUN, or /run/husk)"},
    {'h', "help", nullptr, "print this page"},
};
constexpr Option kStateOptions[] = {
    {'\0', "state", "STATE,…", "only units in these states: failed,backoff"},
    {'\0', "failed", nullptr, "the same as --state=failed,refused"},
};
constexpr Option kJobOptions[] = {
    {'\0', "no-wait", nullptr, "do not wait until it is done"},
};
constexpr Option kKillOptions[] = {
    {'\0', "whom", "main|all", "its main process (default), or every process of it"},
    {'s', "signal", "SIGNAL", "name or number of the signal (default: SIGTERM)"},
};
constexpr Option kLogsOptions[] = {
    {'f', "follow", nullptr, "go on with what comes, until Ctrl-C"},
    {'n', "lines", "N", "only the last N lines, or 'all' (with -f: 10)"},
    {'S', "since", "TIME", "since TIME: 10min, today, '2026-11-22 05:10:06' (UTC)"},
    {'U', "until", "TIME", "until TIME"},
    {'o', "output", "FORMAT", "short, short-monotonic, -iso, -precise, cat, json"},
    {'g', "grep", "PATTERN", "only lines with PATTERN (* ? [] as in the shell)"},
    {'k', "dmesg", nullptr, "messages of the kernel, as 'husk logs kernel'"},
    {'b', "boot", "N", "0: this boot; -1: what storage keeps of the one before"},
};
constexpr Option kEventsOptions[] = {
    {'S', "since", "TIME", "of what happened before, only since TIME; 'now': nothing"},
};
constexpr Option kCheckOptions[] = {
    {'\0', "explain", nullptr, "print the files with every plain fix made"},
    {'\0', "kernel-config", "FILE", "a kernel's .config: what it lacks for these units"},
    {'\0', "reference", "man|markdown|keys|live", "print the reference of all keys"},
};
constexpr Option kShowOptions[] = {
    {'g', "given", nullptr, "only what files say, without the defaults"},
    {'p', "property", "KEY", "only this key: Memory, or Service.MemoryMax"},
    {'\0', "namespaces", nullptr, "of a running unit: its namespaces, and who shares them"},
    {'u', "units", "DIR", "folder of units (default: those of the device)"},
    {'\0', "config", "FILE", "system configuration (/etc/husk/system.conf)"},
};
constexpr Option kSecurityOptions[] = {
    {'\0', "threshold", "N", "exit status 1 above N, ten times a score: 0 to 100"},
    {'u', "units", "DIR", "folder of units (default: those of the device)"},
    {'\0', "config", "FILE", "system configuration (/etc/husk/system.conf)"},
};
constexpr Option kGraphOptions[] = {
    {'\0', "dot", nullptr, "print the graph for Graphviz"},
};
constexpr Option kRunningOptions[] = {
    {'w', "wait", nullptr, "wait until the boot has settled"},
};

constexpr Option kApplyOptions[] = {
    {'\0', "confirm", "TIME", "go back unless 'husk confirm' comes in time: 90, 2min"},
};
constexpr Option kExecOptions[] = {
    {'t', "tty", nullptr, "with a terminal: this one's keys and window"},
    {'i', "interactive", nullptr, "with standard input (-t has it already)"},
    {'u', "user", "USER[:GROUP]", "as another user of the container"},
    {'w', "workdir", "DIR", "in this folder of the container"},
    {'e', "env", "NAME=VALUE", "with this variable; may be given again"},
};
constexpr Option kUpdateOptions[] = {
    {'\0', "persist", nullptr, "beyond the next boot: write it to /etc/husk/units"},
};
constexpr Option kUpgradeOptions[] = {
    {'\0', "check", nullptr, "only look at it: signature, version, rehearsal"},
    {'\0', "downgrade", nullptr, "an older version, too"},
    {'\0', "signature", "FILE", "its signature (default: FILE.sig)"},
    {'\0', "within", "TIME", "how long the new one may take to prove itself (10s)"},
};
constexpr Option kReloadOptions[] = {
    {'\0', "partial", nullptr, "take what is valid, though other files have errors"},
    {'\0', "no-wait", nullptr, "of units: do not wait until it is done"},
};
constexpr Option kImageOptions[] = {
    {'\0', "verity", "HASH", "add: the root hash, or a file with it (FILE.roothash)"},
    {'\0', "back", nullptr, "switch: to the version before the current one"},
    {'\0', "within", "TIME", "switch: how long its units may take to prove it"},
    {'\0', "settle", "TIME", "switch: a unit without a health check runs for (10s)"},
    {'\0', "no-rollback", nullptr, "switch: it stays, whatever its units do"},
    {'\0', "unused", nullptr, "remove: all that nothing would miss"},
};
constexpr Option kPartialOptions[] = {
    {'\0', "partial", nullptr, "take what is valid, though other files have errors"},
};

constexpr Option kTopOptions[] = {
    {'b', "batch", nullptr, "print a table a round, for files and pipes"},
    {'n', "rounds", "N", "end after N rounds"},
    {'d', "delay", "TIME", "between two rounds (default: 2s)"},
    {'s', "sort", "KEY", "by c (CPU), m (memory), t (tasks), i (IO), p (PSI)"},
};
constexpr Option kMetricsOptions[] = {
    {'l', "listen", "ADDRESS", "serve them by HTTP: 9100, 0.0.0.0:9100, [::1]:9100"},
};
constexpr Option kDoctorOptions[] = {
    {'a', "all", nullptr, "also what is as it should be"},
    {'u', "units", "DIR", "folder of units (default: those of the device)"},
};

// Help is read on consoles of 80 columns.
constexpr char kUpgradeDetails[] =
    "Replaces the supervisor and then PID 1 by the husk binary FILE; containers do\n"
    "not notice. FILE.sig is a signature of FILE by one of the owner's keys, which\n"
    "the device has as /etc/husk/upgrade.pub. The new supervisor has to take over\n"
    "every unit and to answer, the new PID 1 to be heard by it and to feed the\n"
    "hardware watchdog; otherwise the old ones go on. It is for this boot only: the\n"
    "next one starts what the boot image has.";
constexpr char kStatusDetails[] =
    "Without units, with a pattern such as 'web*', or with --state: a line for each.\n"
    "With units: all that is known of each, its processes, and the last 10 lines of\n"
    "its log. Exit status: 0 all are up, 3 one is not, 4 there is no such unit;\n"
    "always 0 for the table.";
constexpr char kTimersDetails[] =
    "A line for each unit with a [Timer], the next one first: when it comes, how\n"
    "long until then, when it came last, and how long ago. '-' is never: the unit\n"
    "runs since its timer came, or was stopped by 'husk stop'.";
constexpr char kWhyDetails[] =
    "Says why a unit is in its state: the reason, how it last ended, what happened\n"
    "before, when it is started next, what is wrong with its file, and what to do.";
constexpr char kLogsDetails[] =
    "Prints what units wrote, with times, and the starts and ends of their\n"
    "processes; several units, or all where none is named, in order of time. The unit\n"
    "'kernel' is the kernel. Logs lie in memory and are bounded; what fell out at the\n"
    "beginning is counted, and so is what a rate limit dropped. A PATTERN without\n"
    "capitals matches those, too.";
constexpr char kEventsDetails[] =
    "Prints what happened to the units, as 'husk why' knows it, and goes on with\n"
    "every change of state as it comes, until Ctrl-C. A client that is too slow is\n"
    "told how many events it missed.";
constexpr char kShowDetails[] =
    "Reads the unit's files as they are now, drop-ins and system.conf too, and prints\n"
    "each key with its value, and the file and line that it comes from. UNIT may be a\n"
    "file: ./web.container. 'husk plan' says what of it is not in force yet. With\n"
    "--namespaces, the supervisor says which kinds of namespaces the unit has for\n"
    "itself, which are the device's, and which it shares with other units.";
constexpr char kSecurityDetails[] =
    "Reads the units' files, builds what a launch would, and asks it what it may do:\n"
    "a score from 0.0 to 10.0 for each unit, the worst first. With UNIT: a line for\n"
    "each question, with the key to write and what it counts. What gives the device\n"
    "away by itself counts whatever else holds. Nothing has to run, so it works on a\n"
    "build host, too: husk security -u DIR --threshold=50. Exit status: 1 where a\n"
    "unit is above the threshold or refused.";
constexpr char kJobDetails[] =
    "Waits until it is done, and prints how each unit is then. What a unit requires\n"
    "and wants is started with it, and what it conflicts with is stopped; what\n"
    "depends on a unit is stopped and restarted with it. A unit with a [Timer] or a\n"
    "[Socket] is armed by start, and disarmed by stop: its timer does nothing, and\n"
    "its sockets are closed, until it is started or the device boots.";
constexpr char kResetFailedDetails[] =
    "Units that have failed are inactive, and their failures, restarts and starts\n"
    "that count for StartLimitBurst= are forgotten. Without UNIT: all that have\n"
    "failed.";
constexpr char kHealthcheckDetails[] =
    "Makes the unit's health check (HealthCmd=, HealthHttp=, HealthTcp=) now. It\n"
    "counts like any other. Exit status: 0 it has succeeded, 1 it has not.";
constexpr char kPlanDetails[] =
    "Prints a line for each unit that would be started, stopped, restarted or\n"
    "reloaded (changed while it runs), and the keys that make it so. Nothing is\n"
    "changed. Without DIR: what 'husk reload' would do. Exit status: 0 the files are\n"
    "valid, 1 they are not.";
constexpr char kApplyDetails[] =
    "Copies the folder and makes it the active one (/etc/husk/units) in one step: all\n"
    "units are valid, or nothing is changed. Units that did not change are not\n"
    "touched. What was active is kept beside it as units.previous. With --confirm,\n"
    "it comes back by itself unless 'husk confirm' comes in time, whatever happens\n"
    "meanwhile: a reboot is a no. What was not confirmed is kept as units.reverted.";
constexpr char kConfirmDetails[] = "Ends the wait that 'husk apply --confirm' has begun.";
constexpr char kReloadDetails[] =
    "As 'husk apply' for files that were written into the active folder by hand: all\n"
    "units are valid, or nothing is changed; 'husk plan' tells before what it will\n"
    "do. With --partial, a unit whose file has errors goes on as it is.\n"
    "With UNIT: tells the units' programs to read their configuration again, by\n"
    "ExecReload=, Type=notify-reload or ReloadSignal=. Unit files are not read then.";
constexpr char kUpdateDetails[] =
    "Changes limits and other live keys of a unit while it runs, as in\n"
    "'husk update web MemoryMax=64M'. A list key is added to; KEY= takes the default\n"
    "back. Keys that need a restart are refused: they are written in the unit's file.\n"
    "What is set lies in update.conf, a drop-in of the unit, and holds until the\n"
    "device restarts, or with --persist for good. 'husk check --reference live' lists\n"
    "the keys.";
constexpr char kImageDetails[] =
    "  list [NAME]                versions that are there, and who runs them\n"
    "  add FILE [NAME[:VERSION]]  copy an erofs or squashfs file in, and check it\n"
    "  switch NAME VERSION        restart its units with it; 'built-in': without one\n"
    "  remove NAME VERSION…       one that nobody uses\n"
    "Image=NAME means the version that is switched to. Units that run are restarted,\n"
    "and each has to become healthy, or to run without a health check for a while;\n"
    "one that fails, or a restart of the device meanwhile, and the version before\n"
    "comes back by itself. Exit status: 1 where it came back.";
constexpr char kExecDetails[] =
    "Runs a program beside the unit's own: in its namespaces and cgroup, with its\n"
    "capabilities, its seccomp filter, its limits and its environment. Options stand\n"
    "before UNIT. The program sees pipes, or with -t a terminal of the container's,\n"
    "never what husk itself was started with. It ends with the unit at the latest; if\n"
    "husk exec is ended, it gets SIGHUP. Exit status: the program's, 128+N where\n"
    "signal N ended it; 127 there is no such program, 126 it cannot be executed,\n"
    "125 something else failed, such as a unit that does not run.";
constexpr char kRunningDetails[] =
    "Prints starting, running, degraded (a unit failed or is refused) or stopping.\n"
    "Exit status: 0 for running, 1 for everything else.";
constexpr char kTopDetails[] =
    "A line for each unit: CPU, memory, tasks, IO a second, and the share of the last\n"
    "10 seconds in which it waited for a resource (PSI). c m t i n p sort, q ends; n\n"
    "shows networks where disks stood, a wide screen (98 columns) has both. It reads\n"
    "the cgroups itself and asks the supervisor for names and networks only.\n"
    "With --json, an object a round.";
constexpr char kMetricsDetails[] =
    "Prints OpenMetrics text once; with --listen, serves it at http://ADDRESS/metrics\n"
    "until it is ended, to this device only unless another address is given. The\n"
    "supervisor is asked once a scrape, and twice a second at most.";
constexpr char kBlameDetails[] =
    "TOOK is from a unit's launch until it was up, WAITED what came before: units\n"
    "that it is ordered after. The first start since boot counts.";
constexpr char kChainDetails[] =
    "The unit, which of those it waited for was up last, what that one waited for,\n"
    "and so on. Without UNIT: of the unit that was up last.";
constexpr char kDoctorDetails[] =
    "Looks at the running kernel and the board, and changes nothing. Exit status: 1\n"
    "where something is missing that husk or a unit needs.";
constexpr char kNetworkDetails[] =
    "A line for each NAME.network: whether its bridge is there, how many of its\n"
    "units are up, and the device's own addresses in it. Of one network a line for\n"
    "each unit: its addresses, which it has even when it is down, its published\n"
    "ports, and what went through its link. Below, the device's own links, with\n"
    "their addresses and what went through them; of one link also who gave it its\n"
    "addresses: system.conf, a lease (DHCP, or a router's), the kernel, or others.";

constexpr char kShutdownDetails[] =
    "All units are stopped in order, then the machine. Returns at once.";

constexpr Verb kVerbs[] = {
    {"status", VerbGroup::kLook, "[OPTION…] [UNIT…]", "how the units are, or everything about one",
     kStatusDetails, kStateOptions, 0, kAnyNumber, StatusCommand, nullptr},
    {"list", VerbGroup::kLook, "[OPTION…] [UNIT…]", "the names of all units, one a line", "",
     kStateOptions, 0, kAnyNumber, ListCommand, nullptr},
    {"timers",
     VerbGroup::kLook,
     "",
     "when which unit is started by its timer",
     kTimersDetails,
     {},
     0,
     0,
     TimersCommand,
     nullptr},
    {"network",
     VerbGroup::kLook,
     "[NETWORK|LINK]",
     "networks and who is in them, and the device's links",
     kNetworkDetails,
     {},
     0,
     1,
     NetworkCommand,
     nullptr},
    {"why",
     VerbGroup::kLook,
     "UNIT…",
     "why a unit is in its state, and what to do",
     kWhyDetails,
     {},
     1,
     kAnyNumber,
     WhyCommand,
     nullptr},
    {"logs", VerbGroup::kLook, "[OPTION…] [UNIT…]", "what units wrote", kLogsDetails, kLogsOptions,
     0, kAnyNumber, LogsCommand, nullptr},
    {"events", VerbGroup::kLook, "[--since=TIME] [UNIT…]", "every change of a unit, as it comes",
     kEventsDetails, kEventsOptions, 0, kAnyNumber, EventsCommand, nullptr},
    {"cat",
     VerbGroup::kLook,
     "UNIT…",
     "a unit's files as they are on disk",
     "",
     {},
     1,
     kAnyNumber,
     CatCommand,
     nullptr},
    {"show", VerbGroup::kFiles, "[OPTION…] UNIT…", "every value of a unit, and where it comes from",
     kShowDetails, kShowOptions, 1, kAnyNumber, ShowCommand, nullptr},
    {"security", VerbGroup::kFiles, "[OPTION…] [UNIT…]",
     "what units may do, and how much that exposes", kSecurityDetails, kSecurityOptions, 0,
     kAnyNumber, SecurityCommand, nullptr},
    {"top", VerbGroup::kLook, "[OPTION…]", "what units use, live", kTopDetails, kTopOptions, 0, 0,
     TopCommand, nullptr},
    {"metrics", VerbGroup::kLook, "[--listen=ADDRESS]", "figures of all units, as OpenMetrics",
     kMetricsDetails, kMetricsOptions, 0, 0, MetricsCommand, nullptr},
    {"start", VerbGroup::kControl, "[--no-wait] UNIT…", "start units", kJobDetails, kJobOptions, 1,
     kAnyNumber, UnitJobCommand, nullptr},
    {"stop", VerbGroup::kControl, "[--no-wait] UNIT…", "stop units; they stay down", kJobDetails,
     kJobOptions, 1, kAnyNumber, UnitJobCommand, nullptr},
    {"restart", VerbGroup::kControl, "[--no-wait] UNIT…", "stop units and start them again",
     kJobDetails, kJobOptions, 1, kAnyNumber, UnitJobCommand, nullptr},
    {"kill", VerbGroup::kControl, "[-s SIGNAL] [--whom=main|all] UNIT…",
     "send a signal to a unit's processes", "", kKillOptions, 1, kAnyNumber, UnitJobCommand,
     nullptr},
    {"reset-failed",
     VerbGroup::kControl,
     "[UNIT…]",
     "take note of failures, and forget them",
     kResetFailedDetails,
     {},
     0,
     kAnyNumber,
     UnitJobCommand,
     nullptr},
    {"exec", VerbGroup::kControl, "[OPTION…] UNIT COMMAND [ARG…]",
     "run a program in a unit's container", kExecDetails, kExecOptions, 2, kAnyNumber, ExecCommand,
     nullptr, true},
    {"healthcheck",
     VerbGroup::kControl,
     "UNIT",
     "check a unit's health now",
     kHealthcheckDetails,
     {},
     1,
     1,
     UnitJobCommand,
     nullptr},
    {"update", VerbGroup::kControl, "[--persist] UNIT KEY=VALUE…",
     "change limits of a unit while it runs", kUpdateDetails, kUpdateOptions, 2, kAnyNumber,
     UpdateCommand, nullptr},
    {"plan", VerbGroup::kChange, "[DIR]", "what would change if these units were active",
     kPlanDetails, kPartialOptions, 0, 1, PlanCommand, nullptr},
    {"apply", VerbGroup::kChange, "[--confirm=TIME] DIR",
     "make the units of a folder the active ones", kApplyDetails, kApplyOptions, 1, 1,
     ChangeCommand, nullptr},
    {"confirm",
     VerbGroup::kChange,
     "",
     "keep what was applied",
     kConfirmDetails,
     {},
     0,
     0,
     ConfirmCommand,
     nullptr},
    {"reload", VerbGroup::kChange, "[--partial] | [--no-wait] UNIT…",
     "read the unit files again; or reload a unit", kReloadDetails, kReloadOptions, 0, kAnyNumber,
     ChangeCommand, nullptr},
    {"image", VerbGroup::kChange, "[list|add|switch|remove] …",
     "versions of images: put beside, switched, rolled back", kImageDetails, kImageOptions, 0,
     kAnyNumber, ImageCommand, nullptr},
    {"is-system-running", VerbGroup::kMachine, "[--wait]", "how the machine as a whole is",
     kRunningDetails, kRunningOptions, 0, 0, IsSystemRunningCommand, nullptr},
    {"blame",
     VerbGroup::kMachine,
     "",
     "which units the boot spent its time with",
     kBlameDetails,
     {},
     0,
     0,
     BlameCommand,
     nullptr},
    {"critical-chain",
     VerbGroup::kMachine,
     "[UNIT]",
     "what a unit waited for at boot",
     kChainDetails,
     {},
     0,
     1,
     CriticalChainCommand,
     nullptr},
    {"upgrade", VerbGroup::kMachine, "[OPTION…] FILE",
     "replace husk by another binary, in place", kUpgradeDetails, kUpgradeOptions, 1, 1,
     UpgradeCommand, nullptr},
    {"doctor", VerbGroup::kMachine, "[OPTION…]", "what this kernel and board offer, and lack",
     kDoctorDetails, kDoctorOptions, 0, 0, DoctorCommand, nullptr},
    {"poweroff",
     VerbGroup::kMachine,
     "",
     "stop everything and switch off",
     kShutdownDetails,
     {},
     0,
     0,
     ShutdownCommand,
     nullptr},
    {"reboot",
     VerbGroup::kMachine,
     "",
     "stop everything and start anew",
     kShutdownDetails,
     {},
     0,
     0,
     ShutdownCommand,
     nullptr},
    {"halt",
     VerbGroup::kMachine,
     "",
     "stop everything and stand still",
     kShutdownDetails,
     {},
     0,
     0,
     ShutdownCommand,
     nullptr},
    {"kexec",
     VerbGroup::kMachine,
     "",
     "stop everything and start the loaded kernel",
     kShutdownDetails,
     {},
     0,
     0,
     ShutdownCommand,
     nullptr},
    {"check", VerbGroup::kFiles, "[PATH…]", "find the errors in unit files", "", kCheckOptions, 0,
     kAnyNumber, nullptr, CheckMain},
    {"graph", VerbGroup::kFiles, "[PATH…|UNIT…]", "who needs whom, and who starts when", "",
     kGraphOptions, 0, kAnyNumber, nullptr, GraphMain},
    {"version",
     VerbGroup::kFiles,
     "",
     "the versions of husk and of the supervisor",
     "",
     {},
     0,
     0,
     VersionCommand,
     nullptr},
    {"log-files",
     VerbGroup::kRoles,
     "[OPTION…]",
     "write logs to files; started by supervise",
     "",
     {},
     0,
     kAnyNumber,
     nullptr,
     LogFilesMain},
    {"prepare-root",
     VerbGroup::kRoles,
     "FOLDER",
     "mount the root of husk.root=; started by init",
     "",
     {},
     0,
     kAnyNumber,
     nullptr,
     supervisor::PrepareRootMain},
    {"rescue",
     VerbGroup::kRoles,
     "",
     "ask for the rescue password; started by init",
     "",
     {},
     0,
     0,
     nullptr,
     RescueMain},
    {"supervise",
     VerbGroup::kRoles,
     "[OPTION…]",
     "run units; started by init, or by hand",
     "",
     {},
     0,
     kAnyNumber,
     nullptr,
     supervisor::SuperviseMain},
};

}  // namespace

std::span<const Verb> Verbs() { return kVerbs; }
std::span<const Option> CommonOptions() { return kCommon; }

const Verb* FindVerb(std::string_view name) {
    for (const auto& verb : kVerbs)
        if (verb.name == name) return &verb;
    return nullptr;
}

}  // namespace husk::cli
