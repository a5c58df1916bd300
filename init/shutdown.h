// The end: everything left is killed, file systems are unmounted, the machine goes down.
#pragma once

#include <sys/types.h>

#include "base/init_protocol.h"
#include "init/slots.h"

namespace husk::init {

// `console` is the console program or 0. Takes some seconds at most where nothing hangs, and under
// two minutes whatever hangs.
//
// Outside of a whole system (BootFacts) nothing is unmounted: the kernel does it with the
// namespace, and making the host's file systems read-only would hit the host.
[[noreturn]] void FinishSystem(ShutdownAction action, bool whole_system, DescriptorSlots& slots,
                               pid_t console);

}  // namespace husk::init
