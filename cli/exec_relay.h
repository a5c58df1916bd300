// Between the caller's streams and those that a program of `husk exec` has, until it has ended.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "cli/client.h"
#include "cli/exec_terminal.h"

namespace husk::cli {

struct RelayStreams {
    OwnedFd input;          // to the program; a terminal's is `output` as well
    OwnedFd output, error;  // of the program
    bool terminal = false;
    bool reads_input = false;  // of the caller
};

// Nothing: a signal ended us, which is to be raised again when everything is put back.
struct RelayEnd {
    int signal = 0;
    Reply reply;
};

// Relays until the answer is there and all that was written before is out.
Result<RelayEnd> RelayUntilAnswer(int control, RelayStreams streams, RawMode* raw);

}  // namespace husk::cli
