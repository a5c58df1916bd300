// Conditions, commands, folders and credentials of units, from text. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/values.h"
#include "config/words.h"

namespace husk::config {

// Condition...= and Assert...=, with what stands before the value; `kind` and `assertion` are for
// the key to set.
Value<Condition> ParsePathCondition(std::string_view text);
// WORD or NAME=VALUE of the kernel's command line.
Value<Condition> ParseWordCondition(std::string_view text);
Value<Condition> ParseArchitectureCondition(std::string_view text);
Value<Condition> ParseBooleanCondition(std::string_view text);

Value<UnitAction> ParseUnitAction(std::string_view text);

Value<ServiceCommand> ParseServiceCommand(std::string_view text, const Specifiers& specifiers);

// One word of StateDirectory= and its kin: relative, normalised, no "..".
Value<std::string> ParseRelativePath(std::string_view text);
// At most 0777 and the bits above.
Value<unsigned> ParseSocketMode(std::string_view text);
// As sd_listen_fds_with_names(3) takes them.
Value<std::string> ParseDescriptorName(std::string_view text);

// ID[:PATH]
Value<Credential> ParseLoadCredential(std::string_view text);
// ID:VALUE, with C escapes in VALUE
// The value has C's escapes and no specifiers, as in systemd.
Value<Credential> ParseSetCredential(std::string_view text, const Specifiers& specifiers);

// [-]PATH
Value<std::string> ParseEnvironmentFile(std::string_view text);
// EnvironmentHost=: 'no' only.
Value<bool> ParseEnvironmentHost(std::string_view text);
// NAME=VALUE words; a name holds no blank. For labels and annotations.
Value<std::vector<std::string>> ParseLabels(std::string_view text, const Specifiers& specifiers);
// Options of a log: NAME=VALUE.
// "local" or the name of a time zone.
Value<std::string> ParseTimezone(std::string_view text);
// A span with a sign.
Value<Duration> ParseTimeOffset(std::string_view text);
// Letters, digits, '_', '.' and '-'.
Value<std::string> ParsePlainName(std::string_view text);
// A boolean; a list of controllers is refused with the reason.
Value<bool> ParseDelegate(std::string_view text);
// A span, or "disable" (kInfinite).
Value<Duration> ParseHealthInterval(std::string_view text);

}  // namespace husk::config
