// security: what units may do, and how much that exposes the device, from their files.
#include <unistd.h>

#include <algorithm>

#include "base/sort.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/format_security.h"
#include "cli/problem_json.h"
#include "cli/unit_paths.h"

namespace husk::cli {
namespace {

using supervisor::SecurityReport;

std::string JsonOf(const std::vector<AssessedUnit>& units) {
    rapidjson::StringBuffer buffer;
    JsonWriter json(buffer);
    auto number = [&](const char* name, unsigned value) {
        json.Key(name);
        json.Uint(value);
    };
    json.StartObject();
    json.Key("version");
    json.Int(1);
    json.Key("units");
    json.StartArray();
    for (const AssessedUnit& unit : units) {
        json.StartObject();
        PutText(json, "name", unit.name);
        PutText(json, "path", unit.path);
        PutText(json, "error", unit.error);
        if (unit.error.empty()) {
            number("score", unit.report.score);
            PutText(json, "word", supervisor::SecurityWord(unit.report.score));
            json.Key("findings");
            json.StartArray();
            for (const auto& finding : unit.report.findings) {
                json.StartObject();
                PutText(json, "key", finding.key);
                json.Key("good");
                json.Bool(finding.good);
                PutText(json, "text", finding.text);
                number("exposure", finding.exposure);
                json.EndObject();
            }
            json.EndArray();
        }
        json.EndObject();
    }
    json.EndArray();
    json.EndObject();
    return Cat(std::string_view(buffer.GetString(), buffer.GetSize()), "\n");
}

AssessedUnit AssessLoaded(const config::LoadedUnit& loaded, const config::SystemConfig& system) {
    AssessedUnit unit{loaded.unit.name, loaded.unit.path, {}, {}};
    if (loaded.refused) {
        unit.error = config::DescribeFirst(loaded.problems);
        return unit;
    }
    auto report = supervisor::AssessFiles(loaded.unit, system);
    if (report)
        unit.report = std::move(*report);
    else
        unit.error = std::move(report).error().text();
    return unit;
}

// The folders' units, or those that are named; false where one of them is not there.
bool Load(const Arguments& arguments, std::vector<config::LoadedUnit>& units) {
    const auto folder = arguments.Get("units");
    const std::vector<std::string> folders =
        folder ? std::vector{*folder} : config::DefaultUnitPath();
    if (arguments.operands.empty()) {
        auto loaded = config::LoadUnits(folders);
        units = std::move(loaded.units);
        for (const auto& problem : loaded.problems) PrintError(config::Describe(problem));
        return !config::HasErrors(loaded.problems);
    }
    bool all = true;
    for (const std::string& name : arguments.operands) {
        auto unit = LoadNamedUnit(name, folders);
        if (unit)
            units.push_back(std::move(*unit));
        else
            PrintError(unit.error().text());
        all = all && unit;
    }
    return all;
}

}  // namespace

int SecurityCommand(const Invocation& call) {
    constexpr unsigned kHighest = 100;
    const auto& arguments = call.arguments;
    unsigned threshold = kHighest;
    if (const auto text = arguments.Get("threshold")) {
        const auto number = ParseUnsigned(*text);
        if (!number || *number > kHighest) {
            PrintError(Cat("security: --threshold=", *text,
                           ": write 0 to 100, ten times the score that is still good"));
            return kExitUsage;
        }
        threshold = static_cast<unsigned>(*number);
    }
    const auto system = config::LoadSystemConfig(
        arguments.Get("config").value_or(config::kDefaultSystemConfig), true);
    std::vector<config::LoadedUnit> loaded;
    const bool all = Load(arguments, loaded);
    std::vector<AssessedUnit> units;
    for (const auto& unit : loaded) units.push_back(AssessLoaded(unit, system.config));
    InsertionSort(units, [](const AssessedUnit& a, const AssessedUnit& b) {
        return a.error.empty() != b.error.empty() ? !a.error.empty()
                                                  : a.report.score > b.report.score;
    });
    const std::string text = call.json                    ? JsonOf(units)
                             : arguments.operands.empty() ? FormatSecurityTable(units, call.style)
                                                          : FormatSecurity(units, call.style);
    if (!Print(text)) return kExitFailed;
    int code = all || arguments.operands.empty() ? kExitOk : kExitNoSuchUnit;
    if (!all && code == kExitOk) code = kExitFailed;
    for (const auto& unit : units) {
        if (!unit.error.empty() && !arguments.operands.empty()) PrintError(unit.error);
        if (!unit.error.empty() || unit.report.score > threshold) code = kExitFailed;
    }
    return code;
}

}  // namespace husk::cli
