// The text against an own strict reader of OpenMetrics 1.0 (its ABNF, and the rules about
// families). tests/host/test_metrics.py reads it with prometheus_client too, where that is
// installed.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"
#include "base/utf8.h"
#include "cli/metrics.h"

namespace husk::cli {
namespace {

struct Reader {
    struct Family {
        std::string type, unit;
        bool help = false;
    };
    std::map<std::string, Family> families;
    std::map<std::string, std::string> samples;  // "name{labels}" -> value
    std::string problem;

    void Fail(std::string_view why, std::string_view line) {
        if (problem.empty()) problem = Cat(why, ": ", line);
    }

    static bool IsName(std::string_view name) {
        if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
        return std::ranges::all_of(name, [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                   c == '_' || c == ':';
        });
    }

    // Returns what stands behind the labels.
    std::string_view Labels(std::string_view text, std::set<std::string>& names,
                            std::string_view line) {
        text.remove_prefix(1);
        while (!text.starts_with('}')) {
            const auto equals = text.find("=\"");
            if (equals == text.npos || !IsName(text.substr(0, equals)))
                return Fail("label", line), std::string_view();
            if (!names.insert(std::string(text.substr(0, equals))).second)
                return Fail("a label twice", line), std::string_view();
            text.remove_prefix(equals + 2);
            for (;;) {
                if (text.empty()) return Fail("label without end", line), std::string_view();
                const char c = text[0];
                text.remove_prefix(1);
                if (c == '"') break;
                if (c != '\\') continue;
                if (text.empty() || (text[0] != 'n' && text[0] != '\\' && text[0] != '"'))
                    return Fail("escape", line), std::string_view();
                text.remove_prefix(1);
            }
            if (text.starts_with(',')) text.remove_prefix(1);
        }
        return text.substr(1);
    }

    void Sample(std::string_view line, std::string_view family, const Family& is) {
        const auto end = line.find_first_of("{ ");
        const auto name = line.substr(0, end);
        if (end == line.npos || !IsName(name)) return Fail("name", line);
        const std::string suffix = is.type == "counter" ? "_total"
                                   : is.type == "info"  ? "_info"
                                                        : "";
        if (name != Cat(family, suffix)) return Fail("sample outside of its family", line);
        std::set<std::string> labels;
        std::string_view rest = line.substr(end);
        if (rest.starts_with('{')) rest = Labels(rest, labels, line);
        if (is.type == "stateset" && !labels.contains(std::string(family)))
            return Fail("state without its label", line);
        if (!rest.starts_with(' ')) return Fail("no value", line);
        const std::string value(rest.substr(1));
        char* after = nullptr;
        const double number = std::strtod(value.c_str(), &after);
        if (value.empty() || *after != '\0') return Fail("value", line);
        if ((is.type == "stateset" || is.type == "info") && value != "1" && value != "0")
            return Fail("neither 0 nor 1", line);
        if (is.type == "counter" && number < 0) return Fail("below zero", line);
        if (!samples.emplace(line.substr(0, line.size() - value.size() - 1), value).second)
            return Fail("twice", line);
    }

