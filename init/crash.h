// What happens if PID 1 itself fails: a line in the log, and a reboot.
#pragma once

namespace husk::init {

// Installs handlers, on a stack of their own, for the signals of a broken program. Without one the
// kernel would panic, which on a device without panic= on its command line means standing still.
void CatchCrashes();

}  // namespace husk::init
