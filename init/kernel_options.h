// What the kernel's command line says to PID 1: husk.console=PATH, husk.console=none, husk.rescue,
// husk.root=, husk.debug. To the supervisor: supervisor/kernel_switches.h.
#pragma once

#include <string_view>

namespace husk::init {

struct KernelOptions {
    char console[256] = {};  // empty = the default, which is a shell where there is one
    bool no_console = false;
    bool rescue = false;  // the console is `husk rescue`'s, which asks for a password
    bool root = false;    // husk.root=: another root is to be mounted and booted
    bool debug = false;
};

// The last of two words wins, as with the kernel's own. A path that does not fit counts as absent.
KernelOptions ParseKernelOptions(std::string_view command_line);

}  // namespace husk::init
