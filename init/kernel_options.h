// What the kernel's command line says to husk: husk.console=PATH, husk.console=none, husk.debug.
#pragma once

#include <string_view>

namespace husk::init {

struct KernelOptions {
    char console[256] = {};  // empty = the default, which is a shell where there is one
    bool no_console = false;
    bool debug = false;
};

// The last of two words wins, as with the kernel's own. A path that does not fit counts as absent.
KernelOptions ParseKernelOptions(std::string_view command_line);

}  // namespace husk::init
