#include "cli/check.h"

#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <vector>

// Output comes from our own calls alone; a wrong one must not bring the program down.
#define RAPIDJSON_ASSERT(x) ((void)(x))
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include "base/file.h"
#include "base/text.h"
#include "base/utf8.h"
#include "config/load.h"
#include "config/problem.h"
#include "config/reference.h"

namespace husk::cli {
namespace {

using config::LoadedFolder;
using config::LoadedUnit;
using config::Problem;
using config::Problems;
using config::Severity;

constexpr char kSystemConfig[] = "/etc/husk/system.conf";

constexpr char kUsage[] =
    "usage: husk check [--json] [PATH...]\n"
    "       husk check --reference man|markdown\n"
    "\n"
    "Checks unit files as the supervisor reads them and prints every problem.\n"
    "\n"
    "PATH is a folder of units, a NAME.container file, or a system.conf. Several folders are a "
    "search path: a file in a\n"
    "later one replaces an earlier one of the same name. Without PATH the device's own folders "
    "and\n"
    "/etc/husk/system.conf are checked.\n"
    "\n"
    "  --json                    prints one JSON object:\n"
    "                            {\"version\": 1,\n"
    "                             \"units\": [{\"name\", \"path\", \"refused\", \"problems\": "
    "[PROBLEM...]}...],\n"
    "                             \"problems\": [PROBLEM...],   (of folders, system.conf and stray "
    "files)\n"
    "                             \"summary\": {\"units\", \"refused\", \"errors\", "
    "\"warnings\"}}\n"
    "                            PROBLEM is {\"severity\": \"error\"|\"warning\", \"file\", "
    "\"line\", \"key\", \"text\", \"hint\"};\n"
    "                            line 0 is the file as a whole, key and hint may be empty\n"
    "  --reference man|markdown  prints the reference of all keys\n"
    "  --help                    prints this\n"
    "\n"
    "Exit status: 0 no errors, 1 at least one error, 2 wrong usage.\n";

struct Options {
    bool json = false;
    std::string reference;
    std::vector<std::string> paths;
};

struct Counts {
    size_t units = 0, refused = 0, errors = 0, warnings = 0;
};

struct Checked {
    std::vector<LoadedUnit> units;
    Problems problems;
};

void Say(int fd, std::string_view text) {
    // Nobody is left to tell when output cannot be written.
    (void)WriteAll(fd, text, "output");
}

int Usage(std::string_view complaint) {
    Say(STDERR_FILENO, Cat("husk check: ", complaint, "\n\n", kUsage));
    return 2;
}

void Add(Checked& checked, LoadedFolder loaded) {
    for (LoadedUnit& unit : loaded.units) checked.units.push_back(std::move(unit));
    for (Problem& problem : loaded.problems) checked.problems.push_back(std::move(problem));
}

void AddSystemConfig(Checked& checked, const std::string& path) {
    for (Problem& problem : config::LoadSystemConfig(path).problems)
        checked.problems.push_back(std::move(problem));
}

Checked CheckPaths(const std::vector<std::string>& paths) {
    Checked checked;
    if (paths.empty()) {
        Add(checked, config::LoadUnits(config::DefaultUnitPath()));
        AddSystemConfig(checked, kSystemConfig);
        return checked;
    }
    std::vector<std::string> folders, files;
    for (const std::string& path : paths) {
        struct stat info {};
        const bool exists = ::stat(path.c_str(), &info) == 0;
        if (!exists && ::lstat(path.c_str(), &info) != 0)
            checked.problems.push_back({Severity::kError, {path, 0}, {}, "does not exist", {}});
        // A directory named like a unit is for the loader to complain of.
        else if (exists && S_ISDIR(info.st_mode) && !path.ends_with(".container"))
            folders.push_back(path);
        else if (path == "system.conf" || path.ends_with("/system.conf"))
            AddSystemConfig(checked, path);
        else
            files.push_back(path);
    }
    // "units/" and "units" shall read the same in messages.
    for (std::string& folder : folders)
        while (folder.size() > 1 && folder.ends_with('/')) folder.pop_back();
    if (!folders.empty()) {
        LoadedFolder loaded = config::LoadUnits(folders);
        if (loaded.units.empty() && loaded.problems.empty())
            loaded.problems.push_back({Severity::kWarning,
                                       {folders.back(), 0},
                                       {},
                                       "holds no units",
                                       "units are NAME.container"});
        Add(checked, std::move(loaded));
    }
    if (!files.empty()) Add(checked, config::LoadUnitFiles(files));
    return checked;
}

Counts Count(const Checked& checked) {
    Counts counts;
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

std::string Plural(size_t count, std::string_view noun) {
    return Cat(std::to_string(count), " ", noun, count == 1 ? "" : "s");
}

std::string TextReport(const Checked& checked, const Counts& counts) {
    std::string out;
    for (const Problem& problem : checked.problems) out += Cat(config::Describe(problem), "\n");
    for (const LoadedUnit& unit : checked.units)
        for (const Problem& problem : unit.problems) out += Cat(config::Describe(problem), "\n");
    out += Cat(Plural(counts.units, "unit"), ", ", std::to_string(counts.refused), " refused, ",
               Plural(counts.errors, "error"), ", ", Plural(counts.warnings, "warning"), "\n");
    return out;
}

using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

// Unit files may hold any bytes, JSON may not.
void PutText(Writer& writer, const char* name, std::string_view text) {
    const std::string valid = ValidUtf8(text);
    writer.Key(name);
    writer.String(valid.data(), static_cast<rapidjson::SizeType>(valid.size()));
}

void PutProblems(Writer& writer, const Problems& problems) {
    writer.Key("problems");
    writer.StartArray();
    for (const Problem& problem : problems) {
        writer.StartObject();
        PutText(writer, "severity", problem.severity == Severity::kError ? "error" : "warning");
        PutText(writer, "file", problem.at.file);
        writer.Key("line");
        writer.Int(problem.at.line);
        PutText(writer, "key", problem.key);
        PutText(writer, "text", problem.text);
        PutText(writer, "hint", problem.hint);
        writer.EndObject();
    }
    writer.EndArray();
}

std::string JsonReport(const Checked& checked, const Counts& counts) {
    rapidjson::StringBuffer buffer;
    Writer writer(buffer);
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

}  // namespace

int CheckMain(int argc, char** argv) {
    Options options;
    bool only_paths = false;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (only_paths || !word.starts_with('-') || word == "-") {
            if (word.empty()) return Usage("an empty path");
            options.paths.emplace_back(word);
        } else if (word == "--") {
            only_paths = true;
        } else if (word == "--json") {
            options.json = true;
        } else if (word == "--help" || word == "-h") {
            Say(STDOUT_FILENO, kUsage);
            return 0;
        } else if (word == "--reference" && i + 1 < argc) {
            options.reference = argv[++i];
        } else if (word.starts_with("--reference=")) {
            options.reference = word.substr(word.find('=') + 1);
        } else {
            return Usage(word == "--reference" ? "--reference needs a format: man or markdown"
                                               : Cat("unknown option ", Quote(word)));
        }
    }
    if (!options.reference.empty()) {
        if (options.reference != "man" && options.reference != "markdown")
            return Usage(Cat("unknown format ", Quote(options.reference), ": man or markdown"));
        Say(STDOUT_FILENO,
            options.reference == "man" ? config::ReferenceMan() : config::ReferenceMarkdown());
        return 0;
    }
    const Checked checked = CheckPaths(options.paths);
    const Counts counts = Count(checked);
    Say(STDOUT_FILENO, options.json ? JsonReport(checked, counts) : TextReport(checked, counts));
    return counts.errors > 0 ? 1 : 0;
}

}  // namespace husk::cli
