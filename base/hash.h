// FNV-1a with 64 bits (draft-eastlake-fnv): for choices and comparisons that are to be the same
// after a restart and on every machine. Nobody's secret hangs on it.
#pragma once

#include <cstdint>

#include <string_view>

namespace husk {

inline constexpr uint64_t kHashSeed = 0xcbf29ce484222325;
inline constexpr uint64_t kHashPrime = 0x100000001b3;

constexpr uint64_t HashOn(uint64_t hash, std::string_view text) {
    for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * kHashPrime;
    return hash;
}

// As a part with an end: "a" and "b" are not "ab".
constexpr uint64_t HashPartOn(uint64_t hash, std::string_view part) {
    return (HashOn(hash, part) ^ 0xff) * kHashPrime;
}

}  // namespace husk
