// What a client asks (control_protocol.h), typed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace husk::supervisor {

struct ControlRequest {
    std::string verb;
    std::vector<std::string> units;  // without ".container"
    std::string signal, action;
    bool wait = false;
};

// Pure. Any bytes may come: what is no request of this version is an error that says why.
Result<ControlRequest> ParseControlRequest(std::string_view line);

}  // namespace husk::supervisor
