// husk check --explain: files as they would be with every plain fix made.
#pragma once

#include <string>
#include <vector>

namespace husk::cli {

// Prints each changed file on standard output, and what was changed and what is left on standard
// error; with `json` one object with all of it. Gives the exit status: 1 where an error is left.
int ExplainFiles(const std::vector<std::string>& paths, bool json);

}  // namespace husk::cli
