// The reference of unit files, generated from the key tables: husk.units(5).
#pragma once

#include <string>

namespace husk::config {

std::string ReferenceMan();
std::string ReferenceMarkdown();
// "Container.Memory", a line each: every key that a unit may hold. For completion.
std::string ReferenceKeys();
// "MemoryMax": those that `husk update` takes.
std::string ReferenceLiveKeys();

}  // namespace husk::config
