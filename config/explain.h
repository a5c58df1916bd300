// A unit file as it would be with every fix made that has just one answer. Pure.
//
// Nothing is lost: a line that goes becomes a comment with the reason, a line that changes has its
// old form in a comment above, and what a person has to decide is said above its line. All else
// (comments, order, blank lines, line ends) stays byte for byte. Explaining the result again
// changes nothing.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "config/problem.h"

namespace husk::config {

// One thing that was changed.
struct Change {
    int line = 0;         // in the text that was given; 0: of a line that was made
    std::string before;   // the line as it was
    std::string after;    // as it is now; empty: only a comment
    std::string section;  // where it went, if it was moved
    std::string reason;
};

struct Explained {
    std::string text;
    std::vector<Change> changes;  // in the order in which they were made
    Problems left;                // errors that are not mended; lines are those of `text`
};

// What is wrong with a file's text. The same text has the same problems.
using FindProblems = std::function<Problems(std::string_view text)>;
Explained Explain(std::string_view text, const FindProblems& find_problems);

// "3: AutoUpdate=registry: left out: nothing is pulled from a registry"
std::string Describe(const Change& change);

}  // namespace husk::config
