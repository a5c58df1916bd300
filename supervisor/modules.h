// Loading kernel modules by modules.dep and modules.alias, as depmod(8) writes them; modules lie
// uncompressed in the image. What is soft-depended on has to stand in modules.dep.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace husk::supervisor {

// Pure: the files to load for `module`, dependencies first, relative to the modules' folder. Names
// may be written with - or _. An unknown module is an error; a cycle ends without one.
Result<std::vector<std::string>> ModuleOrder(std::string_view modules_dep, std::string_view module);

// Pure: the modules whose pattern fits one of `wanted`, such as "pci:v00001AF4d00001001sv…" (a
// device's modalias) or "fs-ext4", in the order of the file.
std::vector<std::string> MatchAliases(std::string_view modules_alias,
                                      const std::vector<std::string>& wanted);

// Loads each of `modules`, names or aliases, from /lib/modules/RELEASE; one that the kernel has
// built in (modules.builtin) or that is loaded already is fine. Goes on after an error and returns
// all.
std::vector<Error> LoadModules(const std::vector<std::string>& modules);

// Has the image any for this kernel?
bool HasModules();

// Loads what the image has for devices with these modaliases; without any for one, nothing.
std::vector<Error> LoadModulesFor(const std::vector<std::string>& devices);

}  // namespace husk::supervisor
