// What a client asks (control_protocol.h), typed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/time.h"

namespace husk::supervisor {

struct ControlRequest {
    std::string verb;
    std::vector<std::string> units;  // without ".container"
    std::string signal, action;
    bool wait = false;
    std::string path;                   // plan, apply: absolute, empty: the folders as they are
    Duration confirm_time{};            // apply: zero: no confirmation is asked for
    bool partial = false;               // reload: what is valid, though not all is
    std::vector<std::string> settings;  // update: KEY=VALUE
    bool persist = false;               // update: beyond the next boot
};

// Pure. Any bytes may come: what is no request of this version is an error that says why.
Result<ControlRequest> ParseControlRequest(std::string_view line);

}  // namespace husk::supervisor
