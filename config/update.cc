#include "config/update.h"

#include <algorithm>

#include "base/text.h"
#include "config/ini_reader.h"
#include "config/keys.h"

namespace husk::config {
namespace {

// By its full name, or by its own, which no two sections share.
std::optional<uint16_t> FindKey(std::string_view name) {
    if (name.find('.') != name.npos) return KeyIndex(name);
    for (const auto& section : UnitSections())
        for (const auto& row : section.rows)
            if (row.name == name) return KeyIndex(Cat(section.name, ".", name));
    return std::nullopt;
}

std::unexpected<BadValue> RefuseKey(std::string_view name) {
    const size_t dot = name.find('.');
    const std::string_view plain = name.substr(dot == name.npos ? 0 : dot + 1);
    std::vector<std::string_view> names;
    for (const auto& section : UnitSections())
        for (const auto& row : section.rows)
            if (row.code.live) names.push_back(row.name);
    const auto near = Nearest(plain, names);
    return Bad(Cat("unknown key ", Quote(name)),
               near ? Cat("did you mean ", Quote(*near), "?")
                    : std::string("keys that can be updated: husk check --reference live"));
}

}  // namespace

std::string KeyUpdate::Text() const { return Cat(RowOfKey(key).name, "=", value); }

Value<KeyUpdate> ParseKeyUpdate(std::string_view word) {
    const size_t equals = word.find('=');
    if (equals == word.npos || equals == 0)
        return Bad(Cat(Quote(word), " is not KEY=VALUE"), "as in MemoryMax=64M");
    const std::string_view name = word.substr(0, equals);
    const auto key = FindKey(name);
    if (!key) return RefuseKey(name);
    if (!IsLive(*key))
        return Bad(Cat("key ", Quote(RowOfKey(*key).name), " needs a restart of the unit"),
                   "write it in the unit's file, and run 'husk reload'");
    const std::string_view value = Trim(word.substr(equals + 1));
    // It becomes a line of a file.
    if (std::ranges::any_of(value, [](char c) { return static_cast<unsigned char>(c) < 0x20; }))
        return Bad(Cat(Quote(word), " has a control character in it"), "one line of plain text");
    if (value.ends_with('\\'))
        return Bad(Cat(Quote(word), " ends in a backslash"), "lines are not continued");
    return KeyUpdate{*key, std::string(value)};
}

std::string MergeUpdates(std::string_view text, const std::vector<KeyUpdate>& updates) {
    std::vector<KeyUpdate> lines;
    const IniFile file = ReadIni(kUpdateFile, text);
    for (const IniEntry& entry : file.entries)
        if (const auto key = KeyIndex(Cat(file.sections[entry.section].name, ".", entry.key)))
            lines.push_back({*key, entry.value});
    for (const KeyUpdate& update : updates) {
        if (update.value.empty() || !IsList(RowOfKey(update.key).type))
            std::erase_if(lines, [&](const KeyUpdate& line) { return line.key == update.key; });
        lines.push_back(update);
    }
    std::string out = "# Written by 'husk update'.\n";
    for (const auto& section : UnitSections()) {
        std::string inside;
        for (const KeyUpdate& line : lines)
            if (KeyIndex(Cat(section.name, ".", RowOfKey(line.key).name)) == line.key)
                inside += line.Text() + "\n";
        if (!inside.empty()) out += Cat("[", section.name, "]\n", inside);
    }
    return out;
}

}  // namespace husk::config
