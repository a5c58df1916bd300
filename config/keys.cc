#include "config/keys.h"

#include <algorithm>
#include <optional>

#include "base/hash.h"
#include "base/text.h"
#include "config/key_hints.h"

namespace husk::config {
namespace {

using Sections = std::span<const KeySection>;

const KeyRow* FindRow(const KeySection& section, std::string_view name) {
    for (const auto& row : section.rows)
        if (row.name == name) return &row;
    return nullptr;
}

const KeySection* FindSection(Sections sections, std::string_view name) {
    for (const auto& section : sections)
        if (section.name == name) return &section;
    return nullptr;
}

// Rows are numbered through all sections, in the order of the reference.
uint16_t NumberOf(Sections sections, const KeyRow& row) {
    size_t number = 0;
    for (const auto& section : sections) {
        if (&row >= section.rows.data() && &row < section.rows.data() + section.rows.size())
            return static_cast<uint16_t>(number + static_cast<size_t>(&row - section.rows.data()));
        number += section.rows.size();
    }
    return 0;
}

std::vector<SectionNames> NamesOf(Sections sections) {
    std::vector<SectionNames> names;
    for (const auto& section : sections) {
        names.push_back({section.name, {}, section.refused});
        for (const auto& row : section.rows) names.back().keys.push_back(row.name);
    }
    return names;
}

// What a file is applied to, with what the rows of its sections know and this code need not.
struct AnyTarget {
    void* target;
    const void* defaults;
    std::vector<GivenKey>& given;
    Sections sections;
};

class Applying {
  public:
    Applying(const AnyTarget& to, const Specifiers& specifiers, std::string_view file_name,
             uint16_t file_number, Problems& problems, Assignments* kept)
        : to_(to),
          specifiers_(specifiers),
          file_name_(file_name),
          file_number_(file_number),
          problems_(problems),
          kept_(kept) {}

    void ApplyFile(const IniFile& file) {
        const size_t most = problems_.size() + kMaxProblems;
        to_.given.reserve(to_.given.size() + file.entries.size());
        std::vector<const KeySection*> sections;
        for (const IniSection& header : file.sections) {
            sections.push_back(FindSection(to_.sections, header.name));
            if (problems_.size() < most && !header.name.starts_with("X-") &&
                sections.back() == nullptr)
                Report(header.line, {}, AdviseOnSection(NamesOf(to_.sections), header.name));
        }
        for (const IniEntry& entry : file.entries) {
            if (problems_.size() >= most)
                return Report(entry.line, {}, {"too many problems: the rest is not looked at", {}});
            // Keys of unknown sections have been spoken for by their header.
            if (const auto* section = sections[entry.section];
                section != nullptr && !entry.key.starts_with("X-"))
                ApplyEntry(*section, entry);
        }
    }

  private:
    void Report(int line, std::string_view key, Advice advice) {
        problems_.push_back({Severity::kError,
                             {std::string(file_name_), line},
                             std::string(key),
                             std::move(advice.text),
                             std::move(advice.hint),
                             std::move(advice.fix)});
    }

    void ReportValue(const IniEntry& entry, BadValue bad) {
        std::optional<Fix> fix;
        if (bad->instead)
            fix =
                Fix{.kind = bad->instead->empty() ? Fix::Kind::kDropLine : Fix::Kind::kReplaceValue,
                    .value = *bad->instead};
        Report(
            entry.line, entry.key,
            {Cat("key ", Quote(entry.key), ": ", bad->text), std::move(bad->hint), std::move(fix)});
    }

    void ApplyEntry(const KeySection& section, const IniEntry& entry) {
        const auto* row = FindRow(section, entry.key);
        if (row == nullptr)
            return Report(entry.line, entry.key,
                          AdviseOnKey(NamesOf(to_.sections), section.name, entry.key));
        const KeyCode& code = row->code;
        static_assert(kMaxFileBytes <= size_t{UINT16_MAX} + 1);  // an entry takes two bytes more
        const Place at{file_number_, static_cast<uint16_t>(entry.line)};
        auto parsed = Take(code, entry.value, at);
        if (!parsed) ReportValue(entry, std::move(parsed).error());
        if (code.later)
            Report(entry.line, entry.key,
                   {Cat("key ", Quote(entry.key), " is not supported yet"), {}});
        if (!parsed || code.later) return;
        Note(*row, at, entry.value);
    }

