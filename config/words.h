// Words, specifiers and variables, as systemd has them. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/values.h"

namespace husk::config {

// What the specifiers that speak of the device say. An empty text means that it is not known, and
// a unit that asks for it is refused.
struct HostFacts {
    std::string host_name;       // %H
    std::string machine_id;      // %m
    std::string boot_id;         // %b
    std::string kernel_release;  // %v
};

struct Specifiers {
    std::string_view unit;  // "web" or "web@one"
    const HostFacts& host;
};

// Splits at blanks; quotes ('…', "…") hold words together, C escapes are taken everywhere.
Value<std::vector<std::string>> SplitQuoted(std::string_view text);

// %n %N %p %i %I %H %m %b %v %t %S %C %L %E %%.
Value<std::string> ExpandSpecifiers(std::string_view text, const Specifiers& specifiers);
// SplitQuoted, then ExpandSpecifiers on each word, so that an expansion never splits.
Value<std::vector<std::string>> ExpandedWords(std::string_view text, const Specifiers& specifiers);

// Whether `name` may name an environment variable.
bool IsVariableName(std::string_view name);
// NAME=VALUE words. Control characters are allowed (escapes make them), a NUL is not.
Value<std::vector<std::string>> ParseAssignments(std::string_view text,
                                                 const Specifiers& specifiers);

// $NAME as a word splits into words, ${NAME} anywhere does not, $$ is a '$'. Names that
// `environment` (NAME=VALUE) lacks expand to nothing and are added to `missing`.
std::vector<std::string> ExpandVariables(const std::vector<std::string>& command,
                                         const std::vector<std::string>& environment,
                                         std::vector<std::string>& missing);

}  // namespace husk::config
