// What a file says of itself before anybody executes it: whether it is a husk for this machine, and
// which. Pure; any bytes may come.
#pragma once

#include <cstdint>

#include <span>
#include <string>

#include "base/error.h"

namespace husk::supervisor {

// Beyond this a file is no husk.
inline constexpr size_t kMaxImageSize = 32u << 20;

struct HuskBinary {
    std::string version;  // "0.1.0"
    std::string build;    // build id, in hexadecimal digits; may be empty
    // Of PID 1's state and of what it speaks with its supervisor (base/init_protocol.h).
    uint32_t handover = 0, protocol = 0;

    friend bool operator==(const HuskBinary&, const HuskBinary&) = default;
};

// The reason is an error: no ELF, of another machine, cut off, without husk's note.
Result<HuskBinary> ReadHuskBinary(std::span<const unsigned char> bytes);
// Of a file that runs: "/proc/self/exe".
Result<HuskBinary> ReadHuskBinary(const std::string& path);

// "husk 0.1.0 (build 1a2b3c4d5e6f)"
std::string Describe(const HuskBinary& image);

// Below 0: `a` is the older version. Numbers between dots; what is no number counts as 0.
int CompareVersions(std::string_view a, std::string_view b);

}  // namespace husk::supervisor
