#include "cli/graph.h"

#include <unistd.h>

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/format_graph.h"
#include "cli/unit_paths.h"

namespace husk::cli {
namespace {

constexpr char kUsage[] =
    "usage: husk graph [--dot|--json] [PATH...] [UNIT...]\n"
    "\n"
    "Shows the order in which units start, and who requires, wants, is after or stops\n"
    "whom, each with the key, the file and the line that says so. Refused units are\n"
    "shown with their first error, and names that are no unit are marked.\n"
    "\n"
    "PATH is a folder of units or a NAME.container file, as for 'husk check'; without\n"
    "one, the device's own folders are read. With UNITs: only those, what they lead\n"
    "to, and what leads to them. A word with a '/', or of a file or folder that\n"
    "exists, is a PATH.\n"
    "\n"
    "  --dot   for Graphviz: husk graph --dot | dot -Tsvg >units.svg. Arrows lead to\n"
    "          what is needed: solid requires, bold is bound to, dashed wants, dotted\n"
    "          is after, grey is part of, red conflicts; orange and green lead to what a\n"
    "          failure or a good end starts\n"
    "  --json  one JSON object:\n"
    "          {\"version\": 1, \"levels\": [[NAME...]...], \"on_demand\": [NAME...],\n"
    "           \"units\": [{\"name\", \"path\", \"refused\", \"error\", \"edges\":\n"
    "             [{\"relation\": \"requires\"|\"binds-to\"|\"wants\"|\"after\"|\"part-of\"|\n"
    "               \"conflicts\"|\"on-failure\"|\"on-success\", \"unit\", \"found\",\n"
    "               \"key\", \"file\", \"line\"}...]}...],\n"
    "           \"problems\": [of folders and stray files, as of 'husk check']}\n"
    "  --help  prints this\n"
    "\n"
    "Exit status: 0 printed, 1 a PATH or UNIT is not there, 2 wrong usage.\n";

constexpr Option kOptions[] = {
    {'\0', "dot", nullptr, ""},
    {'\0', "json", nullptr, ""},
    {'h', "help", nullptr, ""},
};

// What stands on the command line, told apart.
struct Operands {
    std::vector<std::string> paths, units;
};

bool IsPath(const std::string& word) {
    return word.find('/') != word.npos || ::access(word.c_str(), F_OK) == 0;
}

Operands TellApart(const std::vector<std::string>& words) {
    constexpr std::string_view kSuffix = ".container";
    Operands operands;
    for (const std::string& word : words)
        if (IsPath(word))
            operands.paths.push_back(word);
        else
            operands.units.push_back(
                word.substr(0, word.size() - (word.ends_with(kSuffix) ? kSuffix.size() : 0)));
    return operands;
}

// False where a path or a name is not there; what is there is shown all the same.
bool Complain(const LoadedPaths& loaded, const std::vector<std::string>& names) {
    bool good = true;
    for (const config::Problem& problem : loaded.problems) {
        if (problem.severity != config::Severity::kError) continue;
        PrintError(config::Describe(problem));
        good = false;
    }
    for (const std::string& name : names) {
        auto is_named = [&](const auto& unit) { return unit.unit.name == name; };
        if (std::ranges::any_of(loaded.units, is_named)) continue;
        PrintError(Cat("graph: there is no unit ", Quote(name), "; 'husk graph' shows all"));
        good = false;
    }
    return good;
}

int Show(const Arguments& arguments) {
    const Operands operands = TellApart(arguments.operands);
    const LoadedPaths loaded = LoadPaths(operands.paths);
    const bool good = Complain(loaded, operands.units);
    const config::UnitGraph graph = config::BuildGraph(loaded.units);
    const config::StartOrder order = config::OrderOfStart(loaded.units, graph);
    const GraphView view{loaded.units, graph, order, Around(loaded.units, graph, operands.units)};
    const bool printed = Print(arguments.Has("dot")    ? GraphDot(view)
                               : arguments.Has("json") ? GraphJson(view, loaded.problems)
                                                       : GraphText(view, StyleOf(STDOUT_FILENO)));
    return good && printed ? kExitOk : kExitFailed;
}

}  // namespace

int GraphMain(int argc, char** argv) {
    const std::span<char* const> words(argv + 1, static_cast<size_t>(argc - 1));
    auto arguments = ParseArguments(kOptions, words);
    std::string complaint = arguments ? "" : arguments.error().text();
    if (arguments && arguments->Has("dot") && arguments->Has("json"))
        complaint = "--dot or --json, not both";
    if (!complaint.empty()) {
        PrintError(Cat("graph: ", complaint, "; see 'husk graph --help'"));
        return kExitUsage;
    }
    if (arguments->Has("help")) return Print(kUsage) ? kExitOk : kExitFailed;
    return Show(*arguments);
}

}  // namespace husk::cli
