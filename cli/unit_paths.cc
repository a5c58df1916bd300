#include "cli/unit_paths.h"

#include <sys/stat.h>

#include "base/text.h"
#include "supervisor/spec_check.h"

namespace husk::cli {
namespace {

using config::LoadedFolder;
using config::LoadedUnit;
using config::Problem;
using config::Severity;

void Add(LoadedPaths& out, LoadedFolder loaded, bool on_device) {
    supervisor::CheckSpecs(loaded, on_device);
    // As a rule there is one folder, and its units need no second room.
    if (out.units.empty()) out.units.swap(loaded.units);
    for (LoadedUnit& unit : loaded.units) out.units.push_back(std::move(unit));
    for (Problem& problem : loaded.problems) out.problems.push_back(std::move(problem));
}

void AddSystemConfig(LoadedPaths& out, const std::string& path) {
    for (Problem& problem : config::LoadSystemConfig(path).problems)
        out.problems.push_back(std::move(problem));
}

}  // namespace

LoadedPaths LoadPaths(const std::vector<std::string>& paths) {
    LoadedPaths out;
    if (paths.empty()) {
        Add(out, config::LoadUnits(config::DefaultUnitPath()), true);
        AddSystemConfig(out, config::kDefaultSystemConfig);
        return out;
    }
    std::vector<std::string> folders, files;
    for (const std::string& path : paths) {
        struct stat info {};
        const bool exists = ::stat(path.c_str(), &info) == 0;
        if (!exists && ::lstat(path.c_str(), &info) != 0)
            out.problems.push_back({Severity::kError, {path, 0}, {}, "does not exist", {}});
        // A directory named like a unit is for the loader to complain of.
        else if (exists && S_ISDIR(info.st_mode) && !path.ends_with(".container"))
            folders.push_back(path);
        else if (path == "system.conf" || path.ends_with("/system.conf"))
            AddSystemConfig(out, path);
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
        Add(out, std::move(loaded), false);
    }
    if (!files.empty()) Add(out, config::LoadUnitFiles(files), false);
    return out;
}

Result<config::LoadedUnit> LoadNamedUnit(const std::string& name,
                                         const std::vector<std::string>& folders) {
    const bool is_path = name.find('/') != name.npos;
    LoadedFolder loaded =
        is_path ? config::LoadUnitFiles({name + ".container"}, {.keep_assignments = true})
                : config::LoadUnits(folders, {.instances = {name}, .keep_assignments = true});
    std::vector<std::string_view> names;
    for (config::LoadedUnit& unit : loaded.units) {
        if (is_path || unit.unit.name == name) return std::move(unit);
        names.push_back(unit.unit.name);
    }
    if (is_path && !loaded.problems.empty()) return Fail(Describe(loaded.problems.front()));
    for (const auto& masked : loaded.masked)
        if (masked.name == name || is_path)
            return Fail("unit ", Quote(name), " is masked: ", Quote(masked.path),
                        " is a link to /dev/null");
    auto near = Nearest(name, names);
    return Fail("no unit ", Quote(name), " in ", Join(folders, ", "),
                near ? Cat(" (did you mean ", Quote(*near), "?)") : std::string());
}

}  // namespace husk::cli
