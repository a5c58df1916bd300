#include "cli/top.h"

#include <algorithm>

#include "base/sort.h"
#include "base/text.h"
#include "cli/format.h"

namespace husk::cli {
namespace {

// Counters of a leaf that was made anew begin at zero.
std::optional<uint64_t> RateOf(std::optional<uint64_t> before, std::optional<uint64_t> now,
                               Duration span) {
    if (!before || !now || *now < *before || span.count() <= 0) return std::nullopt;
    return static_cast<uint64_t>(static_cast<double>(*now - *before) * 1e9 /
                                 static_cast<double>(span.count()));
}

TrafficView AllTraffic(const UnitView& unit) {
    TrafficView all;
    for (const TrafficView& one : unit.networks) {
        all.received_bytes += one.received_bytes;
        all.sent_bytes += one.sent_bytes;
    }
    return all;
}

std::optional<uint64_t> Most(const Figures& figures) {
    std::optional<uint64_t> most;
    for (const Pressure* pressure :
         {&figures.cpu_pressure, &figures.memory_pressure, &figures.io_pressure})
        if (pressure->some) most = std::max<uint64_t>(most.value_or(0), pressure->some->avg10);
    return most;
}

uint64_t KeyOf(const TopRow& row, TopKey key) {
    switch (key) {
        case TopKey::kCpu: return row.cpu.value_or(0);
        case TopKey::kMemory: return row.memory.value_or(0);
        case TopKey::kTasks: return row.tasks.value_or(0);
        case TopKey::kIo: return row.read_rate.value_or(0) + row.write_rate.value_or(0);
        case TopKey::kNetwork: return row.receive_rate.value_or(0) + row.send_rate.value_or(0);
        case TopKey::kPressure: return row.pressure.value_or(0);
    }
    return 0;
}

const char* KeyName(TopKey key) {
    switch (key) {
        case TopKey::kCpu: return "CPU";
        case TopKey::kMemory: return "memory";
        case TopKey::kTasks: return "tasks";
        case TopKey::kIo: return "IO";
        case TopKey::kNetwork: return "network";
        case TopKey::kPressure: return "PSI";
    }
    return "";
}

std::string Bytes(const std::optional<uint64_t>& value) {
    return value ? FormatBytes(*value) : "-";
}
std::string Percent(const std::optional<uint64_t>& value) {
    return value ? FormatPercent(*value) : "-";
}

constexpr size_t kColumn = 8;

}  // namespace

std::optional<TopKey> TopKeyOf(char letter) {
    switch (letter) {
        case 'c': return TopKey::kCpu;
        case 'm': return TopKey::kMemory;
        case 't': return TopKey::kTasks;
        case 'i': return TopKey::kIo;
        case 'n': return TopKey::kNetwork;
        case 'p': return TopKey::kPressure;
        default: return std::nullopt;
    }
}

std::vector<TopRow> TopRows(const Sample& before, const Sample& now) {
    std::vector<TopRow> rows;
    const Duration span = now.at - before.at;
    size_t old = 0;  // both are sorted by name
    for (size_t i = 0; i < now.units.size(); ++i) {
        const UnitView& unit = now.units[i];
        const Figures& figures = now.figures[i];
        while (old < before.units.size() && before.units[old].name < unit.name) ++old;
        if (unit.main_pid == 0 && figures.tasks.value_or(0) == 0) continue;
        TopRow row{.name = unit.name,
                   .state = unit.state,
                   .cpu = {},
                   .memory = figures.memory,
                   .tasks = figures.tasks,
                   .read_rate = {},
                   .write_rate = {},
                   .receive_rate = {},
                   .send_rate = {},
                   .pressure = Most(figures)};
        const bool known = old < before.units.size() && before.units[old].name == unit.name;
        if (known && before.units[old].main_pid == unit.main_pid) {
            const Figures& last = before.figures[old];
            // Microseconds of CPU time a second are ten-thousandths of a percent … of one CPU.
            if (auto rate = RateOf(last.cpu_usec, figures.cpu_usec, span)) row.cpu = *rate / 100;
            if (last.io && figures.io) {
                row.read_rate = RateOf(last.io->read_bytes, figures.io->read_bytes, span);
                row.write_rate = RateOf(last.io->written_bytes, figures.io->written_bytes, span);
            }
        }
        // Its links outlive its process: their counters go on.
        if (known && !unit.networks.empty() && !before.units[old].networks.empty()) {
            const TrafficView last = AllTraffic(before.units[old]), all = AllTraffic(unit);
            row.receive_rate = RateOf(last.received_bytes, all.received_bytes, span);
            row.send_rate = RateOf(last.sent_bytes, all.sent_bytes, span);
        }
        rows.push_back(std::move(row));
    }
    return rows;
}

void SortRows(std::vector<TopRow>& rows, TopKey key) {
    Sort(rows, [key](const TopRow& a, const TopRow& b) { return KeyOf(a, key) > KeyOf(b, key); });
}

std::vector<std::string> FormatTop(const Sample& now, const std::vector<TopRow>& rows, TopKey key,
                                   const Style& style, size_t height) {
    size_t failed = 0;
    for (const auto& unit : now.units) failed += unit.state == "failed" || unit.state == "refused";
    std::string summary =
        Cat(std::to_string(now.units.size()), " units, ", std::to_string(rows.size()), " run");
    if (failed != 0) summary += Cat(", ", std::to_string(failed), " failed");
    if (!now.state.empty()) summary += Cat("; ", now.state);
    summary += Cat("; up ", FormatDuration(now.at.since_boot), "; by ", KeyName(key));
    if (height != 0) summary += " (c m t i n p, q)";
    constexpr size_t kLongestName = 26, kState = 9;
    const bool both = style.width == 0 || style.width >= 98;
    const bool disks = both || key != TopKey::kNetwork, networks = both || !disks;
    const size_t columns = (both ? 8 : 6) * (kColumn + 1);
    size_t name = 4;
    for (const auto& row : rows) name = std::max(name, Columns(Visible(style, row.name)));
    // 80 columns: a name of 16, a state of 9, and the figures.
    size_t most = style.width == 0 ? kLongestName : style.width - columns - kState - 1;
    if (style.width != 0 && style.width < columns + kState + 9) most = 8;
    name = std::min(name, most);
    auto line = [&](std::string_view first, std::string_view state,
                    std::initializer_list<std::string> figures,
                    std::initializer_list<std::string> of_disks,
                    std::initializer_list<std::string> of_networks, const std::string& pressure) {
        std::string text = Cat(PadRight(Shorten(first, name), name), " ", PadRight(state, kState));
        auto add = [&](const std::string& figure) { text += Cat(" ", PadLeft(figure, kColumn)); };
        for (const auto& figure : figures) add(figure);
        if (disks)
            for (const auto& figure : of_disks) add(figure);
        if (networks)
            for (const auto& figure : of_networks) add(figure);
        add(pressure);
        return Shorten(text, style.width);
    };
    std::vector<std::string> lines{Shorten(summary, style.width), "",
                                   line("UNIT", "STATE", {"CPU", "MEMORY", "TASKS"},
                                        {"READ/s", "WRITE/s"}, {"IN/s", "OUT/s"}, "PSI")};
    const size_t room = height == 0             ? rows.size()
                        : height > lines.size() ? height - lines.size()
                                                : 0;
    for (size_t i = 0; i < rows.size() && i < room; ++i) {
        const TopRow& row = rows[i];
        lines.push_back(line(
            Visible(Style{}, row.name), Visible(Style{}, row.state),
            {Percent(row.cpu), Bytes(row.memory), row.tasks ? std::to_string(*row.tasks) : "-"},
            {Bytes(row.read_rate), Bytes(row.write_rate)},
            {Bytes(row.receive_rate), Bytes(row.send_rate)}, Percent(row.pressure)));
    }
    return lines;
}

std::string TopJson(const Sample& now, const std::vector<TopRow>& rows) {
    auto number = [](const std::optional<uint64_t>& value) {
        return value ? std::to_string(*value) : std::string("null");
    };
    std::string text =
        Cat("{\"version\":1,\"ok\":true,\"monotonic\":", std::to_string(now.at.since_boot.count()),
            ",\"units\":[");
    for (const auto& row : rows) {
        text += Cat(&row == rows.data() ? "" : ",", "{\"name\":", JsonString(row.name),
                    ",\"state\":", JsonString(row.state),
                    ",\"cpu_percent_hundredths\":", number(row.cpu),
                    ",\"memory\":", number(row.memory));
        text += Cat(",\"tasks\":", number(row.tasks), ",\"read_rate\":", number(row.read_rate),
                    ",\"write_rate\":", number(row.write_rate),
                    ",\"receive_rate\":", number(row.receive_rate),
                    ",\"send_rate\":", number(row.send_rate),
                    ",\"pressure_percent_hundredths\":", number(row.pressure), "}");
    }
    return text + "]}\n";
}

std::string RedrawScreen(const std::vector<std::string>& before,
                         const std::vector<std::string>& now) {
    std::string text;
    for (size_t i = 0; i < std::max(before.size(), now.size()); ++i) {
        const std::string_view line = i < now.size() ? std::string_view(now[i]) : "";
        if (i < before.size() && before[i] == line) continue;
        // Erased first: behind a letter in the last column the cursor still stands upon it.
        text += Cat("\x1b[", std::to_string(i + 1), ";1H\x1b[K", line);
    }
    return text;
}

}  // namespace husk::cli
