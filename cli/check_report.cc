#include "cli/check_report.h"

#include <string_view>
#include <utility>

#include "base/text.h"
#include "cli/problem_json.h"

namespace husk::cli {
namespace {

using config::LoadedUnit;
using config::Problem;
using config::Problems;
using config::Severity;

std::string Plural(size_t count, std::string_view noun) {
    return Cat(std::to_string(count), " ", noun, count == 1 ? "" : "s");
}

}  // namespace

CheckCounts Count(const LoadedPaths& checked) {
    CheckCounts counts;
    auto count = [&](const Problems& problems) {
        for (const Problem& problem : problems)
            ++(problem.severity == Severity::kError ? counts.errors : counts.warnings);
    };
    count(checked.problems);
    for (const LoadedUnit& unit : checked.units) {
        ++counts.units;
        if (unit.refused) ++counts.refused;
        count(unit.problems);
    }
    return counts;
}

std::string TextReport(const LoadedPaths& checked) {
    const CheckCounts counts = Count(checked);
    std::string out;
    for (const Problem& problem : checked.problems) out += Cat(config::Describe(problem), "\n");
    for (const LoadedUnit& unit : checked.units)
        for (const Problem& problem : unit.problems) out += Cat(config::Describe(problem), "\n");
    out += Cat(Plural(counts.units, "unit"), ", ", std::to_string(counts.refused), " refused, ",
               Plural(counts.errors, "error"), ", ", Plural(counts.warnings, "warning"), "\n");
    return out;
}

std::string JsonReport(const LoadedPaths& checked) {
    const CheckCounts counts = Count(checked);
    rapidjson::StringBuffer buffer;
    JsonWriter writer(buffer);
    writer.StartObject();
    writer.Key("version");
    writer.Int(1);
    writer.Key("units");
    writer.StartArray();
    for (const LoadedUnit& unit : checked.units) {
        writer.StartObject();
        PutText(writer, "name", unit.unit.name);
        PutText(writer, "path", unit.unit.path);
        writer.Key("refused");
        writer.Bool(unit.refused);
        PutProblems(writer, unit.problems);
        writer.EndObject();
    }
    writer.EndArray();
    PutProblems(writer, checked.problems);
    writer.Key("summary");
    writer.StartObject();
    for (auto [name, count] :
         {std::pair("units", counts.units), std::pair("refused", counts.refused),
          std::pair("errors", counts.errors), std::pair("warnings", counts.warnings)}) {
        writer.Key(name);
        writer.Uint64(count);
    }
    writer.EndObject();
    writer.EndObject();
    return Cat(std::string_view(buffer.GetString(), buffer.GetSize()), "\n");
}

}  // namespace husk::cli