    Outcome Take(const KeyCode& code, std::string_view value, Place at) {
        const bool resets = value.empty();
        if (!code.expands || resets)
            return code(to_.target, {value, resets, specifiers_, at, to_.defaults});
        auto expanded = ExpandSpecifiers(value, specifiers_);
        if (!expanded) return std::unexpected(std::move(expanded).error());
        return code(to_.target, {*expanded, resets, specifiers_, at, to_.defaults});
    }

    void Note(const KeyRow& row, Place at, std::string_view value) {
        const uint16_t key = NumberOf(to_.sections, row);
        auto& given = to_.given;
        auto found =
            std::lower_bound(given.begin(), given.end(), key,
                             [](const GivenKey& one, uint16_t wanted) { return one.key < wanted; });
        const bool known = found != given.end() && found->key == key;
        const bool adds = known && IsList(row.type) && !value.empty();
        if (kept_ != nullptr && !adds)
            std::erase_if(*kept_, [&](const Assignment& old) { return old.key == key; });
        if (value.empty()) {
            if (known) given.erase(found);
            return;
        }
        if (!known) found = given.insert(found, {.key = key});
        // What the key's own parser took has specifiers that are known, or none that count.
        std::string expanded = ExpandSpecifiers(value, specifiers_).value_or(std::string(value));
        found->digest = HashPartOn(adds ? found->digest : kHashSeed, expanded);
        found->at = at;
        if (kept_ != nullptr) kept_->push_back({key, at, std::move(expanded)});
    }

