// `husk top`: what units use between two looks at their cgroups, as pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "cli/answer.h"
#include "cli/figures.h"
#include "cli/terminal.h"

namespace husk::cli {

struct Sample {
    Instant at{};
    std::string state;  // of the machine
    std::vector<UnitView> units;
    std::vector<Figures> figures;  // one for each unit
};

// What is unknown is empty: rates before the second sample, figures without a controller.
struct TopRow {
    std::string name, state;
    std::optional<uint64_t> cpu;  // hundredths of a percent of one CPU
    std::optional<uint64_t> memory, tasks, read_rate, write_rate;  // bytes; bytes a second
    std::optional<uint64_t> receive_rate, send_rate;               // by networks: bytes a second
    std::optional<uint64_t> pressure;  // hundredths of a percent: the most of cpu, memory, io
};

enum class TopKey { kCpu, kMemory, kTasks, kIo, kNetwork, kPressure };
// 'c', 'm', 't', 'i', 'n', 'p'.
std::optional<TopKey> TopKeyOf(char letter);

// Of units that have processes; those of `before` with another process or leaf have no rates.
std::vector<TopRow> TopRows(const Sample& before, const Sample& now);
void SortRows(std::vector<TopRow>& rows, TopKey key);

// Lines for a screen of width and height (0: any): a summary, a head, and as many rows as there is
// room for. Where it is too narrow for disks and networks both, networks are shown while they are
// what it is sorted by.
std::vector<std::string> FormatTop(const Sample& now, const std::vector<TopRow>& rows, TopKey key,
                                   const Style& style, size_t height);
std::string TopJson(const Sample& now, const std::vector<TopRow>& rows);

// The bytes that change a screen from one frame to the next: only lines that differ are written.
std::string RedrawScreen(const std::vector<std::string>& before,
                         const std::vector<std::string>& now);

}  // namespace husk::cli
