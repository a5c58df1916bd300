// What happens if PID 1 itself fails: a line in the log, and CrashAction=; or the binary before it,
// while it has to prove itself (way_back.h).
#pragma once

#include "base/init_protocol.h"

namespace husk::init {

// Installs handlers, on a stack of their own, for the signals of a broken program. Without one the
// kernel would panic, which on a device without panic= on its command line means standing still.
void CatchCrashes();
// What the handler does in the end; kNone: a reboot.
void SetCrashAction(ShutdownAction action);
ShutdownAction CrashAction();

}  // namespace husk::init
