// Loading kernel modules by modules.dep, as depmod(8) writes it; modules lie uncompressed in the
// image.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace husk::supervisor {

// Pure: the files to load for `module`, dependencies first, relative to the modules' folder. Names
// may be written with - or _. An unknown module is an error; a cycle ends without one.
Result<std::vector<std::string>> ModuleOrder(std::string_view modules_dep, std::string_view module);

// Loads each of `modules` from /lib/modules/RELEASE; one that the kernel has built in
// (modules.builtin) or that is loaded already is fine. Goes on after an error and returns all.
std::vector<Error> LoadModules(const std::vector<std::string>& modules);

}  // namespace husk::supervisor
