// `husk doctor`: what this kernel and board offer to husk and to the units of this device, and what
// to do about what they lack. Finding out changes nothing.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/terminal.h"
#include "config/load.h"

namespace husk::cli {

enum class Verdict {
    kOk,
    kAdvice,   // works without it; better with it
    kMissing,  // husk or a unit needs it
    kUnknown,  // cannot be told: not root, or nothing to look at
};
const char* VerdictName(Verdict verdict);

struct Finding {
    std::string name;  // "CONFIG_USER_NS", "swap", …
    Verdict verdict = Verdict::kOk;
    std::string text;                // what it is
    std::string advice;              // what to do; empty where it is ok
    std::vector<std::string> units;  // that need it
};

enum class Probe { kThere, kAbsent, kUnknown };

// One for each row of config::KernelNeeds(): what the kernel offers, and who of `units` asks for
// it. `probe` tells of an option; pure.
std::vector<Finding> JudgeKernel(const std::vector<config::LoadedUnit>& units,
                                 Probe (*probe)(std::string_view option, unsigned since_minor));
// Whether the running kernel has it, without an effect on anything.
Probe ProbeOption(std::string_view option, unsigned since_minor);
// The same for what networks of units need, by the name of the module (doctor_network.cc).
Probe ProbeNetwork(const char* module);

// The board: clock, watchdog, crash log, entropy, swap, storage, memory.
std::vector<Finding> LookAtBoard(const std::string& state_directory);

// What a number of bytes or a file means, pure; each is a line of LookAtBoard().
Finding JudgeMemory(uint64_t available, uint64_t total);
Finding JudgeStorage(const std::string& path, uint64_t free_bytes, uint64_t all_bytes,
                     bool writable);
Finding JudgeClock(int64_t realtime, bool has_rtc);

// Without `all`, only what is not ok, and how many are.
std::string FormatFindings(const std::vector<Finding>& findings, bool all, const Style& style);
std::string FindingsJson(const std::vector<Finding>& findings);
bool IsHealthy(const std::vector<Finding>& findings);

}  // namespace husk::cli
