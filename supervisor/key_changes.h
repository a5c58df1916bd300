// Which keys differ between what a unit was started with and what its files say now.
#pragma once

#include <cstdint>

#include <compare>
#include <string>
#include <vector>

#include "config/unit.h"

namespace husk::supervisor {

// A key that a unit was given, and a digest of its whole value.
struct KeyDigest {
    uint16_t key = 0;
    uint64_t digest = 0;
    friend auto operator<=>(const KeyDigest&, const KeyDigest&) = default;
};
using KeyDigests = std::vector<KeyDigest>;  // sorted by key

// A key that this build of husk does not know by name: always changed, and not live.
inline constexpr uint16_t kUnknownKey = UINT16_MAX;

KeyDigests DigestsOf(const config::Unit& unit);

struct KeyChange {
    enum class Kind : uint8_t { kChanged, kNew, kGone };

    uint16_t key = 0;
    Kind kind = Kind::kChanged;
    config::Location at;  // of the value that holds now; nowhere for kGone
};
const char* KeyChangeName(KeyChange::Kind kind);  // "changed", "new", "gone"
// "Exec= changed (/etc/husk/units/web.container:4)"
std::string Describe(const KeyChange& change);

// Whatever is given with another digest, or on one side only; sorted by key.
std::vector<KeyChange> ChangedKeys(const KeyDigests& before, const config::Unit& then);

}  // namespace husk::supervisor
