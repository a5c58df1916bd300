// Values of [Container] and [Service] that are more than one number or word. Pure.
#pragma once

#include <cstdint>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/image_name.h"
#include "config/network_values.h"
#include "config/values.h"
#include "config/words.h"

namespace husk::config {

// SOURCE:DEST[:OPTION,…]
Value<Volume> ParseVolume(std::string_view text, const Specifiers& specifiers);
// DEST[:OPTION,…]
Value<TmpfsMount> ParseTmpfs(std::string_view text, const Specifiers& specifiers);
// type=KIND,source=SOURCE,destination=PATH[,OPTION...]
Value<MountSpec> ParseMount(std::string_view text);
// Refuses mount points that would hide what a container cannot run without.
Outcome CheckDestination(std::string_view path);
// "data" or "data.volume".
bool IsVolumeName(std::string_view name);

// Colon-separated paths; `all_word` (or empty) is taken besides them.
Value<std::vector<std::string>> ParsePathList(std::string_view text, std::string_view all_word);
// none, host or NAME.container
// One assignment of Network=; of a NAME.network with its options.
Value<std::string> ParseInterfaceName(std::string_view text);
Value<NetworkMode> ParseNetwork(std::string_view text);
// "CAP_NET_RAW", from "net_raw" too.
Value<std::string> ParseCapability(std::string_view text);

// "1 SIGKILL TEMPFAIL": codes by number or by the names of sysexits.h, signals by name.
Value<ExitStatusSet> ParseExitStatus(std::string_view text);
// "0-3,5" from systemd's list of numbers and ranges.
Value<std::string> ParseCpuList(std::string_view text);
// "50%", 100% = one CPU.
Value<uint32_t> ParseCpuQuota(std::string_view text);
// 1 to 10000, or "idle" (0).
Value<uint32_t> ParseCpuWeight(std::string_view text);

// How the values of an RLIMIT_* are written.
enum class LimitUnit { kCount, kBytes, kSeconds, kMicroseconds, kNice };
// VALUE or SOFT:HARD.
Value<ResourceLimit> ParseResourceLimit(std::string_view text, LimitUnit unit);
// Podman's NAME=SOFT[:HARD]: RLIMIT_* and values.
Value<std::pair<int, ResourceLimit>> ParseUlimit(std::string_view text);

}  // namespace husk::config
