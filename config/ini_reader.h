// The wall around inih: from bytes to entries with line numbers.
//
// inih cuts long lines and names without a word, stops at a NUL and takes ':' for '='. So every
// line is looked at here first; what inih could misread is a problem and reaches it as an empty
// line, which keeps the numbers right. inih then splits what is left. All problems of a file are
// found, not only the first.
#pragma once

#include <cstddef>

#include <string>
#include <string_view>
#include <vector>

#include "config/limits.h"
#include "config/problem.h"

namespace husk::config {

struct IniEntry {
    std::string key, value;
    int line = 0;
    size_t section = 0;  // index into IniFile::sections
};

struct IniSection {
    std::string name;
    int line = 0;
};

struct IniFile {
    std::vector<IniEntry> entries;
    std::vector<IniSection> sections;  // every header, in the order of the file
    Problems problems;
};

// Pure. `file` is only for messages. Lines end in LF or CRLF; a BOM at the start is skipped.
IniFile ReadIni(std::string_view file, std::string_view text);

}  // namespace husk::config
