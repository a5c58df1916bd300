// husk graph: who needs whom, and in what order units start, from files.
#pragma once

namespace husk::cli {

// `argv[0]` is the verb. Returns the exit status: 0 printed, 1 a path or unit that does not exist
// or cannot be read, 2 wrong usage. Refused units are shown, and no failure.
int GraphMain(int argc, char** argv);

}  // namespace husk::cli
