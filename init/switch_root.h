// From an initramfs to the root that husk.root= names.
#pragma once

namespace husk::init {

// Has the root mounted by `husk prepare-root`, takes the first mounts along, frees the memory of
// the initramfs and executes /sbin/init of the new root as PID 1. Does not return: where there is
// no root, the device does CrashAction= of no system.conf, a reboot, after a pause for who looks at
// the console.
[[noreturn]] void SwitchRoot();

}  // namespace husk::init
