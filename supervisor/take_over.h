// What a supervisor does that takes over and cannot ask how things stand.
#pragma once

#include <string_view>

#include "base/error.h"

namespace husk::supervisor {

// Whether the same call may well succeed a moment later: no memory, no descriptors, or PID 1 that
// did not answer. Pure.
bool WillPass(const Error& error);

// Does not return where that is so. A supervisor that takes over must not judge what runs by what
// it could not look at, since a container that is ended for it is lost; it ends itself, nothing is
// lost by that, and the next one looks again.
void EndIfItPasses(std::string_view what, const Error& error);

}  // namespace husk::supervisor
