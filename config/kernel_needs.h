// What husk and units need of a kernel, and what a kernel's .config says of it: for the build host,
// where neither the kernel nor the images run. Pure.
#pragma once

#include <expected>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/load.h"
#include "config/problem.h"
#include "config/unit.h"

namespace husk::config {

// A kernel's .config, as its build wrote it.
struct KernelConfig {
    struct Option {
        bool there = false;  // built in, or a module: husk loads those of KernelModules=
        int line = 0;
    };
    std::string file;
    std::map<std::string, Option, std::less<>> options;  // without "CONFIG_"
    std::string version;                                 // "6.1.192", empty where it is not said
    int version_line = 0;

    // An option that the file does not name is not there: its dependencies are not met.
    bool Has(std::string_view option) const;
    // Where the option is spoken of; the file as a whole where it is not.
    Location PlaceOf(std::string_view option) const;
};

// Most bytes that a .config may have; real ones have a few hundred KiB.
inline constexpr size_t kMaxKernelConfigBytes = 4 << 20;

// The error is of what is no .config: a compressed one, a kernel image, any other file.
std::expected<KernelConfig, Problem> ParseKernelConfig(std::string_view file,
                                                       std::string_view text);

// One row: a kernel option, who needs it, and what for.
struct KernelNeed {
    std::string_view option;       // without "CONFIG_"
    std::string_view alternative;  // another one that does as well, or empty
    const char* what_for;          // one line for people
    const char* keys;  // what in a unit needs it, for the reference; nullptr: husk itself
    // The key by which the unit needs it ("Container.Overlay"), empty where it does not.
    // nullptr: husk itself needs it.
    std::string_view (*asked_by)(const Unit& unit);
    // kWarning: only some do, and which cannot be told from the file.
    Severity severity = Severity::kError;
    unsigned since_minor = 0;  // what is needed of the option came with kernel 6.N
};
std::span<const KernelNeed> KernelNeeds();

// Adds to each unit the errors that it would have on that kernel, and to `problems` what husk
// itself lacks there, and that a kernel is older than those that husk is tested on. A unit that got
// an error is refused, and so is who requires it.
void CheckKernel(const KernelConfig& kernel, std::vector<LoadedUnit>& units, Problems& problems);

}  // namespace husk::config
