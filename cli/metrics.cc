#include "cli/metrics.h"

#include <algorithm>
#include <span>
#include <utility>

#include "base/text.h"
#include "base/utf8.h"
#include "cli/version.h"

namespace husk::cli {
namespace {

constexpr const char* kUnitStates[] = {"inactive", "waiting", "starting", "running", "reloading",
                                       "stopping", "backoff", "failed",   "exited",  "refused"};
constexpr const char* kHealthStates[] = {"starting", "healthy", "unhealthy"};
constexpr const char* kSystemStates[] = {"starting", "running", "degraded", "stopping"};

// Microseconds as seconds.
std::string Seconds(uint64_t microseconds) {
    std::string part = std::to_string(microseconds % 1'000'000);
    part.insert(0, 6 - part.size(), '0');
    return Cat(std::to_string(microseconds / 1'000'000), ".", part);
}

std::string SecondsOfNanoseconds(int64_t nanoseconds) {
    return Seconds(static_cast<uint64_t>(std::max<int64_t>(nanoseconds, 0)) / 1000);
}

// One number for each unit that has it.
struct UnitMetric {
    const char* name;  // of the family
    const char* type;
    const char* unit;  // of measurement; "" = none
    const char* help;
    // Empty where the unit has none.
    std::string (*value)(const UnitView& unit, const Figures& figures);
};

std::string Number(const std::optional<uint64_t>& value) {
    return value && *value != UINT64_MAX ? std::to_string(*value) : "";
}
std::string InSeconds(const std::optional<uint64_t>& microseconds) {
    return microseconds ? Seconds(*microseconds) : "";
}

using U = const UnitView&;
using F = const Figures&;
constexpr UnitMetric kUnitMetrics[] = {
    {"husk_unit_restarts", "counter", "",
     "Automatic restarts since the unit was last started on request.",
     [](U unit, F) { return std::to_string(unit.restarts); }},
    {"husk_unit_state_change_timestamp_seconds", "gauge", "seconds",
     "When the unit got into its state, since 1970.",
     [](U unit, F) {
         return unit.since_monotonic == 0 ? std::string() : SecondsOfNanoseconds(unit.since);
     }},
    {"husk_unit_memory_bytes", "gauge", "bytes", "Memory that the unit uses, caches included.",
     [](U, F figures) { return Number(figures.memory); }},
    {"husk_unit_memory_peak_bytes", "gauge", "bytes", "The most memory that it used.",
     [](U, F figures) { return Number(figures.memory_peak); }},
    {"husk_unit_memory_limit_bytes", "gauge", "bytes", "MemoryMax= of the unit.",
     [](U, F figures) { return Number(figures.memory_max); }},
    {"husk_unit_swap_bytes", "gauge", "bytes", "Swap that the unit uses.",
     [](U, F figures) { return Number(figures.swap); }},
    {"husk_unit_tasks", "gauge", "", "Processes and threads.",
     [](U, F figures) { return Number(figures.tasks); }},
    {"husk_unit_tasks_limit", "gauge", "", "TasksMax= of the unit.",
     [](U, F figures) { return Number(figures.tasks_max); }},
    {"husk_unit_cpu_seconds", "counter", "seconds", "CPU time used.",
     [](U, F figures) { return InSeconds(figures.cpu_usec); }},
    {"husk_unit_cpu_throttled_seconds", "counter", "seconds",
     "Time in which CPUQuota= held the unit back.",
     [](U, F figures) { return InSeconds(figures.throttled_usec); }},
    {"husk_unit_io_read_bytes", "counter", "bytes", "Read from disks.",
     [](U, F figures) { return figures.io ? std::to_string(figures.io->read_bytes) : ""; }},
    {"husk_unit_io_written_bytes", "counter", "bytes", "Written to disks.",
     [](U, F figures) { return figures.io ? std::to_string(figures.io->written_bytes) : ""; }},
    {"husk_unit_io_reads", "counter", "", "Read operations of disks.",
     [](U, F figures) { return figures.io ? std::to_string(figures.io->reads) : ""; }},
    {"husk_unit_io_writes", "counter", "", "Write operations of disks.",
     [](U, F figures) { return figures.io ? std::to_string(figures.io->writes) : ""; }},
    {"husk_unit_oom_kills", "counter", "", "Processes of it that the kernel killed for memory.",
     [](U, F figures) { return Number(figures.oom_kills); }},
    {"husk_unit_log_held_bytes", "gauge", "bytes", "Memory that the unit's log holds.",
     [](U unit, F) { return unit.log ? std::to_string(unit.log->memory) : ""; }},
    {"husk_unit_log_written_bytes", "counter", "bytes", "What the unit wrote to its log.",
     [](U unit, F) { return unit.log ? std::to_string(unit.log->bytes) : ""; }},
    {"husk_unit_log_dropped_lines", "counter", "", "Lines that LogRateLimitBurst= dropped.",
     [](U unit, F) { return unit.log ? std::to_string(unit.log->lines_dropped) : ""; }},
    {"husk_unit_timer_last_trigger_timestamp_seconds", "gauge", "seconds",
     "When the unit's timer elapsed last, since 1970.",
     [](U unit, F) {
         return unit.timer && unit.timer->last != 0 ? SecondsOfNanoseconds(unit.timer->last) : "";
     }},
    {"husk_unit_timer_next_trigger_timestamp_seconds", "gauge", "seconds",
     "When the unit's timer elapses next, since 1970.",
     [](U unit, F) {
         return unit.timer && unit.timer->next != 0 ? SecondsOfNanoseconds(unit.timer->next) : "";
     }},
};

class Text {
  public:
    void Family(std::string_view name, std::string_view type, std::string_view unit,
                std::string_view help) {
        text_ += Cat("# TYPE ", name, " ", type, "\n");
        if (!unit.empty()) text_ += Cat("# UNIT ", name, " ", unit, "\n");
        text_ += Cat("# HELP ", name, " ", help, "\n");
    }
    // `labels` as they stand between the braces.
    void Sample(std::string_view name, std::string_view labels, std::string_view value) {
        text_ += name;
        if (!labels.empty()) text_ += Cat("{", labels, "}");
        text_ += Cat(" ", value, "\n");
    }
    void StateSet(std::string_view name, std::string_view labels,
                  std::span<const char* const> states, std::string_view now) {
        for (std::string_view state : states)
            Sample(name, Cat(labels, labels.empty() ? "" : ",", name, "=\"", state, "\""),
                   state == now ? "1" : "0");
    }
    std::string Finish() { return std::move(text_) + "# EOF\n"; }

