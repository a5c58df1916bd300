// Loop devices and device mapper devices at the end: what lies behind them can only be unmounted once
// they let go of it. By ioctl, without any allocation.
//
// Kernel: loop(4), Documentation/admin-guide/device-mapper, include/uapi/linux/dm-ioctl.h.
#pragma once

namespace husk::init {

// Lets go of all that nothing uses. True where there was one.
bool DetachBlockDevices();

}  // namespace husk::init
