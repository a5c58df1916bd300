// Landlock (landlock(7)): from what a unit may do to rules that the child hands to the kernel.
#pragma once

#include <cstdint>

#include <string>
#include <vector>

#include "base/error.h"
#include "container/spec.h"

namespace husk::container {

// struct landlock_ruleset_attr, as of ABI 6; an older kernel takes as much of it as it knows.
struct LandlockAttributes {
    uint64_t handled_files = 0;  // LANDLOCK_ACCESS_FS_*: refused where no rule allows it
    uint64_t handled_network = 0;
    uint64_t scoped = 0;
};

struct LandlockPlan {
    struct PathRule {
        std::string path;
        uint64_t access = 0;       // of a directory and all below it
        uint64_t file_access = 0;  // where the path is no directory
        bool optional = false;     // passed over where it is missing
    };
    LandlockAttributes attributes;
    size_t attributes_size = 0;  // what the kernel's ABI knows of them
    std::vector<PathRule> paths;
    std::vector<uint16_t> bind_ports;
    bool IsUsed() const { return attributes_size != 0; }
    bool GuardsExecution() const;
};

// Pure. An unused plan where nothing is asked for; an error that names the key where the kernel's
// ABI has not what it needs. What the ABI adds without a key (truncate, ioctls of devices, scopes)
// is taken where it is.
Result<LandlockPlan> PlanLandlock(const LandlockSpec& spec);

// The kernel's ABI, or 0 and errno: ENOSYS not built in, EOPNOTSUPP switched off.
int LandlockAbi();

}  // namespace husk::container
