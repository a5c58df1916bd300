// Every limit on what unit files may hold, in one place. Over a limit is an error that names it,
// never a silent cut. They stand in the reference (husk.units.5, "Limits").
#pragma once

#include <cstddef>

#include <span>

namespace husk::config {

// Each unit takes some kilobytes of the supervisor; a folder with more than this is a mistake.
inline constexpr size_t kMaxUnits = 20'000;
inline constexpr size_t kMaxDropIns = 100;  // of one unit
inline constexpr size_t kMaxFileBytes = 64 << 10;
inline constexpr size_t kMaxLineBytes = 4096;  // inih's buffer without line end and NUL
inline constexpr size_t kMaxNameBytes = 49;    // of sections and keys: inih cuts them there
inline constexpr size_t kMaxUnitNameBytes = 100;
// Items of one list key, and words of one command.
inline constexpr size_t kMaxListItems = 1'000;
// Sockets and FIFOs of one unit: each is a descriptor of PID 1's.
inline constexpr size_t kMaxListeners = 64;
// As the kernel takes it: execve(2) fails with E2BIG somewhere above this.
inline constexpr size_t kMaxCommandBytes = 128 << 10;
// Problems of one file that are listed. Nobody reads more, and each costs memory and a search for
// the nearest name.
inline constexpr size_t kMaxProblems = 100;

// The same for people.
struct Limit {
    const char* what;
    size_t most;
    bool bytes;
};
std::span<const Limit> Limits();

}  // namespace husk::config
