// husk check: what is wrong with unit files, on the build host and on the device.
#pragma once

namespace husk::cli {

// `argv[0]` is the verb. Returns the exit status: 0 no errors (warnings are fine), 1 any error,
// 2 wrong usage.
int CheckMain(int argc, char** argv);

}  // namespace husk::cli
