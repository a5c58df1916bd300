#include "config/keys.h"

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace husk::config {
namespace {

template <typename Target>
using Sections = std::span<const KeySection<Target>>;

template <typename Target>
const KeyRow<Target>* FindRow(const KeySection<Target>& section, std::string_view name) {
    for (const auto& row : section.rows)
        if (row.name == name) return &row;
    return nullptr;
}

template <typename Target>
const KeySection<Target>* FindSection(Sections<Target> sections, std::string_view name) {
    for (const auto& section : sections)
        if (section.name == name) return &section;
    return nullptr;
}

template <typename Target>
std::vector<std::string_view> Names(const KeySection<Target>& section) {
    std::vector<std::string_view> names;
    for (const auto& row : section.rows) names.emplace_back(row.name);
    return names;
}

template <typename Target>
std::string UnknownSectionHint(Sections<Target> sections, std::string_view name) {
    std::vector<std::string_view> names;
    std::vector<std::string> shown;
    for (const auto& section : sections) {
        names.emplace_back(section.name);
        shown.push_back(Cat("[", section.name, "]"));
    }
    if (auto near = Nearest(name, names)) return Cat("did you mean [", *near, "]?");
    return Cat("the sections are ", Join(shown, ", "));
}

// Letters in the wrong order are two edits, which is far for a short word and yet the usual slip.
std::optional<std::string_view> NearestName(std::string_view word,
                                            const std::vector<std::string_view>& names) {
    if (auto near = Nearest(word, names)) return near;
    auto letters = [](std::string_view text) {
        std::string sorted(text);
        std::sort(sorted.begin(), sorted.end());
        return sorted;
    };
    const std::string wanted = letters(word);
    for (std::string_view name : names)
        if (name.size() == word.size() && letters(name) == wanted) return name;
    return std::nullopt;
}

// The nearest name of the own section, else of another one.
template <typename Target>
std::string UnknownKeyHint(Sections<Target> sections, const KeySection<Target>& own,
                           std::string_view key) {
    if (auto near = NearestName(key, Names(own))) return Cat("did you mean ", Quote(*near), "?");
    for (const auto& section : sections)
        if (auto near = NearestName(key, Names(section)))
            return Cat("did you mean ", Quote(*near), " in [", section.name, "]?");
    return "husk.units(5) lists the keys; names that begin with X- are ignored";
}

template <typename Target>
class Applying {
  public:
    Applying(Target& target, Sections<Target> sections, const Specifiers& specifiers,
             std::string_view file_name, Problems& problems)
        : target_(target),
          sections_(sections),
          specifiers_(specifiers),
          file_name_(file_name),
          problems_(problems) {}

    void ApplyFile(const IniFile& file) {
        const size_t most = problems_.size() + kMaxProblems;
        for (const IniSection& header : file.sections)
            if (problems_.size() < most && !header.name.starts_with("X-") &&
                !FindSection(sections_, header.name))
                Report(header.line, {}, Cat("unknown section [", header.name, "]"),
                       UnknownSectionHint(sections_, header.name));
        for (const IniEntry& entry : file.entries) {
            if (problems_.size() >= most)
                return Report(entry.line, {}, "too many problems: the rest is not looked at", {});
            // Keys of unknown sections have been spoken for by their header.
            if (const auto* section = FindSection(sections_, entry.section);
                section != nullptr && !entry.key.starts_with("X-"))
                ApplyEntry(*section, entry);
        }
    }

  private:
    void Report(int line, std::string_view key, std::string text, std::string hint) {
        problems_.push_back({Severity::kError,
                             {std::string(file_name_), line},
                             std::string(key),
                             std::move(text),
                             std::move(hint)});
    }

    void ApplyEntry(const KeySection<Target>& section, const IniEntry& entry) {
        const auto* row = FindRow(section, entry.key);
        if (row == nullptr) return ReportUnknown(section, entry);
        if (row->parse == nullptr) {
            if (row->refusal != nullptr)
                return Report(entry.line, entry.key, Cat("key ", Quote(entry.key), " is refused"),
                              row->refusal);
            return Report(entry.line, entry.key,
                          Cat("key ", Quote(entry.key), " is not supported yet"), {});
        }
        const Location at{std::string(file_name_), entry.line};
        auto outcome = row->parse(target_, {entry.value, specifiers_, at, defaults_});
        if (!outcome)
            return Report(entry.line, entry.key,
                          Cat("key ", Quote(entry.key), ": ", outcome.error().text),
                          std::move(outcome.error().hint));
        if constexpr (requires { target_.given; }) {
            const std::string name = Cat(section.name, ".", entry.key);
            if (entry.value.empty())
                target_.given.erase(name);
            else
                target_.given.insert_or_assign(name, at);
        }
    }

    void ReportUnknown(const KeySection<Target>& section, const IniEntry& entry) {
        for (const auto& other : sections_)
            if (FindRow(other, entry.key) != nullptr)
                return Report(entry.line, entry.key,
                              Cat("key ", Quote(entry.key), " is not one of [", section.name, "]"),
                              Cat("it belongs in [", other.name, "]"));
        Report(entry.line, entry.key,
               Cat("unknown key ", Quote(entry.key), " in [", section.name, "]"),
               UnknownKeyHint(sections_, section, entry.key));
    }

    Target& target_;
    Sections<Target> sections_;
    const Specifiers& specifiers_;
    std::string_view file_name_;
    Problems& problems_;
    const Target defaults_{};
};

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
        case ValueType::kNetwork: return "network";
        case ValueType::kUlimit: return "list of NAME=SOFT[:HARD]";
        case ValueType::kCpus: return "list of numbers and ranges";
        case ValueType::kUris: return "list of URIs";
        case ValueType::kNames: return "list of names";
        case ValueType::kOther: return "";
    }
    return "";
}

bool IsList(ValueType type) { return std::string_view(TypeText(type)).starts_with("list"); }

std::span<const KeySection<Unit>> UnitSections() {
    static const KeySection<Unit> kSections[] = {
        {"Unit", "What the unit is and what it needs around it.", UnitSectionKeys()},
        {"Container", "What runs, and in what.", ContainerSectionKeys()},
        {"Service", "Life and limits.", ServiceSectionKeys()},
        {"Timer", "When it starts by the clock.", TimerSectionKeys()},
        {"Socket", "What it listens on before it runs.", SocketSectionKeys()},
        {"Install", "Whether it starts at boot.", InstallSectionKeys()},
    };
    return kSections;
}

void ApplyUnitFile(Unit& unit, const IniFile& file, std::string_view file_name,
                   const HostFacts& host, Problems& problems) {
    // A copy: the unit is being written to while the specifiers are read.
    const std::string name = unit.name;
    const Specifiers specifiers{name, host};
    Applying<Unit>(unit, UnitSections(), specifiers, file_name, problems).ApplyFile(file);
}

void ApplySystemFile(SystemConfig& config, const IniFile& file, std::string_view file_name,
                     const HostFacts& host, Problems& problems) {
    const Specifiers specifiers{"system", host};
    Applying<SystemConfig>(config, SystemSections(), specifiers, file_name, problems)
        .ApplyFile(file);
}

}  // namespace husk::config
