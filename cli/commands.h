// The client verbs, one function each: exit code as result, errors to standard error.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/format_log.h"
#include "cli/verbs.h"

namespace husk::cli {

int StatusCommand(const Invocation& call);
int ListCommand(const Invocation& call);
int TimersCommand(const Invocation& call);
int NetworkCommand(const Invocation& call);
int WhyCommand(const Invocation& call);
int UnitJobCommand(const Invocation& call);  // start, stop, restart, kill: the verb's name
int LogsCommand(const Invocation& call);
int EventsCommand(const Invocation& call);
int CatCommand(const Invocation& call);
int ShowCommand(const Invocation& call);
int SecurityCommand(const Invocation& call);
int IsSystemRunningCommand(const Invocation& call);
int ShutdownCommand(const Invocation& call);  // poweroff, reboot, halt: the verb's name
int PlanCommand(const Invocation& call);
int ChangeCommand(const Invocation& call);  // apply, reload: the verb's name
int ConfirmCommand(const Invocation& call);
int ImageCommand(const Invocation& call);
int UpdateCommand(const Invocation& call);
int UpgradeCommand(const Invocation& call);
int ExecCommand(const Invocation& call);
int BlameCommand(const Invocation& call);
int CriticalChainCommand(const Invocation& call);
int MetricsCommand(const Invocation& call);
int TopCommand(const Invocation& call);
int DoctorCommand(const Invocation& call);
int VersionCommand(const Invocation& call);

// Shared by them.
void PrintError(std::string_view text);  // "husk: …" on standard error
// False where standard output is gone.
bool Print(std::string_view text);
int ExitCodeOf(const Error& error);
// 0 where `ok`; otherwise prints the error and tells its exit code.
int ExitCodeOf(const Answer& answer);
// The whole of a verb that needs no text of its own: asks, passes the object through where --json
// is given, and prints what `format` makes of the answer otherwise.
int AskAndPrint(const Invocation& call, const Request& request,
                std::string (*format)(const Invocation& call, const Answer& answer));
// The last `count` lines of a unit's log as `status` shows them; empty where there are none.
std::string LastLogLines(const Invocation& call, const std::string& unit, size_t count);

}  // namespace husk::cli
