// LogOpt=: a log file on storage, besides the log in memory.
#pragma once

#include <cstdint>

#include <string>
#include <string_view>
#include <vector>

#include "config/values.h"

namespace husk::config {

struct LogOptions {
    std::string path;                // absolute; empty: no file
    uint64_t max_size = 1ull << 20;  // bytes of one file
    int max_file = 3;                // files: NAME, NAME.1, NAME.2
    std::string tag;                 // the name before each line
};

// NAME=VALUE with a good value.
Value<std::string> ParseLogOption(std::string_view text);
// Of options that are good; the last of a name counts.
LogOptions LogOptionsOf(const std::vector<std::string>& options);

}  // namespace husk::config
