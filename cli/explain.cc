#include "cli/explain.h"

#include <unistd.h>

#include <algorithm>
#include <string_view>

#include "base/file.h"
#include "base/text.h"
#include "cli/problem_json.h"
#include "config/explain.h"
#include "config/ini_reader.h"
#include "config/keys.h"
#include "config/load.h"
#include "config/unit_file.h"

namespace husk::cli {
namespace {

using config::Explained;
using config::Problem;
using config::Problems;
using config::Severity;

struct File {
    std::string path;
    Explained explained;
    bool readable = false;
};

void Say(int fd, std::string_view text) {
    // Nobody is left to tell when output cannot be written.
    (void)WriteAll(fd, text, "output");
}

// Drop-ins have keys, but are no whole unit.
Problems FindInDropIn(const std::string& path, std::string_view text) {
    static const config::HostFacts kSomeHost{"localhost", "0", "0", "0"};
    config::IniFile file = config::ReadIni(path, text);
    config::Unit unit;
    unit.name = "unit";
    unit.path = path;
    Problems problems = std::move(file.problems);
    config::ApplyUnitFile(unit, file, path, kSomeHost, problems);
    return problems;
}

// How a file of that name is read; empty where husk has no such files. A .service file is read as
// a unit, which it is to become.
config::FindProblems ReaderOf(const std::string& path) {
    const std::string file = path.substr(path.rfind('/') + 1);
    const std::string name = file.substr(0, file.rfind('.'));
    if (file.ends_with(".conf"))
        return [path](std::string_view text) { return FindInDropIn(path, text); };
    if (file.ends_with(".container") || file.ends_with(".service"))
        return [path, name](std::string_view text) {
            return config::ParseUnit(name, path, text).problems;
        };
    if (file.ends_with(".network"))
        return [path, name](std::string_view text) {
            return config::CheckNetworkText(name, path, text);
        };
    if (file.ends_with(".volume"))
        return [path, name](std::string_view text) {
            return config::CheckVolumeText(name, path, text);
        };
    return {};
}

File ExplainFile(const std::string& path) {
    File out{.path = path};
    auto refuse = [&](Problem problem) {
        out.explained.left.push_back(std::move(problem));
        return std::move(out);
    };
    const config::FindProblems reader = ReaderOf(path);
    if (!reader)
        return refuse(
            {Severity::kError,
             {path, 0},
             {},
             "cannot be explained",
             "files are NAME.container, .network, .volume or .service, and drop-ins (*.conf)"});
    config::UnitFile file = config::ReadUnitFile(path);
    using Kind = config::UnitFile::Kind;
    if (file.kind == Kind::kBad) return refuse(std::move(file.problem));
    if (file.kind == Kind::kMask)
        return refuse({Severity::kError, {path, 0}, {}, "is a mask: a link to /dev/null", {}});
    if (file.kind == Kind::kMissing)
        return refuse({Severity::kError, {path, 0}, {}, "does not exist", {}});
    out.explained = config::Explain(file.text, reader);
    out.readable = true;
    return out;
}

// The file for a pipe, all else for a person; with more than one file each has a line above it.
void Print(const File& file, bool headers) {
    if (file.readable) {
        if (headers) Say(STDOUT_FILENO, Cat("# husk: ==> ", Quote(file.path), " <==\n"));
        Say(STDOUT_FILENO, file.explained.text);
    }
    std::string said;
    for (const config::Change& change : file.explained.changes)
        said += Cat(file.path, ":", config::Describe(change), "\n");
    for (const Problem& problem : file.explained.left)
        said += Cat("left to you: ", config::Describe(problem), "\n");
    Say(STDERR_FILENO, said);
}

std::string JsonText(const std::vector<File>& files) {
    rapidjson::StringBuffer buffer;
    JsonWriter writer(buffer);
    writer.StartObject();
    writer.Key("version");
    writer.Int(1);
    writer.Key("files");
    writer.StartArray();
    for (const File& file : files) {
        writer.StartObject();
        PutText(writer, "path", file.path);
        PutText(writer, "text", file.explained.text);
        writer.Key("changes");
        writer.StartArray();
        for (const config::Change& change : file.explained.changes) {
            writer.StartObject();
            writer.Key("line");
            writer.Int(change.line);
            PutText(writer, "before", change.before);
            PutText(writer, "after", change.after);
            PutText(writer, "section", change.section);
            PutText(writer, "reason", change.reason);
            writer.EndObject();
        }
        writer.EndArray();
        PutProblems(writer, file.explained.left);
        writer.EndObject();
    }
    writer.EndArray();
    writer.EndObject();
    return Cat(std::string_view(buffer.GetString(), buffer.GetSize()), "\n");
}

}  // namespace

int ExplainFiles(const std::vector<std::string>& paths, bool json) {
    std::vector<File> files;
    for (const std::string& path : paths) files.push_back(ExplainFile(path));
    if (json)
        Say(STDOUT_FILENO, JsonText(files));
    else
        for (const File& file : files) Print(file, files.size() > 1);
    return std::any_of(files.begin(), files.end(),
                       [](const File& file) { return !file.explained.left.empty(); })
               ? 1
               : 0;
}

}  // namespace husk::cli
