// The shell that a person with the console gets where husk.rescue stands on the kernel's command line,
// for the password of RescuePassword= in system.conf.
#pragma once

namespace husk::cli {

// Started by PID 1 on the console, and becomes the shell. Where rescue is off it becomes what would
// run on the console without the switch.
int RescueMain(int argc, char** argv);

}  // namespace husk::cli
