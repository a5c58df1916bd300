// System calls, id maps, kernel parameters and secrets, from text. Pure.
#pragma once

#include <cstdint>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/unit.h"
#include "config/values.h"

namespace husk::config {

// Names and groups that husk knows, those of other architectures too; without `at`.
Value<SystemCallList> ParseSystemCallList(std::string_view text);
// A name of errno(3), a number of 1 to 4095, or "kill" (0).
Value<int> ParseSystemCallError(std::string_view text);
// `word` where it is one of `words`, else the nearest as a hint; `what` is "an architecture".
Outcome OneOf(std::string_view word, std::string_view words, std::string_view what);
// "native", or systemd's name of this architecture: calls of others always kill the process.
Value<std::string> ParseArchitecture(std::string_view text);
// An absolute path.
Value<std::string> ParseSeccompProfile(std::string_view text);

// INSIDE:OUTSIDE[:COUNT]
Value<IdMapping> ParseIdMapping(std::string_view text);

// Absolute paths, separated by ':'; a leading '-' of one, which is kept, says that it may be
// missing. Specifiers are expanded.
Value<std::vector<std::string>> ParseLandlockPaths(std::string_view text);
// Ports, separated by blanks.
Value<std::vector<uint16_t>> ParsePorts(std::string_view text);

// NAME=VALUE of a kernel parameter that namespaces have their own of.
Value<std::string> ParseNamespacedSysctl(std::string_view text);

// A root hash in hexadecimal, or the path of a file with one.
Value<std::string> ParseRootHash(std::string_view text);

// NAME[,type=mount|env][,target=][,uid=][,gid=][,mode=]
Value<SecretSpec> ParseSecret(std::string_view text);

}  // namespace husk::config
