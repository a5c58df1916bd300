// The end: everything left is killed, file systems are unmounted, the machine goes down.
#pragma once

#include <sys/types.h>

#include "init/requests.h"

namespace husk::init {

// The last step of each, in words and for reboot(2).
const char* FinalWords(ShutdownAction action);
int FinalCommand(ShutdownAction action);

// `console` is the console program or 0. Takes some seconds at most where nothing hangs, and under
// two minutes whatever hangs. The hardware watchdog is fed meanwhile, and armed for what may hang
// after it.
//
// Outside of a whole system (BootFacts) nothing is unmounted: the kernel does it with the
// namespace, and making the host's file systems read-only would hit the host.
[[noreturn]] void FinishSystem(Memory& memory, bool whole_system, pid_t console);

}  // namespace husk::init
