#include "config/show.h"

#include <algorithm>

#include "base/text.h"
#include "config/keys.h"

namespace husk::config {
namespace {

using Source = ShownKey::Source;

// The key of [Service] that a key of [Container] is another name of: its default is that key.
std::string_view TwinOf(std::string_view section, const KeyRow& row) {
    const std::string_view text = row.default_text;
    if (section != "Container" || !text.ends_with('=')) return {};
    return text.substr(0, text.size() - 1);
}

// A value is kept out of sight where it is a secret.
std::string Shown(const KeyRow& row, const std::string& text) {
    if (row.name != "SetCredential") return text;
    return Cat(text.substr(0, text.find(':')), ":(not shown)");
}

class Showing {
  public:
    Showing(const LoadedUnit& unit, const LoadedSystemConfig& system)
        : unit_(unit), system_(system) {}

    std::vector<ShownKey> All() {
        uint16_t key = 0;
        for (const auto& section : UnitSections())
            for (const auto& row : section.rows) {
                if (row.code.carried_out()) Show(section.name, row, key);
                ++key;
            }
        return std::move(shown_);
    }

  private:
    void Show(std::string_view section, const KeyRow& row, uint16_t key) {
        const size_t before = shown_.size();
        for (const Assignment& one : unit_.assignments)
            if (one.key == key)
                shown_.push_back({section, row.name, Shown(row, one.text), Source::kFile,
                                  unit_.unit.LocationOf(one.at)});
        if (shown_.size() > before || !TwinOf(section, row).empty() || TwinGiven(row)) return;
        if (ShowSystemDefault(section, row)) return;
        shown_.push_back({section, row.name, row.default_text, Source::kDefault, {}});
    }

    bool TwinGiven(const KeyRow& row) const {
        return std::ranges::any_of(shown_, [&](const ShownKey& other) {
            const auto index = KeyIndex(Cat(other.section, ".", other.key));
            return index && TwinOf(other.section, RowOfKey(*index)) == row.name;
        });
    }

    bool ShowSystemDefault(std::string_view section, const KeyRow& row) {
        uint16_t key = 0;
        for (const auto& of : SystemSections())
            for (const auto& other : of.rows) {
                const bool ours =
                    other.name.starts_with("Default") && other.name.substr(7) == row.name;
                for (const Assignment& one : system_.assignments)
                    if (ours && one.key == key) {
                        shown_.push_back({section,
                                          row.name,
                                          one.text,
                                          Source::kSystem,
                                          {system_.path, one.at.line}});
                        return true;
                    }
                ++key;
            }
        return false;
    }

    const LoadedUnit& unit_;
    const LoadedSystemConfig& system_;
    std::vector<ShownKey> shown_;
};

}  // namespace

std::vector<ShownKey> ShowUnit(const LoadedUnit& unit, const LoadedSystemConfig& system) {
    return Showing(unit, system).All();
}

}  // namespace husk::config
