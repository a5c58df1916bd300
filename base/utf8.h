// UTF-8 as RFC 3629 has it: unit files and containers may write any bytes, JSON and terminals may
// not.
#pragma once

#include <cstddef>

#include <string>
#include <string_view>

namespace husk {

// The length of the valid UTF-8 sequence at the start of `text`, 0 where there is none. It refuses
// overlong forms, surrogates and what lies over U+10FFFF.
size_t Utf8Length(std::string_view text);
// The same for a character that a person's terminal just shows: 0 for control characters (C0, DEL,
// and U+0080 to U+009F, which some terminals obey) and for those that turn the direction of what
// follows, so that a line would read as another one.
size_t PlainLength(std::string_view text);
// Each byte that is no UTF-8 becomes U+FFFD.
std::string ValidUtf8(std::string_view text);

}  // namespace husk
