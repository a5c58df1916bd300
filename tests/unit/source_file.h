// Files of the repository, for tests that hold pages or data against the code.
#pragma once

#include <string>
#include <string_view>

namespace husk {

// "docs/husk.1", wherever the tests were built.
std::string SourcePath(std::string_view path);
// Its text; fails the test where it cannot be read.
std::string ReadSource(std::string_view path);

}  // namespace husk
