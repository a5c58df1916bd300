// Options and operands of one verb, from a table that the help page is printed from too.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace husk::cli {

struct Option {
    char letter;           // '\0' = only the long form
    const char* name;      // without the dashes
    const char* argument;  // what it takes, for people ("N"); nullptr = a switch
    const char* help;
};

struct Arguments {
    std::map<std::string, std::string, std::less<>> options;    // by long name
    std::vector<std::pair<std::string, std::string>> in_order;  // each that was given
    std::vector<std::string> operands;

    bool Has(std::string_view name) const { return options.contains(name); }
    std::optional<std::string> Get(std::string_view name) const;
};

// -f, -n5, -n 5, --lines=5, --lines 5; operands may stand between options; "--" ends the options.
// The last one of an option that is given twice counts. `options_first`: the first operand ends the
// options, since those behind it are another command's.
Result<Arguments> ParseArguments(std::span<const Option> known, std::span<char* const> words,
                                 bool options_first = false);

}  // namespace husk::cli
