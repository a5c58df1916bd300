// From an initramfs to the root that husk.root= names.
#pragma once

namespace husk::init {

// Has the root mounted by `husk prepare-root`, takes the first mounts along
// and executes /sbin/init of the new root as PID 1. Does not return: where there is no root, the
// device reboots after a pause, as after a crash.
[[noreturn]] void SwitchRoot();

}  // namespace husk::init
