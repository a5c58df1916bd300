// What `events` streams: a JSON object a line (control_protocol.h).
#pragma once

#include <cstdint>

#include <string>
#include <string_view>
#include <vector>

#include "supervisor/control_server.h"
#include "supervisor/lifecycle.h"
#include "supervisor/record.h"

namespace husk::supervisor {

// Pure. Without an end of line.
std::string StateEvent(std::string_view unit, State before, const Life& life, Instant at,
                       int64_t realtime);

// How an upgrade in place ended.
std::string UpgradeEvent(std::string_view text, Instant at, int64_t realtime);

// One line of a unit's history, or of the device's upgrade where there is no unit.
struct PastEvent {
    const std::string* unit;
    const HistoryEntry* entry;
};
// The whole beginning of a stream: the answer's line, what happened after `since` in order of time,
// and a line that says that what follows is new. Pure.
std::string StreamBeginning(std::vector<PastEvent> past, Instant since);

// Who follows, and which units.
class EventClients {
  public:
    // No units: all.
    void Add(ControlServer::ConnectionId id, std::vector<std::string> units);
    // Forgets those that are gone.
    void Publish(ControlServer& control, std::string_view unit, std::string_view line);
    bool empty() const { return clients_.empty(); }

  private:
    struct Client {
        ControlServer::ConnectionId id;
        std::vector<std::string> units;  // sorted
    };
    std::vector<Client> clients_;
};

}  // namespace husk::supervisor
