#include "cli/verbs.h"

#include <iterator>

#include "cli/check.h"
#include "cli/commands.h"
#include "cli/graph.h"
#include "supervisor/supervise.h"

namespace husk::cli {
namespace {

constexpr Option kCommon[] = {
    {'\0', "json", nullptr, "print JSON, for programs"},
    {'\0', "run-dir", "DIR", "run folder (default: $HUSK_RUN, or /run/husk)"},
    {'h', "help", nullptr, "print this page"},
};
constexpr Option kKillOptions[] = {
    {'s', "signal", "SIGNAL", "name or number of the signal (default: SIGTERM)"},
};
constexpr Option kLogsOptions[] = {
    {'f', "follow", nullptr, "go on with what comes, until Ctrl-C"},
    {'n', "lines", "N", "only the last N lines, or 'all' (with -f: 10)"},
    {'S', "since", "TIME", "since TIME: 10min, 05:10, '2026-11-22 05:10:06' (UTC)"},
    {'o', "output", "FORMAT", "short (with times), cat (text), json (a line each)"},
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
constexpr Option kUpdateOptions[] = {
    {'\0', "persist", nullptr, "beyond the next boot: write it to /etc/husk/units"},
};
constexpr Option kPartialOptions[] = {
    {'\0', "partial", nullptr, "take what is valid, though other files have errors"},
};

// Help is read on consoles of 80 columns.
constexpr char kStatusDetails[] =
    "Without units: a line for each. With units: all that is known of each, and the\n"
    "last 10 lines of its log. Exit status: 0 all are up, 3 one is not, 4 there is\n"
    "no such unit; always 0 for the table.";
constexpr char kWhyDetails[] =
    "Says why a unit is in its state: the reason, how it last ended, what happened\n"
    "before, when it is started next, what is wrong with its file, and what to do.";
constexpr char kLogsDetails[] =
    "Prints what the unit wrote, with times, and the starts and ends of its\n"
    "processes. The log lies in memory and is bounded; what fell out at its\n"
    "beginning is counted.";
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
constexpr char kJobDetails[] = "Waits until it is done, and prints how each unit is then.";
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
    "do. With --partial, a unit whose file has errors goes on as it is.";
constexpr char kUpdateDetails[] =
    "Changes limits and other live keys of a unit while it runs, as in\n"
    "'husk update web MemoryMax=64M'. A list key is added to; KEY= takes the default\n"
    "back. Keys that need a restart are refused: they are written in the unit's file.\n"
    "What is set lies in update.conf, a drop-in of the unit, and holds until the\n"
    "device restarts, or with --persist for good. 'husk check --reference live' lists\n"
    "the keys.";
constexpr char kRunningDetails[] =
    "Prints starting, running, degraded (a unit failed or is refused) or stopping.\n"
    "Exit status: 0 for running, 1 for everything else.";
constexpr char kShutdownDetails[] =
    "All units are stopped in order, then the machine. Returns at once.";

constexpr Verb kVerbs[] = {
    {"status",
     VerbGroup::kLook,
     "[UNIT…]",
     "how the units are, or everything about one",
     kStatusDetails,
     {},
     0,
     kAnyNumber,
     StatusCommand,
     nullptr},
    {"list",
     VerbGroup::kLook,
     "",
     "the names of all units, one a line",
     "",
     {},
     0,
     0,
     ListCommand,
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
    {"logs", VerbGroup::kLook, "[OPTION…] UNIT", "what a unit wrote", kLogsDetails, kLogsOptions, 1,
     1, LogsCommand, nullptr},
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
    {"start",
     VerbGroup::kControl,
     "UNIT…",
     "start units",
     kJobDetails,
     {},
     1,
     kAnyNumber,
     UnitJobCommand,
     nullptr},
    {"stop",
     VerbGroup::kControl,
     "UNIT…",
     "stop units; they stay down",
     kJobDetails,
     {},
     1,
     kAnyNumber,
     UnitJobCommand,
     nullptr},
    {"restart",
     VerbGroup::kControl,
     "UNIT…",
     "stop units and start them again",
     kJobDetails,
     {},
     1,
     kAnyNumber,
     UnitJobCommand,
     nullptr},
    {"kill", VerbGroup::kControl, "[-s SIGNAL] UNIT…", "send a signal to a unit's main process", "",
     kKillOptions, 1, kAnyNumber, UnitJobCommand, nullptr},
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
    {"reload", VerbGroup::kChange, "[--partial]", "read the unit files again, and follow them",
     kReloadDetails, kPartialOptions, 0, 0, ChangeCommand, nullptr},
    {"is-system-running", VerbGroup::kMachine, "[--wait]", "how the machine as a whole is",
     kRunningDetails, kRunningOptions, 0, 0, IsSystemRunningCommand, nullptr},
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
