// Condition...= and Assert...= (systemd.unit(5)): whether a unit whose turn has come is to be
// started on this device. Pure but for what is asked of the device.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "config/unit.h"

namespace husk::supervisor {

// What is asked of the device.
struct ConditionFacts {
    std::string kernel_command_line;                         // text of /proc/cmdline
    std::string machine;                                     // uname(2)
    bool first_boot = false;                                 // IsFirstBoot()
    bool (*path_exists)(const std::string& path) = nullptr;  // follows links
};

struct ConditionVerdict {
    enum class Kind { kHold, kSkip, kFail } kind = Kind::kHold;
    // "ConditionPathExists=/x does not hold (/etc/husk/units/web.container:3)"
    std::string text;
};

// All that have no '|' have to hold and, where some have one, one of those. Conditions are looked
// at before assertions.
ConditionVerdict LookAtConditions(const config::Unit& unit, const ConditionFacts& facts);

// WORD or NAME=VALUE as a word of its own; WORD also with any value. Quotes as the kernel has them:
// "NAME=a b".
bool HasKernelWord(std::string_view command_line, std::string_view word);
// Whether a machine of uname(2) has this name of systemd's: "x86-64", "arm64", "native".
bool IsArchitecture(std::string_view machine, std::string_view name);

// The first boot of a device is the one that finds no mark of an earlier one in the state folder,
// and lasts until the device goes down: a note in the run folder says so to later supervisors.
bool IsFirstBoot(const std::string& run_directory, const std::string& state_directory);
// The boot has settled: the next one is not the first.
Status EndFirstBoot(const std::string& state_directory);

}  // namespace husk::supervisor
