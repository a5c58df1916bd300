// C's escapes, as systemd takes them: \n, \x41, \101, \u20ac, \s for a blank. Pure.
#pragma once

#include <string>
#include <string_view>

#include "config/values.h"

namespace husk::config {

// The escape whose backslash has just been taken, from the front of `text`.
Outcome TakeEscape(std::string_view& text, std::string& out);
// The whole text with its escapes taken.
Value<std::string> Unescape(std::string_view text);

}  // namespace husk::config
