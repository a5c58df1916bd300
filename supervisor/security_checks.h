// The table of `husk security`: one row a question. Only for security.cc and its test.
#pragma once

#include <span>
#include <string>

#include "config/unit.h"
#include "container/spec.h"

namespace husk::supervisor {

struct SecurityFacts {
    const config::Unit& unit;
    const container::ContainerSpec& spec;

    bool DeviceUsers() const { return !spec.user_namespace; }
    bool Root() const { return spec.user.uid == 0; }
    // Root of the device, as far as files and processes are concerned.
    bool DeviceRoot() const;
    bool Has(int capability) const { return spec.capabilities >> capability & 1; }
    bool OwnNetwork() const { return spec.network == container::NetworkKind::kPrivate; }
};

// How bad it is in one unit.
struct SecurityVerdict {
    unsigned badness = 0;  // 0 (good) to 10 of the weight
    // Percent of the device that it gives away by itself, whatever else holds.
    unsigned floor = 0;
    std::string detail;  // behind the words: names of paths, of calls, …
};

struct SecurityCheck {
    const char* key;
    unsigned weight;
    const char* good;
    const char* bad;
    SecurityVerdict (*ask)(const SecurityFacts& facts);
};
std::span<const SecurityCheck> SecurityChecks();

// Capabilities are asked about one by one, and said where the unit has them.
struct CapabilityRisk {
    int capability;
    unsigned weight;
    unsigned floor;  // with the device's users; inside of a user namespace it is 0
    const char* words;
};
std::span<const CapabilityRisk> CapabilityRisks();
SecurityVerdict Judge(const CapabilityRisk& risk, const SecurityFacts& facts);

// Groups of system calls that its filter may let through.
struct CallRisk {
    unsigned weight;
    const char* calls;  // separated by blanks
    const char* words;
};
std::span<const CallRisk> CallRisks();
SecurityVerdict Judge(const CallRisk& risk, const SecurityFacts& facts);

}  // namespace husk::supervisor
