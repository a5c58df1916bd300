// What the kernel counts for a unit, read by the client itself from the unit's cgroup: a client
// that asks often (top, metrics) costs the supervisor nothing but a list of names.
#pragma once

#include <cstdint>
#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/pressure.h"

namespace husk::cli {

// What is not there (no such controller, no such leaf) stays unknown.
struct Figures {
    std::optional<uint64_t> memory, memory_peak, memory_max, swap, tasks, tasks_max;
    std::optional<uint64_t> cpu_usec, cpu_user_usec, cpu_system_usec, throttled_usec;
    std::optional<uint64_t> oom_kills, memory_high_events;
    std::optional<IoCounts> io;
    Pressure cpu_pressure, memory_pressure, io_pressure;
};
Figures ReadFigures(const std::string& cgroup);

// A process of the unit. Its text is the container's: Visible() before it is shown.
struct ProcessView {
    pid_t pid = 0, parent = 0;
    std::string command;  // its arguments, or [name] where it has none
};

// Those of the leaf and below, by pid; at most `most`, `more` says whether there are others.
std::vector<ProcessView> ReadProcesses(const std::string& cgroup, size_t most, bool& more);

// "name" and parent of the text of /proc/PID/stat; nothing where it is none.
std::optional<ProcessView> ParseProcessStat(std::string_view stat);
// The arguments of /proc/PID/cmdline as one line.
std::string CommandLine(std::string_view cmdline);

// The process tree as lines; a process whose parent is not among them is a root. Each line is cut
// to `width` columns (0: any length).
std::vector<std::string> FormatProcessTree(const std::vector<ProcessView>& processes, size_t width);

}  // namespace husk::cli
