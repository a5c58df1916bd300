#include "cli/figures.h"

#include <algorithm>

#include "base/file.h"
#include "base/text.h"
#include "cli/terminal.h"

namespace husk::cli {
namespace {

constexpr size_t kAttributeLimit = 64 * 1024;
constexpr size_t kProcessesLimit = 1 << 20;
constexpr size_t kCommandLimit = 256;  // bytes of a command line
constexpr int kMostDepth = 8;          // of cgroups below a leaf
constexpr size_t kMostChildren = 256;  // that are looked into, a folder

std::string ReadText(const std::string& path) {
    return ReadFile(path, kAttributeLimit).value_or("");
}

std::optional<uint64_t> ReadNumber(const std::string& path) {
    const std::string text = ReadText(path);
    const auto word = Trim(std::string_view(text).substr(0, text.find('\n')));
    if (word == "max") return UINT64_MAX;
    return ParseUnsigned(word);
}

// The number behind a word in a "word number" file.
std::optional<uint64_t> FindCount(std::string_view text, std::string_view key) {
    for (auto line : Split(text, '\n'))
        if (line.starts_with(key) && line.substr(key.size()).starts_with(' '))
            return ParseUnsigned(line.substr(key.size() + 1));
    return std::nullopt;
}

void CollectPids(const std::string& path, int depth, size_t most, std::vector<pid_t>& pids) {
    if (pids.size() > most) return;
    const std::string text = ReadFile(path + "/cgroup.procs", kProcessesLimit).value_or("");
    for (auto line : Split(text, '\n'))
        if (auto pid = ParseUnsigned(line); pid && pids.size() <= most)
            pids.push_back(static_cast<pid_t>(*pid));
    if (depth == 0) return;
    auto names = ListDirectory(path);
    if (!names) return;
    size_t children = 0;
    for (const auto& name : *names) {
        // Attributes have a dot in their names; what a container calls its cgroups may have, too,
        // and then that has processes.
        const std::string child = Cat(path, "/", name);
        if (name.starts_with("cgroup.") || name.starts_with("memory.") ||
            name.starts_with("cpu.") || name.starts_with("io.") || name.starts_with("pids.") ||
            name.starts_with("cpuset."))
            continue;
        if (++children > kMostChildren) return;
        CollectPids(child, depth - 1, most, pids);
    }
}

}  // namespace

Figures ReadFigures(const std::string& cgroup) {
    Figures figures;
    if (cgroup.empty()) return figures;
    auto path = [&](const char* name) { return Cat(cgroup, "/", name); };
    figures.memory = ReadNumber(path("memory.current"));
    figures.memory_peak = ReadNumber(path("memory.peak"));
    figures.memory_max = ReadNumber(path("memory.max"));
    figures.swap = ReadNumber(path("memory.swap.current"));
    figures.tasks = ReadNumber(path("pids.current"));
    figures.tasks_max = ReadNumber(path("pids.max"));
    const std::string cpu = ReadText(path("cpu.stat"));
    figures.cpu_usec = FindCount(cpu, "usage_usec");
    figures.cpu_user_usec = FindCount(cpu, "user_usec");
    figures.cpu_system_usec = FindCount(cpu, "system_usec");
    figures.throttled_usec = FindCount(cpu, "throttled_usec");
    const std::string events = ReadText(path("memory.events"));
    figures.oom_kills = FindCount(events, "oom_kill");
    figures.memory_high_events = FindCount(events, "high");
    // An empty file is a leaf that has used no disk; a file that is not there is no controller.
    if (auto io = ReadFile(path("io.stat"), kAttributeLimit)) figures.io = ParseIoStat(*io);
    figures.cpu_pressure = ParsePressure(ReadText(path("cpu.pressure")));
    figures.memory_pressure = ParsePressure(ReadText(path("memory.pressure")));
    figures.io_pressure = ParsePressure(ReadText(path("io.pressure")));
    return figures;
}

std::optional<ProcessView> ParseProcessStat(std::string_view stat) {
    // The name in parentheses may hold anything, parentheses too: the last one ends it.
    const auto open = stat.find('('), close = stat.rfind(')');
    if (open == stat.npos || close == stat.npos || close < open) return std::nullopt;
    const auto words = SplitWords(stat.substr(close + 1));
    const auto pid = ParseUnsigned(Trim(stat.substr(0, open)));
    const auto parent = ParseUnsigned(words.size() > 1 ? words[1] : std::string_view());
    if (!pid || !parent || *pid > INT32_MAX || *parent > INT32_MAX) return std::nullopt;
    return ProcessView{static_cast<pid_t>(*pid), static_cast<pid_t>(*parent),
                       Cat("[", stat.substr(open + 1, close - open - 1), "]")};
}

std::string CommandLine(std::string_view cmdline) {
    while (cmdline.ends_with('\0')) cmdline.remove_suffix(1);
    std::string text(cmdline.substr(0, kCommandLimit));
    std::ranges::replace(text, '\0', ' ');
    if (cmdline.size() > kCommandLimit) text += "…";
    return text;
}

std::vector<ProcessView> ReadProcesses(const std::string& cgroup, size_t most, bool& more) {
    std::vector<pid_t> pids;
    if (!cgroup.empty()) CollectPids(cgroup, kMostDepth, most, pids);
    more = pids.size() > most;
    if (more) pids.resize(most);
    std::vector<ProcessView> processes;
    for (const pid_t pid : pids) {
        const std::string folder = Cat("/proc/", std::to_string(pid));
        auto process = ParseProcessStat(ReadText(folder + "/stat"));
        if (!process) continue;  // it has ended
        // Over the limit: as much of it as there is room for is not to be had; its name is.
        const std::string command = CommandLine(ReadText(folder + "/cmdline"));
        if (!command.empty()) process->command = command;
        processes.push_back(std::move(*process));
    }
    return processes;
}

namespace {

struct TreeWriter {
    const std::vector<ProcessView>& processes;
    size_t width;
    std::vector<bool> shown;
    std::vector<std::string> lines;

    std::vector<size_t> ChildrenOf(pid_t parent) const {
        std::vector<size_t> children;
        for (size_t i = 0; i < processes.size(); ++i)
            if (!shown[i] && processes[i].parent == parent) children.push_back(i);
        return children;
    }
    void Add(const std::vector<size_t>& siblings, const std::string& before) {
        for (size_t i : siblings) shown[i] = true;  // a loop of parents ends
        for (size_t i : siblings) {
            const bool last = i == siblings.back();
            const ProcessView& process = processes[i];
            lines.push_back(Shorten(Cat(before, last ? "└─" : "├─", std::to_string(process.pid),
                                        " ", Visible(Style{}, process.command)),
                                    width));
            Add(ChildrenOf(process.pid), Cat(before, last ? "  " : "│ "));
        }
    }
};

}  // namespace

std::vector<std::string> FormatProcessTree(const std::vector<ProcessView>& processes,
                                           size_t width) {
    TreeWriter writer{processes, width, std::vector<bool>(processes.size()), {}};
    std::vector<size_t> roots;
    for (size_t i = 0; i < processes.size(); ++i)
        if (std::ranges::none_of(processes, [&](const ProcessView& other) {
                return other.pid == processes[i].parent && other.pid != processes[i].pid;
            }))
            roots.push_back(i);
    writer.Add(roots, "");
    return std::move(writer.lines);
}

}  // namespace husk::cli
