#include "config/load.h"

#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "base/file.h"
#include "base/machine_id.h"
#include "base/sort.h"
#include "base/text.h"
#include "config/container_values.h"
#include "config/device_mount_rules.h"
#include "config/device_network_rules.h"
#include "config/keys.h"
#include "config/limits.h"
#include "config/network_rules.h"
#include "config/rules.h"
#include "config/unit_file.h"

namespace husk::config {
namespace {

constexpr std::string_view kSuffix = ".container";
constexpr std::string_view kDropInSuffix = ".container.d";
constexpr std::string_view kVolumeSuffix = ".volume";

// What the specifiers say; a fact that cannot be had stays empty, and asking for it is an error.
HostFacts ReadHostFacts() {
    HostFacts facts;
    utsname names{};
    if (::uname(&names) == 0) {
        facts.host_name = names.nodename;
        facts.kernel_release = names.release;
    }
    facts.machine_id = MachineId();
    facts.boot_id = ReadAttribute("/proc/sys/kernel/random/boot_id");
    std::erase(facts.boot_id, '-');  // as systemd prints it
    return facts;
}

struct Found {
    std::string path;                             // the main file, of the last folder that has one
    std::map<std::string, std::string> drop_ins;  // file name -> path, later folders win
    bool taken = false;                           // its main file was read
};

// NAME@ARG takes the drop-ins of NAME@ too.
std::string TemplateOf(std::string_view name) {
    const size_t at = name.find('@');
    return at == name.npos || at + 1 == name.size() ? std::string()
                                                    : std::string(name.substr(0, at + 1));
}

bool ReadsBefore(const Problem& a, const Problem& b, std::string_view main) {
    const bool a_main = a.at.file == main, b_main = b.at.file == main;
    if (a_main != b_main) return a_main;
    if (a.at.file != b.at.file) return a.at.file < b.at.file;
    return a.at.line < b.at.line;
}

// In the order in which a person reads: the main file, then drop-ins, from top to bottom.
void SortProblems(Problems& problems, std::string_view main) {
    InsertionSort(problems,
                  [&](const Problem& a, const Problem& b) { return ReadsBefore(a, b, main); });
}

class Loader {
  public:
    explicit Loader(const LoadOptions& options) : options_(options), host_(ReadHostFacts()) {}

    void TakeFolder(const std::string& folder);
    void TakePlanned();
    void TakeFile(const std::string& path);
    LoadedFolder Finish(bool neighbours_exist);

  private:
    void Report(Severity severity, const std::string& path, std::string text,
                std::string hint = {}) {
        AddProblem(out_.problems, severity, {path, 0}, {}, std::move(text), std::move(hint));
    }
    using FoundFiles = std::map<std::string, Found, std::less<>>;
    void TakeDropIns(Found& found, const std::string& folder);
    bool TakeResource(const std::string& folder, const std::string& name);
    template <auto Apply, typename Definition>
    bool ReadResource(Definition& definition, const Found& found);
    void LoadResources();
    void UseVolumes();
    void TakeStranger(const std::string& folder, const std::string& name);
    void LoadFound(const std::string& name, Found& found);
    void LoadUnit(const std::string& name, Found& found, bool on_demand);
    void Instantiate(const std::string& name);
    void InstantiateWanted();
    void Merge(LoadedUnit& unit, const std::string& path, bool main);
    bool IsMasked(std::string_view name) const;
    std::string WhyAbsent(std::string_view name, std::string_view asking_path,
                          bool neighbours) const;

