#include "cli/problem_json.h"

#include "base/utf8.h"

namespace husk::cli {

void PutText(JsonWriter& writer, const char* name, std::string_view text) {
    const std::string valid = ValidUtf8(text);
    writer.Key(name);
    writer.String(valid.data(), static_cast<rapidjson::SizeType>(valid.size()));
}

void PutPlace(JsonWriter& writer, const config::Location& at) {
    PutText(writer, "file", at.file);
    writer.Key("line");
    writer.Int(at.line);
}

void PutProblems(JsonWriter& writer, const config::Problems& problems) {
    writer.Key("problems");
    writer.StartArray();
    for (const config::Problem& problem : problems) {
        writer.StartObject();
        PutText(writer, "severity",
                problem.severity == config::Severity::kError ? "error" : "warning");
        PutPlace(writer, problem.at);
        PutText(writer, "key", problem.key);
        PutText(writer, "text", problem.text);
        PutText(writer, "hint", problem.hint);
        writer.EndObject();
    }
    writer.EndArray();
}

}  // namespace husk::cli
