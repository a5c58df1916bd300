#include "config/problem.h"

#include <algorithm>

#include "base/text.h"

namespace husk::config {

std::string Describe(const Problem& problem) {
    std::string line = problem.at.file;
    if (problem.at.line > 0) line += Cat(":", std::to_string(problem.at.line));
    line += problem.severity == Severity::kError ? ": error: " : ": warning: ";
    line += problem.text;
    if (!problem.hint.empty()) line += Cat(" (", problem.hint, ")");
    return line;
}

bool HasErrors(const Problems& problems) {
    return std::any_of(problems.begin(), problems.end(),
                       [](const Problem& p) { return p.severity == Severity::kError; });
}

}  // namespace husk::config
