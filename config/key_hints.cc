#include "config/key_hints.h"

#include <algorithm>

#include "base/sort.h"
#include "base/text.h"
#include "config/key_parsers.h"

namespace husk::config {
namespace {

// In a Quadlet file these speak of the process that runs Podman, in a .service file of the program:
// a person has to say which of the two was meant.
constexpr std::string_view kOfPodman =
    "User Group Environment EnvironmentFile NoNewPrivileges SystemCallFilter SystemCallErrorNumber "
    "SystemCallArchitectures PrivatePIDs PrivateIPC PrivateMounts ProtectHostname ReloadSignal";

bool Holds(std::string_view words, std::string_view word) {
    const auto all = SplitWords(words);
    return std::find(all.begin(), all.end(), word) != all.end();
}

const Refused* FindRefused(const SectionNames& section, std::string_view key) {
    for (const Refused& refused : section.refused)
        if (Holds(refused.keys, key)) return &refused;
    return nullptr;
}

bool HasKey(const SectionNames& section, std::string_view key) {
    return std::find(section.keys.begin(), section.keys.end(), key) != section.keys.end();
}

Fix MoveTo(std::string_view section, std::string_view key) {
    return {.kind = Fix::Kind::kMoveLine, .section = std::string(section), .key = std::string(key)};
}

Fix RenameTo(std::string_view key) {
    return {.kind = Fix::Kind::kRenameKey, .key = std::string(key)};
}

Advice OnRefused(const Refused& refused, std::string_view section, std::string_view key) {
    Advice advice{Cat("key ", Quote(key), " is refused"), refused.why};
    if (refused.instead == nullptr) return advice;
    const std::string_view instead = refused.instead;
    if (instead.empty()) {
        advice.fix = Fix{.kind = Fix::Kind::kDropLine};
        return advice;
    }
    const size_t dot = instead.find('.');
    const std::string_view name = instead.substr(dot + 1);
    if (instead.substr(0, dot) == section)
        advice.fix = RenameTo(name);
    else
        advice.fix = MoveTo(instead.substr(0, dot), name);
    // The reason alone does not say what to write.
    if (advice.hint.find(name) == std::string::npos) advice.hint += Cat("; write ", name, "=");
    return advice;
}

// Letters in the wrong order are two edits, which is far for a short word and yet the usual slip.
bool SameLetters(std::string_view a, std::string_view b) {
    std::string one(a), other(b);
    InsertionSort(one);
    InsertionSort(other);
    return one == other;
}

struct Near {
    std::string_view name;
    bool only = true;  // no other name is as near
};

std::vector<std::string_view> RefusedNames(const SectionNames& section) {
    std::vector<std::string_view> names;
    for (const Refused& refused : section.refused)
        for (std::string_view name : SplitWords(refused.keys)) names.push_back(name);
    return names;
}

std::optional<Near> NearestName(std::string_view key, const std::vector<std::string_view>& names) {
    if (auto near = Nearest(key, names)) {
        const size_t distance = EditDistance(key, *near);
        return Near{*near, std::count_if(names.begin(), names.end(), [&](std::string_view name) {
                               return EditDistance(key, name) == distance;
                           }) == 1};
    }
    for (std::string_view name : names)
        if (name.size() == key.size() && SameLetters(name, key)) return Near{name};
    return std::nullopt;
}

}  // namespace

Advice AdviseOnSection(const std::vector<SectionNames>& sections, std::string_view name) {
    std::vector<std::string_view> names;
    std::vector<std::string> shown;
    for (const SectionNames& section : sections) {
        names.push_back(section.name);
        if (!section.keys.empty()) shown.push_back(Cat("[", section.name, "]"));
    }
    auto near = Nearest(name, names);
    return {Cat("unknown section [", name, "]"), near
                                                     ? Cat("did you mean [", *near, "]?")
                                                     : Cat("the sections are ", Join(shown, ", "))};
}

Advice AdviseOnKey(const std::vector<SectionNames>& sections, std::string_view section,
                   std::string_view key) {
    const auto own = std::find_if(sections.begin(), sections.end(),
                                  [&](const SectionNames& one) { return one.name == section; });
    if (const Refused* refused = FindRefused(*own, key)) return OnRefused(*refused, section, key);
    for (const SectionNames& other : sections)
        if (HasKey(other, key)) {
            Advice advice{Cat("key ", Quote(key), " is not one of [", section, "]"),
                          Cat("it belongs in [", other.name, "]")};
            if (section != "Service" || !Holds(kOfPodman, key))
                advice.fix = MoveTo(other.name, key);
            return advice;
        }
    for (const SectionNames& other : sections)
        if (const Refused* refused = FindRefused(other, key))
            return OnRefused(*refused, section, key);
    Advice advice{Cat("unknown key ", Quote(key), " in [", section, "]"),
                  "husk.units(5) lists the keys; names that begin with X- are ignored"};
    if (auto near = NearestName(key, own->keys)) {
        advice.hint = Cat("did you mean ", Quote(near->name), "?");
        if (near->only) advice.fix = RenameTo(near->name);
        return advice;
    }
    for (const SectionNames& other : sections)
        if (auto near = NearestName(key, other.keys)) {
            advice.hint = Cat("did you mean ", Quote(near->name), " in [", other.name, "]?");
            if (near->only) advice.fix = MoveTo(other.name, near->name);
            return advice;
        }
    // The last resort: to be told that a key is refused helps, if it was that one.
    if (auto near = NearestName(key, RefusedNames(*own)))
        advice.hint = Cat("did you mean ", Quote(near->name), "?");
    return advice;
}

std::optional<std::string> ReplaceWord(std::string_view text, size_t index,
                                       std::string_view instead) {
    if (text.find_first_of("'\"\\%") != text.npos) return std::nullopt;
    std::vector<std::string> words;
    for (std::string_view word : SplitWords(text)) words.emplace_back(word);
    if (index >= words.size()) return std::nullopt;
    if (instead.empty())
        words.erase(words.begin() + static_cast<ptrdiff_t>(index));
    else
        words[index] = instead;
    return Join(words, " ");
}

}  // namespace husk::config
