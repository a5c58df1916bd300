// What is said of sections and keys that no table has a row for. Pure, and of one kind for all
// tables, since it is the way to a refusal.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/keys.h"
#include "config/problem.h"

namespace husk::config {

// A section with the names of its rows.
struct SectionNames {
    std::string_view name;
    std::vector<std::string_view> keys;
    std::span<const Refused> refused;
};

struct Advice {
    std::string text, hint;
    std::optional<Fix> fix = {};
};

Advice AdviseOnSection(const std::vector<SectionNames>& sections, std::string_view name);
// `key` is not one of the section's keys, which may have it among the refused ones.
Advice AdviseOnKey(const std::vector<SectionNames>& sections, std::string_view section,
                   std::string_view key);

}  // namespace husk::config
