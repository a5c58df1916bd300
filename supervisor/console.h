// Where the console program runs (Console= of system.conf). PID 1 starts it on what is in
// kConsoleSlot (base/init_protocol.h), else on the kernel's own console.
#pragma once

#include "base/error.h"
#include "config/unit.h"
#include "supervisor/init_link.h"

namespace husk::supervisor {

// Opens the terminal, sets its speed, and hands it to PID 1, where it is not there already. With it
// open there, it keeps its settings from one program to the next (termios(3)).
Status PlaceConsole(const config::Terminal& console, InitLink& init);

}  // namespace husk::supervisor
