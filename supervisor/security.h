// What a unit may do, and how much that exposes the device: the questions behind `husk security`.
// Pure: asked of the ContainerSpec that a launch would have, and of its filter's own instructions.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "config/unit.h"
#include "container/spec.h"

namespace husk::supervisor {

struct SecurityFinding {
    const char* key = nullptr;  // what to write: "UserNS", "AddCapability"
    bool good = false;
    std::string text;       // what it means in this unit
    unsigned exposure = 0;  // hundredths that it alone has in a score of 1000; 0: good
};

struct SecurityReport {
    unsigned score = 0;                     // tenths: 0 (nothing) to 100 (the device itself)
    std::vector<SecurityFinding> findings;  // the worst first, the good ones last
};

// "OK" and the other words that systemd-analyze(1) has for a score.
const char* SecurityWord(unsigned score);

SecurityReport Assess(const config::Unit& unit, const container::ContainerSpec& spec);

// The same of a unit's files, where no device is there to ask: images are not looked into, so a
// user that is a name counts as one that is not root, and paths of volumes as folders.
Result<SecurityReport> AssessFiles(const config::Unit& unit, const config::SystemConfig& system);

}  // namespace husk::supervisor
