// What is wrong with a unit file, said so that a person can mend it.
#pragma once

#include <string>
#include <vector>

#include "config/unit.h"

namespace husk::config {

enum class Severity { kError, kWarning };

struct Problem {
    Severity severity = Severity::kError;
    Location at;       // line 0: the file as a whole
    std::string key;   // "Memory" or empty
    std::string text;  // lower case: "unknown key 'Memroy' in [Container]"
    std::string hint;  // what to do: "did you mean 'Memory'?"; may be empty
};

// "web.container:7: error: unknown key 'Memroy' in [Container] (did you mean 'Memory'?)"
std::string Describe(const Problem& problem);

// Collects all problems of a file, since a person wants to see every one of them at once.
using Problems = std::vector<Problem>;
bool HasErrors(const Problems& problems);

}  // namespace husk::config
