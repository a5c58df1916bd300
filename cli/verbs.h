// The verbs of the one binary, as a table: what runs, and the text of its help. The man page and
// the shell completions are checked against it (tests/unit/cli_docs_test.cc).
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "cli/arguments.h"
#include "cli/client.h"
#include "cli/terminal.h"

namespace husk::cli {

// Documented in husk(1), "EXIT STATUS"; 0, 3 and 4 are those of systemctl.
enum ExitCode : int {
    kExitOk = 0,
    kExitFailed = 1,      // a job failed, or the supervisor refused
    kExitUsage = 2,       // the command line is wrong
    kExitNotRunning = 3,  // status: a unit is not up
    kExitNoSuchUnit = 4,
    kExitUnreachable = 5,  // no supervisor answers
};
// Of exec, whose exit status is the program's: as with others that run one in a container.
inline constexpr int kExitExecFailed = 125, kExitNotExecutable = 126, kExitNotFound = 127;

struct Verb;

// One call of a client verb.
struct Invocation {
    const Verb* verb = nullptr;
    Arguments arguments;  // operands are unit names, without ".container"; of kChange: folders
    CallOptions call;
    Style style;  // of standard output
    bool json = false;
};

enum class VerbGroup { kLook, kControl, kChange, kMachine, kFiles, kRoles };

struct Verb {
    const char* name;
    VerbGroup group;
    const char* usage;  // what stands behind the name; "" = nothing
    const char* help;   // one line
    const char* details;
    std::span<const Option> options;  // besides CommonOptions()
    size_t least_operands, most_operands;
    int (*run)(const Invocation&);      // client verbs
    int (*raw)(int argc, char** argv);  // roles: they read their own options; argv[0] is the verb
    bool command = false;  // the operands behind the first are a command's words, options and all
};

inline constexpr size_t kAnyNumber = SIZE_MAX;

std::span<const Verb> Verbs();
// --json, --run-dir=, --help: of every client verb.
std::span<const Option> CommonOptions();
const Verb* FindVerb(std::string_view name);

std::string OverviewText(const Style& style);
// Of a client verb; roles have a page of their own.
std::string VerbHelpText(const Verb& verb, const Style& style);

// Everything but the role of PID 1: `husk VERB …`, `husk --help`, `husk help VERB`. argv[0] may be
// "poweroff", "reboot" or "halt" (a link to husk).
int RunCommandLine(int argc, char** argv);

}  // namespace husk::cli
