#include "supervisor/conditions.h"

#include <unistd.h>

#include <utility>
#include <vector>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"

namespace husk::supervisor {
namespace {

using config::Condition;

const char* KeyOf(const Condition& condition) {
    switch (condition.kind) {
        case Condition::Kind::kPathExists:
            return condition.assertion ? "AssertPathExists" : "ConditionPathExists";
        case Condition::Kind::kKernelCommandLine: return "ConditionKernelCommandLine";
        case Condition::Kind::kArchitecture: return "ConditionArchitecture";
        case Condition::Kind::kFirstBoot: return "ConditionFirstBoot";
    }
    return "";
}

bool IsYes(std::string_view word) {
    return word == "1" || word == "yes" || word == "y" || word == "true" || word == "t" ||
           word == "on";
}

bool Holds(const Condition& condition, const ConditionFacts& facts) {
    bool holds = false;
    switch (condition.kind) {
        case Condition::Kind::kPathExists: holds = facts.path_exists(condition.value); break;
        case Condition::Kind::kKernelCommandLine:
            holds = HasKernelWord(facts.kernel_command_line, condition.value);
            break;
        case Condition::Kind::kArchitecture:
            holds = IsArchitecture(facts.machine, condition.value);
            break;
        case Condition::Kind::kFirstBoot: holds = facts.first_boot == IsYes(condition.value); break;
    }
    return holds != condition.negated;
}

std::string Words(const config::Unit& unit, const Condition& condition) {
    const config::Location at = unit.LocationOf(condition.at);
    return Cat(KeyOf(condition), "=", condition.triggering ? "|" : "", condition.negated ? "!" : "",
               condition.value, " does not hold (", at.file, ":", std::to_string(at.line), ")");
}

// The first that does not hold, or where all that have '|' do not, the first of them.
const Condition* FindUnmet(const std::vector<Condition>& conditions, bool assertions,
                           const ConditionFacts& facts) {
    const Condition* missed = nullptr;
    bool triggered = false;
    for (const Condition& condition : conditions) {
        if (condition.assertion != assertions) continue;
        const bool holds = Holds(condition, facts);
        if (!condition.triggering && !holds) return &condition;
        if (!condition.triggering) continue;
        triggered |= holds;
        if (!holds && missed == nullptr) missed = &condition;
    }
    return triggered ? nullptr : missed;
}

}  // namespace

ConditionVerdict LookAtConditions(const config::Unit& unit, const ConditionFacts& facts) {
    using Kind = ConditionVerdict::Kind;
    for (bool assertions : {false, true})
        if (const Condition* unmet = FindUnmet(unit.unit.conditions, assertions, facts))
            return {assertions ? Kind::kFail : Kind::kSkip, Words(unit, *unmet)};
    return {};
}

bool HasKernelWord(std::string_view command_line, std::string_view word) {
    const bool with_value = word.find('=') != word.npos;
    std::string next;
    bool quoted = false, any = false;
    auto matches = [&] {
        const std::string found = std::exchange(next, {});
        if (!std::exchange(any, false)) return false;
        return found == word ||
               (!with_value && found.starts_with(word) && found[word.size()] == '=');
    };
    for (char c : command_line) {
        if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && (c == ' ' || c == '\t' || c == '\n')) {
            if (matches()) return true;
        } else {
            next += c;
            any = true;
        }
    }
    return matches();
}

bool IsArchitecture(std::string_view machine, std::string_view name) {
    if (name == "native") {
#if defined(__x86_64__)
        name = "x86-64";
#elif defined(__aarch64__)
        name = "arm64";
#endif
    }
    // As systemd's uname_architecture() has them; others have one name in both.
    static constexpr struct {
        std::string_view machine, name;
    } kNames[] = {
        {"x86_64", "x86-64"},
        {"i386", "x86"},
        {"i486", "x86"},
        {"i586", "x86"},
        {"i686", "x86"},
        {"aarch64", "arm64"},
        {"aarch64_be", "arm64-be"},
        {"ppc64le", "ppc64-le"},
        {"ppcle", "ppc-le"},
    };
    for (const auto& known : kNames)
        if (known.machine == machine) return known.name == name;
    if (machine.starts_with("armv") || machine.starts_with("armeb") || machine == "arm")
        return name == (machine.ends_with('b') ? "arm-be" : "arm");
    return machine == name;
}

static std::string MarkOf(const std::string& state_directory) {
    return state_directory + "/booted";
}

bool IsFirstBoot(const std::string& run_directory, const std::string& state_directory) {
    const std::string note = run_directory + "/first-boot";
    if (::access(note.c_str(), F_OK) == 0) return true;
    if (::access(MarkOf(state_directory).c_str(), F_OK) == 0) return false;
    // Without it, a supervisor that is started anew once the boot has settled only says no.
    if (Status noted = WriteFileAtomically(note, ""); !noted) LogWarning(noted.error().text());
    return true;
}

Status EndFirstBoot(const std::string& state_directory) {
    const std::string mark = MarkOf(state_directory);
    if (::access(mark.c_str(), F_OK) == 0) return {};
    HUSK_TRY(MakeDirectories(state_directory));
    return WriteFileDurably(mark, "");
}

}  // namespace husk::supervisor
