#include "config/problem.h"

#include <algorithm>

#include "base/text.h"

namespace husk::config {

std::string Describe(const Problem& problem) {
    // A file's name may hold any byte; Quote shows those that would disturb a terminal.
    const std::string file = Quote(problem.at.file);
    std::string line = file.substr(1, file.size() - 2);
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

std::string DescribeFirst(const Problems& problems) {
    for (const Problem& problem : problems)
        if (problem.severity == Severity::kError) return Describe(problem);
    return problems.empty() ? std::string() : Describe(problems.front());
}

}  // namespace husk::config