    void Read(std::string_view text) {
        if (ValidUtf8(text) != text) return Fail("no UTF-8", "");
        if (!text.ends_with("# EOF\n")) return Fail("no end", "");
        text.remove_suffix(6);
        std::string family;
        for (auto line : Split(text, '\n')) {
            if (line.empty()) continue;
            if (!line.starts_with('#')) {
                if (family.empty()) return Fail("no family", line);
                Sample(line, family, families[family]);
                continue;
            }
            const auto words = Split(line, ' ');
            if (words.size() < 4) return Fail("comment", line);
            if (family != words[2]) {
                family = words[2];
                if (families.contains(family)) return Fail("a family in two places", line);
                families[family];
            }
            Family& is = families[family];
            if (words[1] == "TYPE")
                is.type = words[3];
            else if (words[1] == "UNIT")
                is.unit = words[3];
            else if (words[1] == "HELP")
                is.help = true;
            else
                return Fail("comment", line);
            if (!is.unit.empty() && !family.ends_with("_" + is.unit))
                return Fail("the name does not end in the unit", line);
        }
        for (const auto& [name, is] : families)
            if (!is.help || is.type.empty()) Fail("no help or type", name);
    }
};

Scrape Example() {
    Scrape scrape;
    scrape.version = "0.1.0";
    scrape.answer.ok = true;
    scrape.answer.state = "degraded";
    scrape.answer.supervisor_starts = 2;
    scrape.answer.boot_settled = 4'200'000'000;
    UnitView web;
    web.name = "web";
    web.description = "A \"web\" server\nwith \\ and \xff";
    web.state = "running";
    web.restarts = 3;
    web.since = 1'763'000'000'000'000'000;
    web.since_monotonic = 1;
    web.log = LogView{.bytes = 5000, .memory = 4096, .lines_dropped = 12};
    web.timer = TimerView{.next = 0, .last = 1'763'000'001'500'000'000, .cause = {}};
    web.networks = {{.network = "lan",
                     .received_bytes = 100,
                     .received_packets = 2,
                     .received_dropped = 1,
                     .sent_bytes = 50,
                     .sent_packets = 3,
                     .sent_dropped = 4},
                    {.network = "dmz", .received_bytes = 7}};
    web.health = HealthView{.state = "healthy", .last_output = {}};
    UnitView bad;
    bad.name = "bad";
    bad.state = "refused";
    scrape.answer.units = {bad, web};
    Figures figures;
    figures.memory = 4096;
    figures.memory_max = UINT64_MAX;
    figures.tasks = 7;
    figures.cpu_usec = 1'500'001;
    figures.oom_kills = 1;
    figures.io = IoCounts{.read_bytes = 10, .written_bytes = 20, .reads = 1, .writes = 2};
    figures.cpu_pressure.some = Pressure::Line{.total = 42};
    figures.io_pressure.full = Pressure::Line{.total = 7};
    scrape.figures = {Figures(), figures};
    return scrape;
}

TEST(Metrics, AreOpenMetrics) {
    Reader reader;
    const std::string text = FormatMetrics(Example(), ReadClocks());
    reader.Read(text);
    EXPECT_EQ(reader.problem, "") << text;
    const std::map<std::string, std::string> expected{
        {"husk_unit_state{unit=\"web\",husk_unit_state=\"running\"}", "1"},
        {"husk_unit_state{unit=\"web\",husk_unit_state=\"failed\"}", "0"},
        {"husk_unit_state{unit=\"bad\",husk_unit_state=\"refused\"}", "1"},
        {"husk_unit_restarts_total{unit=\"web\"}", "3"},
        {"husk_unit_memory_bytes{unit=\"web\"}", "4096"},
        {"husk_unit_cpu_seconds_total{unit=\"web\"}", "1.500001"},
        {"husk_unit_oom_kills_total{unit=\"web\"}", "1"},
        {"husk_unit_io_written_bytes_total{unit=\"web\"}", "20"},
        {"husk_unit_pressure_waiting_seconds_total{unit=\"web\",resource=\"cpu\"}", "0.000042"},
        {"husk_unit_pressure_stalled_seconds_total{unit=\"web\",resource=\"io\"}", "0.000007"},
        {"husk_unit_health{unit=\"web\",husk_unit_health=\"healthy\"}", "1"},
        {"husk_unit_log_held_bytes{unit=\"web\"}", "4096"},
        {"husk_unit_log_written_bytes_total{unit=\"web\"}", "5000"},
        {"husk_unit_log_dropped_lines_total{unit=\"web\"}", "12"},
        {"husk_unit_timer_last_trigger_timestamp_seconds{unit=\"web\"}", "1763000001.500000"},
        {"husk_unit_network_receive_bytes_total{unit=\"web\",network=\"lan\"}", "100"},
        {"husk_unit_network_receive_bytes_total{unit=\"web\",network=\"dmz\"}", "7"},
        {"husk_unit_network_receive_packets_total{unit=\"web\",network=\"lan\"}", "2"},
        {"husk_unit_network_receive_packets_dropped_total{unit=\"web\",network=\"lan\"}", "1"},
        {"husk_unit_network_transmit_bytes_total{unit=\"web\",network=\"lan\"}", "50"},
        {"husk_unit_network_transmit_packets_total{unit=\"web\",network=\"lan\"}", "3"},
        {"husk_unit_network_transmit_packets_dropped_total{unit=\"web\",network=\"lan\"}", "4"},
        {"husk_supervisor_starts_total", "2"},
        {"husk_boot_duration_seconds", "4.200000"},
        {"husk_system_state{husk_system_state=\"degraded\"}", "1"},
        {"husk_unit_info{unit=\"web\",description=\"A \\\"web\\\" server\\nwith \\\\ and "
         "\xef\xbf\xbd\"}",
         "1"}};
    for (const auto& [sample, value] : expected) EXPECT_EQ(reader.samples[sample], value) << sample;
}

TEST(Metrics, LeaveOutWhatIsUnknownOrUnlimited) {
    const std::string text = FormatMetrics(Example(), ReadClocks());
    EXPECT_FALSE(text.contains("husk_unit_memory_limit_bytes"));
    EXPECT_FALSE(text.contains("husk_unit_memory_bytes{unit=\"bad\"}"));
    EXPECT_FALSE(text.contains("husk_unit_timer_next_trigger"));
}

TEST(Metrics, OfADeviceWithoutUnitsAreOpenMetricsToo) {
    Reader reader;
    reader.Read(FormatMetrics({}, ReadClocks()));
    EXPECT_EQ(reader.problem, "");
}

}  // namespace
}  // namespace husk::cli