    const LoadOptions& options_;
    HostFacts host_;
    FoundFiles found_;
    FoundFiles networks_, volumes_;
    LoadedFolder out_;
};

// A file beside the units that is none: said where its name shows that one was meant.
void Loader::TakeStranger(const std::string& folder, const std::string& name) {
    const std::string path = Cat(folder, "/", name);
    const size_t dot = name.rfind('.');
    if (name.starts_with('.') || name.ends_with('~') || dot == name.npos) return;
    const std::string_view suffix = std::string_view(name).substr(dot + 1);
    for (std::string_view known :
         {"pod", "kube", "image", "build", "service", "timer", "socket", "target"})
        if (suffix == known)
            return Report(Severity::kWarning, path, Cat("'.", suffix, "' files are not supported"),
                          "it is ignored; units are NAME.container");
    if (EditDistance(suffix, "container") <= 2)
        Report(Severity::kWarning, path, "is not a unit file",
               Cat("did you mean ", Quote(Cat(name.substr(0, dot), kSuffix)), "?"));
}

void Loader::TakeDropIns(Found& found, const std::string& folder) {
    auto names = ListDirectory(folder);
    if (!names) return Report(Severity::kError, folder, names.error().text());
    for (const std::string& name : *names)
        if (name.ends_with(".conf") && !name.starts_with('.'))
            found.drop_ins[name] = Cat(folder, "/", name);
}

// NAME.network and NAME.volume, and the folders of their drop-ins; false for all else.
bool Loader::TakeResource(const std::string& folder, const std::string& name) {
    for (auto [suffix, files] : {std::pair{std::string_view(".network"), &networks_},
                                 std::pair{kVolumeSuffix, &volumes_}}) {
        std::string_view stem = name;
        const bool drop_ins = stem.ends_with(".d");
        if (drop_ins) stem.remove_suffix(2);
        if (!stem.ends_with(suffix) || name.starts_with('.')) continue;
        stem.remove_suffix(suffix.size());
        const std::string path = Cat(folder, "/", name);
        if (!IsVolumeName(stem))
            Report(Severity::kError, path, Cat(Quote(stem), " is not a name"),
                   "letters, digits and . _ -, at most 100 bytes");
        else if (drop_ins)
            TakeDropIns((*files)[std::string(stem)], path);
        else
            (*files)[std::string(stem)].path = path;
        return true;
    }
    return false;
}

void Loader::TakeFolder(const std::string& folder) {
    auto names = ListDirectory(folder);
    if (!names) {
        if (names.error().code() != ENOENT) Report(Severity::kError, folder, names.error().text());
        return;
    }
    for (const std::string& name : *names) {
        const bool drop_ins = name.ends_with(kDropInSuffix);
        const std::string_view suffix = drop_ins ? kDropInSuffix : kSuffix;
        if (!name.ends_with(suffix) || name.starts_with('.')) {
            if (!TakeResource(folder, name)) TakeStranger(folder, name);
            continue;
        }
        const std::string unit = name.substr(0, name.size() - suffix.size());
        const std::string path = Cat(folder, "/", name);
        if (!IsUnitName(unit))
            Report(Severity::kError, path, Cat(Quote(unit), " is not a unit name"),
                   "letters, digits and . _ - @ :, at most 100 bytes");
        else if (drop_ins)
            TakeDropIns(found_[unit], path);
        else
            found_[unit].path = path;
    }
}

// In the order of their folders: a later one's replaces an earlier one's of the same name.
void Loader::TakePlanned() {
    for (const PlannedDropIn& planned : options_.planned)
        found_[planned.unit].drop_ins[planned.path.substr(planned.path.rfind('/') + 1)] =
            planned.path;
}

void Loader::TakeFile(const std::string& path) {
    const size_t slash = path.rfind('/');
    const std::string file = path.substr(slash == path.npos ? 0 : slash + 1);
    if (file.ends_with(".network") || file.ends_with(kVolumeSuffix)) {
        (void)TakeResource(path.substr(0, slash == path.npos ? 0 : slash), file);  // it is one
        auto& files = file.ends_with(kVolumeSuffix) ? volumes_ : networks_;
        const auto found = files.find(file.substr(0, file.rfind('.')));
        if (found != files.end()) found->second.path = path;
        return;
    }
    const std::string unit = file.substr(0, file.size() - std::min(file.size(), kSuffix.size()));
    if (!file.ends_with(kSuffix) || !IsUnitName(unit))
        return Report(Severity::kError, path, "is not a unit file", "units are NAME.container");
    if (found_.contains(unit) && found_[unit].path != path)
        Report(Severity::kError, path, Cat("unit ", Quote(unit), " is given twice"),
               Cat("the other is ", found_[unit].path));
    found_[unit].path = path;
    const std::string beside = Cat(path, ".d");
    if (::access(beside.c_str(), F_OK) == 0) TakeDropIns(found_[unit], beside);
}

// Main file, then drop-ins. False where there is nothing: drop-ins alone, or a mask.
template <auto Apply, typename Definition>
bool Loader::ReadResource(Definition& definition, const Found& found) {
    definition.path = found.path;
    std::vector<std::string> paths = {found.path};
    for (const auto& [file, path] : found.drop_ins) paths.push_back(path);
    if (found.path.empty()) {
        Report(Severity::kWarning, paths.back(),
               Cat("drop-in of ", Quote(definition.name), ", which does not exist"));
        return false;
    }
    for (const std::string& path : paths) {
        UnitFile file = ReadUnitFile(path);
        if (file.kind == UnitFile::Kind::kMask && path == found.path) return false;
        if (file.kind == UnitFile::Kind::kMissing) Report(Severity::kError, path, "does not exist");
        if (file.kind == UnitFile::Kind::kBad) out_.problems.push_back(std::move(file.problem));
        if (file.kind != UnitFile::Kind::kText) continue;
        IniFile entries = ReadIni(path, file.text);
        std::move(entries.problems.begin(), entries.problems.end(),
                  std::back_inserter(out_.problems));
        Apply(definition, entries, path, host_, out_.problems);
    }
    return true;
}

void Loader::LoadResources() {
    const auto has_errors_since = [&](size_t first) {
        return std::any_of(out_.problems.begin() + static_cast<ptrdiff_t>(first),
                           out_.problems.end(),
                           [](const Problem& p) { return p.severity == Severity::kError; });
    };
    for (const auto& [name, found] : networks_) {
        const size_t first = out_.problems.size();
        LoadedNetwork loaded{.network = {.name = name}};
        if (!ReadResource<ApplyNetworkFile>(loaded.network, found)) continue;
        loaded.refused = has_errors_since(first);
        out_.networks.push_back(std::move(loaded));
    }
    for (const auto& [name, found] : volumes_) {
        const size_t first = out_.problems.size();
        LoadedVolume loaded{.volume = {.name = name}};
        if (!ReadResource<ApplyVolumeFile>(loaded.volume, found)) continue;
        loaded.refused = has_errors_since(first);
        out_.volumes.push_back(std::move(loaded));
    }
}

// What a NAME.volume says goes to each unit that names it, which cannot run where it is refused.
void Loader::UseVolumes() {
    if (out_.volumes.empty()) return;
    for (LoadedUnit& unit : out_.units)
        for (Volume& volume : unit.unit.container.volumes) {
            const auto found = std::find_if(
                out_.volumes.begin(), out_.volumes.end(),
                [&](const LoadedVolume& one) { return one.volume.name == volume.source; });
            if (!volume.named || found == out_.volumes.end()) continue;
            volume.user = found->volume.user;
            volume.group = found->volume.group;
            volume.mode = found->volume.mode;
            if (found->refused)
                AddProblem(unit.problems, Severity::kError, unit.unit.LocationOf(volume.at),
                           "Volume", Cat("volume ", Quote(volume.source), " is refused"),
                           Cat("mend ", found->volume.path));
        }
}

// One file into the unit. The main file decides whether there is a unit at all.
void Loader::Merge(LoadedUnit& unit, const std::string& path, bool main) {
    UnitFile file;
    const auto planned = std::ranges::find(options_.planned, path, &PlannedDropIn::path);
    if (planned != options_.planned.end())
        file = {UnitFile::Kind::kText, planned->text, {}};
    else
        file = ReadUnitFile(path);
    switch (file.kind) {
        case UnitFile::Kind::kText: {
            IniFile entries = ReadIni(path, file.text);
            std::move(entries.problems.begin(), entries.problems.end(),
                      std::back_inserter(unit.problems));
            ApplyUnitFile(unit.unit, entries, path, host_, unit.problems,
                          options_.keep_assignments ? &unit.assignments : nullptr);
            return;
        }
        case UnitFile::Kind::kMask:
            if (main) out_.masked.push_back({unit.unit.name, path});
            return;
        case UnitFile::Kind::kMissing:
            AddProblem(unit.problems, Severity::kError, {path, 0}, {}, "does not exist");
            return;
        case UnitFile::Kind::kBad: unit.problems.push_back(std::move(file.problem)); return;
    }
}

void Loader::LoadFound(const std::string& name, Found& found) {
    const bool is_template = name.ends_with('@');
    if (found.path.empty()) {
        // Drop-ins of a template are for its instances.
        const auto general = found_.find(TemplateOf(name));
        const bool has_template = general != found_.end() && !general->second.path.empty();
        if (!is_template && !has_template && !found.drop_ins.empty())
            Report(Severity::kWarning, found.drop_ins.begin()->second,
                   Cat("drop-in of unit ", Quote(name), ", which does not exist"));
    } else if (is_template) {
        out_.templates.push_back(name);
    } else {
        LoadUnit(name, found, false);
    }
}

void Loader::LoadUnit(const std::string& name, Found& found, bool on_demand) {
    LoadedUnit unit;
    unit.unit.name = name;
    unit.unit.path = std::move(found.path);
    found.taken = true;
    for (const std::string& masked : options_.masked)
        if (Masks(masked, name)) out_.masked.push_back({name, {}});
    if (!IsMasked(name)) Merge(unit, unit.unit.path, true);
    if (IsMasked(name)) return;
    const bool readable = unit.problems.empty() || unit.problems[0].at.line > 0;
    std::map<std::string, std::string> drop_ins = found.drop_ins;
    if (auto general = found_.find(TemplateOf(name)); general != found_.end())
        drop_ins.insert(general->second.drop_ins.begin(), general->second.drop_ins.end());
    size_t merged = 0;
    for (const auto& [file, path] : drop_ins) {
        if (++merged > kMaxDropIns) {
            AddProblem(
                unit.problems, Severity::kError, {path, 0}, {},
                Cat("unit ", Quote(name), " has ", std::to_string(drop_ins.size()), " drop-ins"),
                Cat("at most ", std::to_string(kMaxDropIns)));
            break;
        }
        Merge(unit, path, false);
    }
    // Rules across keys say nothing useful of a file that could not be read.
    if (readable) FinishUnit(unit.unit, unit.problems);
    if (on_demand) unit.unit.install.enabled = false;
    unit.refused = HasErrors(unit.problems);
    out_.units.push_back(std::move(unit));
}

bool Loader::IsMasked(std::string_view name) const {
    return std::ranges::any_of(out_.masked, [&](const auto& unit) { return unit.name == name; });
}

// Of NAME@.container, where there is no NAME@ARG.container.
void Loader::Instantiate(const std::string& name) {
    const auto general = found_.find(TemplateOf(name));
    if (general == found_.end() || general->second.path.empty() || !IsUnitName(name)) return;
    auto& found = found_[name];  // drop-ins alone may stand there for it already
    if (found.taken) return;
    found.path = general->second.path;
    LoadUnit(name, found, true);
}

// Instances may want further ones.
void Loader::InstantiateWanted() {
    for (const std::string& name : options_.instances) Instantiate(name);
    if (out_.templates.empty()) return;
    for (size_t i = 0; i < out_.units.size() && out_.units.size() < kMaxUnits; ++i) {
        const Unit& unit = out_.units[i].unit;
        std::vector<std::string> names;
        for (const auto* list : {&unit.unit.requires_, &unit.unit.binds_to, &unit.unit.wants,
                                 &unit.unit.on_failure, &unit.unit.on_success})
            names.insert(names.end(), list->begin(), list->end());
        if (unit.container.network.kind == NetworkMode::Kind::kContainer)
            names.push_back(unit.container.network.unit);
        for (const std::string& name : names)
            if (!TemplateOf(name).empty()) Instantiate(name);
    }
    Sort(out_.units,
         [](const LoadedUnit& a, const LoadedUnit& b) { return a.unit.name < b.unit.name; });
}

std::string Loader::WhyAbsent(std::string_view name, std::string_view asking_path,
                              bool neighbours) const {
    if (IsMasked(name)) return "is masked";
    const size_t slash = asking_path.rfind('/');
    const std::string beside =
        Cat(asking_path.substr(0, slash == asking_path.npos ? 0 : slash + 1), name, kSuffix);
    if (neighbours && ::access(beside.c_str(), F_OK) == 0) return {};
    return "does not exist";
}

LoadedFolder Loader::Finish(bool neighbours_exist) {
    if (found_.size() > kMaxUnits) {
        auto first = std::next(found_.begin(), kMaxUnits);
        Report(Severity::kError, first->second.path,
               Cat("unit ", Quote(first->first),
                   " and all after it are not loaded: ", std::to_string(found_.size()), " units"),
               Cat("at most ", std::to_string(kMaxUnits)));
        found_.erase(first, found_.end());
    }
    out_.units.reserve(found_.size());  // growing would hold all of them twice
    for (auto& [name, found] : found_) LoadFound(name, found);
    InstantiateWanted();
    found_.clear();
    LoadResources();
    UseVolumes();
    CheckNetworks(out_, [&](std::string_view) {
        return neighbours_exist ? std::string() : std::string("does not exist");
    });
    CheckAcrossUnits(out_.units, [&](std::string_view name, std::string_view asking_path) {
        return WhyAbsent(name, asking_path, neighbours_exist);
    });
    for (LoadedUnit& unit : out_.units) SortProblems(unit.problems, unit.unit.path);
    return std::move(out_);
}

}  // namespace

const std::vector<std::string>& DefaultUnitPath() {
    static const std::vector<std::string> kPath = {"/usr/lib/husk/units", "/etc/husk/units",
                                                   "/run/husk/units"};
    return kPath;
}

bool Masks(std::string_view entry, std::string_view unit) {
    return entry == unit || (entry.ends_with('@') && unit.starts_with(entry));
}

LoadedFolder LoadUnits(const std::vector<std::string>& folders, const LoadOptions& options) {
    Loader loader(options);
    for (const std::string& folder : folders) loader.TakeFolder(folder);
    loader.TakePlanned();
    return loader.Finish(false);
}

LoadedFolder LoadUnitFiles(const std::vector<std::string>& files, const LoadOptions& options) {
    Loader loader(options);
    for (const std::string& file : files) loader.TakeFile(file);
    return loader.Finish(true);
}

LoadedUnit ParseUnit(std::string_view name, std::string_view file, std::string_view text) {
    static const HostFacts kSomeHost{"localhost", std::string(32, '0'), std::string(32, '0'), "0"};
    LoadedUnit unit;
    unit.unit.name = name;
    unit.unit.path = file;
    IniFile entries = ReadIni(file, text);
    unit.problems = std::move(entries.problems);
    ApplyUnitFile(unit.unit, entries, file, kSomeHost, unit.problems);
    FinishUnit(unit.unit, unit.problems);
    SortProblems(unit.problems, file);
    unit.refused = HasErrors(unit.problems);
    return unit;
}

Problems CheckNetworkText(std::string_view name, std::string_view file, std::string_view text) {
    NetworkDefinition network{.name = std::string(name), .path = std::string(file)};
    IniFile entries = ReadIni(file, text);
    Problems problems = std::move(entries.problems);
    ApplyNetworkFile(network, entries, file, {}, problems);
    SortProblems(problems, file);
    return problems;
}

Problems CheckVolumeText(std::string_view name, std::string_view file, std::string_view text) {
    VolumeDefinition volume{.name = std::string(name), .path = std::string(file)};
    IniFile entries = ReadIni(file, text);
    Problems problems = std::move(entries.problems);
    ApplyVolumeFile(volume, entries, file, {}, problems);
    SortProblems(problems, file);
    return problems;
}

LoadedSystemConfig LoadSystemConfig(const std::string& path, bool keep_assignments) {
    LoadedSystemConfig out{.path = path};
    UnitFile file = ReadUnitFile(path);
    if (file.kind == UnitFile::Kind::kBad) out.problems.push_back(std::move(file.problem));
    if (file.kind != UnitFile::Kind::kText) return out;
    IniFile entries = ReadIni(path, file.text);
    out.problems = std::move(entries.problems);
    ApplySystemFile(out.config, entries, path, ReadHostFacts(), out.problems,
                    keep_assignments ? &out.assignments : nullptr);
    CheckDeviceNetwork(out.config, path, out.problems);
    CheckDeviceMounts(out.config, path, out.problems);
    return out;
}

}  // namespace husk::config
