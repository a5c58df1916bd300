// `husk update UNIT KEY=VALUE…`: live keys of a unit, changed by a drop-in of husk's own. Pure.
#pragma once

#include <cstdint>

#include <string>
#include <string_view>
#include <vector>

#include "config/values.h"

namespace husk::config {

inline constexpr const char* kUpdateFile = "update.conf";  // in NAME.container.d

struct KeyUpdate {
    uint16_t key = 0;
    std::string value;  // empty: back to the default, and a list to nothing

    std::string Text() const;  // "MemoryMax=64M"
};

// "MemoryMax=64M" or "Service.MemoryMax=64M". Only keys that hold without a restart; the value is
// looked at when the drop-in is loaded.
Value<KeyUpdate> ParseKeyUpdate(std::string_view word);

// The drop-in with the updates in it: a scalar has one line, a list adds one, and an empty value
// takes the place of all earlier lines of its key. Lines that are no updates are left out.
std::string MergeUpdates(std::string_view text, const std::vector<KeyUpdate>& updates);

}  // namespace husk::config