    const AnyTarget& to_;
    const Specifiers& specifiers_;
    std::string_view file_name_;
    uint16_t file_number_;
    Problems& problems_;
    Assignments* kept_;
};

template <typename Target>
void ApplyTo(Target& target, Sections sections, std::string_view name, const IniFile& file,
             std::string_view file_name, const HostFacts& host, Problems& problems,
             Assignments* kept) {
    static const Target defaults;
    uint16_t file_number = 0;
    if constexpr (requires { target.drop_ins; })
        if (file_name != target.path) {
            target.drop_ins.emplace_back(file_name);
            file_number = static_cast<uint16_t>(target.drop_ins.size());
        }
    const AnyTarget to{&target, &defaults, target.given, sections};
    const Specifiers specifiers{name, host};
    Applying(to, specifiers, file_name, file_number, problems, kept).ApplyFile(file);
}

struct Located {
    const KeySection* section;
    const KeyRow* row;
};

Located Locate(uint16_t key) {
    size_t left = key;
    for (const auto& section : UnitSections()) {
        if (left < section.rows.size()) return {&section, &section.rows[left]};
        left -= section.rows.size();
    }
    return {&UnitSections()[0], &UnitSections()[0].rows[0]};  // numbers come from KeyIndex()
}

}  // namespace

const char* TypeText(ValueType type) {
    switch (type) {
        case ValueType::kBoolean: return "boolean";
        case ValueType::kText: return "text";
        case ValueType::kWords: return "words";
        case ValueType::kPath: return "path";
        case ValueType::kPathList: return "list of paths";
        case ValueType::kUnits: return "list of units";
        case ValueType::kSpan: return "time";
        case ValueType::kSize: return "size";
        case ValueType::kMemory: return "size, percent or infinity";
        case ValueType::kNumber: return "number";
        case ValueType::kSignal: return "signal";
        case ValueType::kSignals: return "list of signals";
        case ValueType::kStatus: return "list of exit statuses";
        case ValueType::kLimit: return "LIMIT or SOFT:HARD";
        case ValueType::kChoice: return "word";
        case ValueType::kMode: return "octal mode";
        case ValueType::kAssignments: return "list of NAME=VALUE";
        case ValueType::kName: return "name";
        case ValueType::kCapabilities: return "list of capabilities";
        case ValueType::kPercent: return "percent";
        case ValueType::kVolume: return "list of SOURCE:DEST[:OPTION,...]";
        case ValueType::kTmpfs: return "list of DEST[:OPTION,...]";
        case ValueType::kImage: return "name or path";
        case ValueType::kNetwork: return "list of networks";
        case ValueType::kUlimit: return "list of NAME=SOFT[:HARD]";
        case ValueType::kCpus: return "list of numbers and ranges";
        case ValueType::kUris: return "list of URIs";
        case ValueType::kNames: return "list of names";
        case ValueType::kPorts: return "list of [[ADDRESS:]PORT:]PORT[/PROTOCOL]";
        case ValueType::kIoLimits: return "list of PATH NUMBER";
        case ValueType::kDevices: return "list of HOST[:CONTAINER[:ACCESS]]";
        case ValueType::kDeviceRules: return "list of DEVICE [ACCESS]";
        case ValueType::kIdMaps: return "list of ID:DEVICE-ID[:COUNT]";
        case ValueType::kPortNumbers: return "list of ports";
        case ValueType::kOther: return "";
    }
    return "";
}

bool IsList(ValueType type) { return std::string_view(TypeText(type)).starts_with("list"); }

std::span<const KeySection> UnitSections() {
    static const KeySection kSections[] = {
        {"Unit", "What the unit is and what it needs around it.", UnitSectionKeys(),
         UnitSectionRefused()},
        {"Container", "What runs, and in what.", ContainerSectionKeys(), ContainerSectionRefused()},
        {"Service", "Life and limits.", ServiceSectionKeys(), ServiceSectionRefused()},
        {"Timer", "When it starts by the clock.", TimerSectionKeys(), TimerSectionRefused()},
        {"Socket", "What it listens on before it runs.", SocketSectionKeys(),
         SocketSectionRefused()},
        {"Install", "Whether it starts at boot.", InstallSectionKeys(), InstallSectionRefused()},
        {"Quadlet", "How Podman reads the file.", {}, QuadletSectionRefused()},
    };
    return kSections;
}

std::string KeyName(uint16_t key) {
    const Located found = Locate(key);
    return Cat(found.section->name, ".", found.row->name);
}

std::optional<uint16_t> KeyIndex(std::string_view name) {
    const size_t dot = name.find('.');
    const auto* section = FindSection(UnitSections(), name.substr(0, dot));
    if (section == nullptr || dot == name.npos) return std::nullopt;
    const auto* row = FindRow(*section, name.substr(dot + 1));
    if (row == nullptr) return std::nullopt;
    return NumberOf(UnitSections(), *row);
}

const KeyRow& RowOfKey(uint16_t key) { return *Locate(key).row; }

bool IsLive(uint16_t key) { return RowOfKey(key).code.live; }

void ApplyUnitFile(Unit& unit, const IniFile& file, std::string_view file_name,
                   const HostFacts& host, Problems& problems, Assignments* kept) {
    // A copy: the unit is being written to while the specifiers are read.
    const std::string name = unit.name;
    ApplyTo(unit, UnitSections(), name, file, file_name, host, problems, kept);
}

void ApplyNetworkFile(NetworkDefinition& network, const IniFile& file, std::string_view file_name,
                      const HostFacts& host, Problems& problems) {
    const std::string name = network.name;
    ApplyTo(network, NetworkSections(), name, file, file_name, host, problems, nullptr);
}

void ApplyVolumeFile(VolumeDefinition& volume, const IniFile& file, std::string_view file_name,
                     const HostFacts& host, Problems& problems) {
    const std::string name = volume.name;
    ApplyTo(volume, VolumeSections(), name, file, file_name, host, problems, nullptr);
}

void ApplySystemFile(SystemConfig& config, const IniFile& file, std::string_view file_name,
                     const HostFacts& host, Problems& problems, Assignments* kept) {
    ApplyTo(config, SystemSections(), "system", file, file_name, host, problems, kept);
}

}  // namespace husk::config
