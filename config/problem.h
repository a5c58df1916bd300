// What is wrong with a unit file, said so that a person can mend it.
#pragma once

#include <cstdint>

#include <optional>
#include <string>
#include <vector>

#include "config/unit.h"

namespace husk::config {

enum class Severity { kError, kWarning };

// What a machine may do about a problem: one change of its line, given only where no other would be
// right. See config/explain.h.
struct Fix {
    enum class Kind : uint8_t {
        kDropLine,
        kRenameKey,     // to `key`
        kReplaceValue,  // by `value`
        kMoveLine,      // to `section`, with the name `key`
        kJoinLines,     // with those after it, up to the first that does not end in a backslash
    } kind = Kind::kDropLine;
    std::string section = {}, key = {}, value = {};
};

struct Problem {
    Severity severity = Severity::kError;
    Location at;       // line 0: the file as a whole
    std::string key;   // "Memory" or empty
    std::string text;  // lower case: "unknown key 'Memroy' in [Container]"
    std::string hint;  // what to do: "did you mean 'Memory'?"; may be empty
    std::optional<Fix> fix = {};
};

// "web.container:7: error: unknown key 'Memroy' in [Container] (did you mean 'Memory'?)"
std::string Describe(const Problem& problem);

// Collects all problems of a file, since a person wants to see every one of them at once.
using Problems = std::vector<Problem>;
bool HasErrors(const Problems& problems);
// Where one line has to do: the first error, or the first warning where there is none, described;
// empty where there is nothing.
std::string DescribeFirst(const Problems& problems);

}  // namespace husk::config