  private:
    std::string text_;
};

std::string UnitLabel(const UnitView& unit) { return Cat("unit=\"", LabelValue(unit.name), "\""); }

void AddMachine(Text& text, const Scrape& scrape, const Now& now) {
    const Answer& answer = scrape.answer;
    text.Family("husk_build", "info", "", "The version of husk.");
    text.Sample("husk_build_info", Cat("version=\"", LabelValue(scrape.version), "\""), "1");
    text.Family("husk_system_state", "stateset", "", "How the machine as a whole is.");
    text.StateSet("husk_system_state", "", kSystemStates, answer.state);
    text.Family("husk_supervisor_starts", "counter", "",
                "How often the supervisor was started since boot; 1 is as it should be.");
    text.Sample("husk_supervisor_starts_total", "", std::to_string(answer.supervisor_starts));
    if (answer.watchdog) {
        text.Family("husk_watchdog_fed", "gauge", "",
                    "1 while nothing speaks against feeding the hardware watchdog.");
        text.Sample("husk_watchdog_fed", "", answer.watchdog->vetoes.empty() ? "1" : "0");
    }
    text.Family("husk_boot_timestamp_seconds", "gauge", "seconds",
                "When the kernel began, since 1970.");
    text.Sample("husk_boot_timestamp_seconds", "",
                SecondsOfNanoseconds(now.realtime - now.monotonic.since_boot.count()));
    if (answer.boot_settled == 0) return;
    text.Family("husk_boot_duration_seconds", "gauge", "seconds",
                "From the start of the kernel until every unit of the boot was up or given up.");
    text.Sample("husk_boot_duration_seconds", "", SecondsOfNanoseconds(answer.boot_settled));
}

void AddPressure(Text& text, const Scrape& scrape, bool full) {
    const std::string name =
        full ? "husk_unit_pressure_stalled_seconds" : "husk_unit_pressure_waiting_seconds";
    bool begun = false;
    for (size_t i = 0; i < scrape.figures.size(); ++i) {
        const Figures& figures = scrape.figures[i];
        const std::pair<const char*, const Pressure*> kinds[] = {
            {"cpu", &figures.cpu_pressure},
            {"memory", &figures.memory_pressure},
            {"io", &figures.io_pressure}};
        for (const auto& [resource, pressure] : kinds) {
            const auto& line = full ? pressure->full : pressure->some;
            if (!line) continue;
            if (!std::exchange(begun, true))
                text.Family(name, "counter", "seconds",
                            full ? "Time in which all tasks waited for a resource (PSI, full)."
                                 : "Time in which some task waited for a resource (PSI, some).");
            text.Sample(name + "_total",
                        Cat(UnitLabel(scrape.answer.units[i]), ",resource=\"", resource, "\""),
                        Seconds(line->total));
        }
    }
}

void AddUnitMetric(Text& text, const Scrape& scrape, const UnitMetric& metric) {
    const bool counter = std::string_view(metric.type) == "counter";
    const std::string sample = counter ? Cat(metric.name, "_total") : metric.name;
    bool begun = false;
    for (size_t i = 0; i < scrape.figures.size(); ++i) {
        const UnitView& unit = scrape.answer.units[i];
        const std::string value = metric.value(unit, scrape.figures[i]);
        if (value.empty()) continue;
        if (!std::exchange(begun, true))
            text.Family(metric.name, metric.type, metric.unit, metric.help);
        text.Sample(sample, UnitLabel(unit), value);
    }
}

// One number for each unit and network that it is connected to.
struct NetworkMetric {
    const char* name;
    const char* unit;
    const char* help;
    uint64_t TrafficView::*value;
};
constexpr NetworkMetric kNetworkMetrics[] = {
    {"husk_unit_network_receive_bytes", "bytes", "Received from the network.",
     &TrafficView::received_bytes},
    {"husk_unit_network_receive_packets", "", "Packets received from the network.",
     &TrafficView::received_packets},
    {"husk_unit_network_receive_packets_dropped", "",
     "Packets for the unit that its link did not take.", &TrafficView::received_dropped},
    {"husk_unit_network_transmit_bytes", "bytes", "Sent to the network.", &TrafficView::sent_bytes},
    {"husk_unit_network_transmit_packets", "", "Packets sent to the network.",
     &TrafficView::sent_packets},
    {"husk_unit_network_transmit_packets_dropped", "",
     "Packets of the unit that its link did not take.", &TrafficView::sent_dropped},
};

void AddNetworks(Text& text, const Scrape& scrape) {
    for (const NetworkMetric& metric : kNetworkMetrics) {
        bool begun = false;
        for (const auto& unit : scrape.answer.units)
            for (const TrafficView& network : unit.networks) {
                if (!std::exchange(begun, true))
                    text.Family(metric.name, "counter", metric.unit, metric.help);
                text.Sample(Cat(metric.name, "_total"),
                            Cat(UnitLabel(unit), ",network=\"", LabelValue(network.network),
                                network.shared_with.empty() ? "" : "\",shared_with=\"",
                                LabelValue(network.shared_with), "\""),
                            std::to_string(network.*metric.value));
            }
    }
}

void AddHealth(Text& text, const Scrape& scrape) {
    bool begun = false;
    for (const auto& unit : scrape.answer.units) {
        if (!unit.health) continue;
        if (!std::exchange(begun, true))
            text.Family("husk_unit_health", "stateset", "", "What health checks say of the unit.");
        text.StateSet("husk_unit_health", UnitLabel(unit), kHealthStates, unit.health->state);
    }
}

}  // namespace

std::string LabelValue(std::string_view value) {
    std::string text;
    for (char c : ValidUtf8(value)) {
        if (c == '\n') {
            text += "\\n";
            continue;
        }
        if (c == '\\' || c == '"') text += '\\';
        text += c;
    }
    return text;
}

Result<Scrape> ReadScrape(const CallOptions& options) {
    auto reply = Call(options, {.verb = "list"});
    if (!reply) return Fail(std::move(reply).error());
    if (!reply->answer.ok) return Fail(reply->answer.error);
    Scrape scrape{.answer = std::move(reply->answer), .figures = {}, .version = kVersion};
    for (const auto& unit : scrape.answer.units) scrape.figures.push_back(ReadFigures(unit.cgroup));
    return scrape;
}

std::string FormatMetrics(const Scrape& scrape, const Now& now) {
    Text text;
    AddMachine(text, scrape, now);
    const auto& units = scrape.answer.units;
    if (!units.empty()) {
        text.Family("husk_unit", "info", "", "A unit and its description.");
        for (const auto& unit : units)
            text.Sample("husk_unit_info",
                        Cat(UnitLabel(unit), ",description=\"", LabelValue(unit.description), "\""),
                        "1");
        text.Family("husk_unit_state", "stateset", "", "The state of a unit.");
        for (const auto& unit : units)
            text.StateSet("husk_unit_state", UnitLabel(unit), kUnitStates, unit.state);
    }
    for (const auto& metric : kUnitMetrics) AddUnitMetric(text, scrape, metric);
    AddPressure(text, scrape, false);
    AddPressure(text, scrape, true);
    AddNetworks(text, scrape);
    AddHealth(text, scrape);
    return text.Finish();
}

}  // namespace husk::cli
