// Why a program could not be executed, said better than errno can.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace husk::container {

// Pure. `error` is execve's errno, `head` the first bytes of the file (empty: it could not be read,
// or is not there), `searched` whether PATH was searched for it.
//     execute '/app/server': it is a program for aarch64, and this machine is x86_64
//     execute '/usr/bin/app': its interpreter '/lib64/ld-linux-x86-64.so.2' is missing …
//     execute '/start.sh': its interpreter '/bin/bash' is missing …
Error ExplainExecFailure(const std::string& program, bool searched, int error,
                         std::string_view head);

}  // namespace husk::container
