// Giving back what only rare work needs.
#pragma once

namespace husk::init {

// Unmaps the pages of the program's code and constants that were touched so far. They are the
// file's, unchanged, and come back from the page cache as they are needed. The kernel maps 64 KiB
// around each fault, so after the boot most of the binary would stay mapped; the loop needs a small
// part of it.
void ReleaseColdMemory();

}  // namespace husk::init
