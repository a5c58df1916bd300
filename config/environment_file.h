// The files that EnvironmentFile= names (systemd.exec(5)). Pure.
#pragma once

#include <cstddef>

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "config/unit.h"

namespace husk::config {

// Below what the kernel takes as one variable.
inline constexpr size_t kMaxEnvironmentFileBytes = 64 << 10;
inline constexpr size_t kMaxEnvironmentFileVariables = 1'000;

// NAME=VALUE, whole, in the order of the text, a name as often as it is there. As systemd reads it:
// - Lines that begin with '#' or ';', and those without '=', are passed over.
// - A value loses blanks at both ends; '…' and "…" keep theirs, may go over several lines, and may
//   follow each other.
// - A backslash takes the next character as it is, at the end of a line it joins the next one to
//   it; in "…" it does so before " \ ` $ only and stays otherwise; in '…' and in comments it is
//   nothing special.
// What systemd would drop with a message, or guess, is an error: a name that is none, a quote that
// is not closed, bytes that are no UTF-8. The error begins with the line: "line 3: …".
Result<std::vector<std::string>> ParseEnvironmentText(std::string_view text);

// Whether the unit has variables that only the device knows: of files and secrets. What they stand
// for in its command is put in at its start.
bool HasOutsideVariables(const ContainerSection& container);

}  // namespace husk::config
