// `husk logs -b -1`: what storage keeps of the boot before: log files (LogOpt=path=), and what was
// in pstore when this boot began (supervisor/crash_log.h).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/commands.h"
#include "cli/log_merge.h"

namespace husk::cli {

Result<std::vector<std::unique_ptr<LogSource>>> EarlierBoot(const Invocation& call);

// Pure; any bytes may come.
// Of a log file and those before it, oldest first: the lines of the last boot that is not `boot`.
std::vector<LogEntry> LinesOfEarlierBoot(std::string_view text, std::string_view boot);
// Of a dmesg file of pstore: "<6>[   12.345678] text".
std::vector<LogEntry> KernelLinesOfPstore(std::string_view text);

}  // namespace husk::cli
