// show: every value of a unit and where it comes from, read from the files as the supervisor does.
#include <algorithm>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/problem_json.h"
#include "cli/unit_paths.h"
#include "config/show.h"

namespace husk::cli {
namespace {

using config::LoadedUnit;
using config::ShownKey;

constexpr size_t kValueColumns = 40;

struct Shown {
    LoadedUnit unit;
    std::vector<ShownKey> keys;
};

std::string PlaceText(const ShownKey& key) {
    if (key.source == ShownKey::Source::kDefault) return "default";
    return Cat(key.at.file, ":", std::to_string(key.at.line));
}

std::string TextOf(const Shown& shown, const Style& style) {
    std::string text = Cat("# ", shown.unit.unit.name, ": ", shown.unit.unit.path, "\n");
    std::string_view section;
    for (const ShownKey& key : shown.keys) {
        if (key.section != section) text += Cat("\n[", key.section, "]\n");
        section = key.section;
        const std::string line = Cat(key.key, "=", Visible(style, key.value));
        text += Cat(PadRight(line, kValueColumns), "  ",
                    Paint(style, Colour::kDim, Visible(style, PlaceText(key))), "\n");
    }
    return text;
}

// What --given and --property leave.
void Select(const Arguments& arguments, std::vector<ShownKey>& keys) {
    const auto wanted = arguments.Get("property");
    std::erase_if(keys, [&](const ShownKey& key) {
        if (wanted && *wanted != key.key && *wanted != Cat(key.section, ".", key.key)) return true;
        return arguments.Has("given") && key.source == ShownKey::Source::kDefault;
    });
}

std::string FormatNamespacePages(const Invocation& call, const Answer& answer) {
    std::string text;
    for (const auto& unit : answer.units) {
        if (!text.empty()) text += "\n";
        text += FormatNamespaces(unit, call.style);
    }
    return text;
}

const char* SourceName(ShownKey::Source source) {
    switch (source) {
        case ShownKey::Source::kFile: return "file";
        case ShownKey::Source::kSystem: return "system.conf";
        case ShownKey::Source::kDefault: return "default";
    }
    return "";
}

std::string JsonOf(const std::vector<Shown>& units) {
    rapidjson::StringBuffer buffer;
    JsonWriter json(buffer);
    json.StartObject();
    json.Key("version");
    json.Int(1);
    json.Key("units");
    json.StartArray();
    for (const Shown& shown : units) {
        json.StartObject();
        PutText(json, "name", shown.unit.unit.name);
        PutText(json, "path", shown.unit.unit.path);
        json.Key("refused");
        json.Bool(shown.unit.refused);
        json.Key("keys");
        json.StartArray();
        for (const ShownKey& key : shown.keys) {
            json.StartObject();
            PutText(json, "section", key.section);
            PutText(json, "key", key.key);
            PutText(json, "value", key.value);
            PutText(json, "source", SourceName(key.source));
            PutPlace(json, key.at);
            json.EndObject();
        }
        json.EndArray();
        json.EndObject();
    }
    json.EndArray();
    json.EndObject();
    return Cat(std::string_view(buffer.GetString(), buffer.GetSize()), "\n");
}

}  // namespace

int ShowCommand(const Invocation& call) {
    const auto& arguments = call.arguments;
    if (arguments.Has("namespaces"))
        return AskAndPrint(call, {.verb = "namespaces", .units = arguments.operands},
                           FormatNamespacePages);
    const auto folder = arguments.Get("units");
    const std::vector<std::string> folders =
        folder ? std::vector{*folder} : config::DefaultUnitPath();
    const auto system = config::LoadSystemConfig(
        arguments.Get("config").value_or(config::kDefaultSystemConfig), true);
    std::vector<Shown> units;
    int code = kExitOk;
    for (const std::string& name : arguments.operands) {
        auto unit = LoadNamedUnit(name, folders);
        if (!unit) {
            PrintError(unit.error().text());
            code = kExitNoSuchUnit;
            continue;
        }
        auto keys = config::ShowUnit(*unit, system);
        Select(arguments, keys);
        units.push_back({std::move(*unit), std::move(keys)});
    }
    std::string text;
    for (const Shown& shown : units) {
        if (!text.empty()) text += "\n";
        text += TextOf(shown, call.style);
    }
    if (!Print(call.json ? JsonOf(units) : text)) return kExitFailed;
    for (const Shown& shown : units) {
        for (const auto& problem : shown.unit.problems) PrintError(config::Describe(problem));
        if (shown.unit.refused) code = std::max<int>(code, kExitFailed);
    }
    return code;
}

}  // namespace husk::cli
