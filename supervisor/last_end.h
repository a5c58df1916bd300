// How the last boot ended, as the file STATE/reset-reason tells it: there and empty while a boot
// lasts, with the reason once the hardware watchdog is left to its work, gone after an orderly end.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace husk::supervisor {

std::string ResetReasonFile(const std::string& state_directory);

// "" where it ended in order, or nobody knows. `kept`: what the file holds; `watchdog`: the hardware
// says that it was reset by its watchdog. Pure.
std::string DescribeLastEnd(const std::optional<std::string>& kept, bool watchdog);
// The last reason in what pstore has kept, for where state storage could not. Pure.
std::string FindReason(std::string_view log);

// At the beginning of a boot: the words for the last one; from here on a new one lasts. Kept in
// RUN/last-end for the supervisors that follow.
std::string BeginBoot(const std::string& state_directory, const std::string& run_directory,
                      bool watchdog);
std::string ReadLastEnd(const std::string& run_directory);
// All units are stopped: what comes now is an orderly end.
Status NoteOrderlyEnd(const std::string& state_directory);

}  // namespace husk::supervisor
