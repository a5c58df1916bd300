// Randomness that outlives a boot: STATE/random-seed goes into the kernel's pool at boot and counts
// as entropy there, so that a board without a hardware source of it has keys at once (random(4)).
#pragma once

#include <string>

#include "base/error.h"

namespace husk::supervisor {

inline constexpr size_t kSeedSize = 32;  // the pool holds 256 bits

// Nothing to restore is fine. The file is gone from the disk before the kernel counts it: no boot
// after a power cut begins with the same numbers.
Status RestoreSeed(const std::string& state_directory);
// Anew, and on disk when it returns. Nothing is kept while the kernel has no randomness itself.
Status KeepSeed(const std::string& state_directory);

}  // namespace husk::supervisor
