// What a client asks (control_protocol.h), typed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/time.h"

namespace husk::supervisor {

// exec: what runs beside a unit's main process.
struct ExecRequest {
    std::vector<std::string> command;
    std::vector<std::string> environment;  // NAME=VALUE
    std::string directory;                 // in the container; empty: the unit's
    bool terminal = false;                 // of one descriptor, instead of three pipes
    int64_t main_pid = 0;                  // whose container is meant; 0: whatever runs
    bool has_user = false;                 // otherwise the unit's own
    uint32_t uid = 0, gid = 0;
    std::vector<uint32_t> groups;
};

// image-switch, image-remove.
struct ImageRequest {
    std::string name;
    std::vector<std::string> versions;
    bool back = false;         // switch: to the one before
    bool no_rollback = false;  // switch: it stays, whatever its units do
    bool unused = false;       // remove: all that nothing would miss
    Duration settle{-1};       // switch: negative: the default
};

struct ControlRequest {
    std::string verb;
    std::vector<std::string> units;   // without ".container"
    std::vector<std::string> states;  // status, list: only units in one of them; none: all
    bool brief = false;               // status: as a list shows them
    std::string signal, action;
    std::string whom;  // kill: "main" or "all"
    bool wait = false;
    bool no_wait = false;               // start, stop, restart, reload of units: answered at once
    std::string path;                   // plan, apply: absolute, empty: the folders as they are
    Duration confirm_time{};            // apply: zero: no confirmation is asked for
    bool partial = false;               // reload: what is valid, though not all is
    std::vector<std::string> settings;  // update: KEY=VALUE
    bool persist = false;               // update: beyond the next boot
    bool check = false, downgrade = false;  // upgrade: only look; an older one, too
    // upgrade: zero: the usual limit; image-switch: as long as the units' keys let them take.
    Duration within{};
    ExecRequest exec;
    ImageRequest image;
    Instant since{};  // events: only what happened later
};

// Pure. Any bytes may come: what is no request of this version is an error that says why.
Result<ControlRequest> ParseControlRequest(std::string_view line);

}  // namespace husk::supervisor
