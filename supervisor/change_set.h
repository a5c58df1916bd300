// What a change of unit files means for the units at hand: pure, from how they stand and what was
// loaded. `husk plan` prints it, `husk reload` and `husk apply` carry it out.
//
// Where a unit stands (Phase), against what its file says now. A key is live where a change of it
// holds without touching the unit's processes (config::IsLive).
//
//               unchanged   live keys   other keys   file gone, masked   refused (--partial)
//   idle        start*      start*      start*       forgotten           untouched
//   waiting     untouched   reload      reload       stop                stop
//   up          untouched   reload      restart      stop                untouched
//   trying      untouched   start       start        stop                stop
//   done        untouched   untouched   start*       forgotten           untouched
//   down        untouched   untouched   untouched    forgotten           untouched
//
//   * where it is enabled, otherwise untouched: a unit that is started on demand is not demanded by
//     a new file. Forgotten is untouched, with a reason.
// Up with an image that is another file by now is restarted as for other keys.
//   idle     never started, or refused until now     trying   failed, or in backoff: a person mends
//   waiting  to be launched, order allowing                   its file so that it is tried anew
//   up       has processes, or has left RemainAfterExit= behind; or is on its way there again
//   done     ended by itself as it should
//   down     stopped by a person, who may start it again; it stays stopped whatever its file says
//
// One leads to another, by what the units say after the change (a refused one: before it):
// - What requires a unit that is stopped, is bound to it or is part of it, and runs, is stopped.
// - The same where it is restarted, as by `husk restart`; what shares the network of a unit that is
//   started or restarted, too, but for a network that the restart leaves as it is.
// - What conflicts with a unit that is started is stopped, or not started.
// - What a unit that is started or restarted requires is started, even where a person stopped it;
//   what it wants is started where it is idle, enabled or not.
//
// What is compared are the digests of the keys that were given: of the last launch, or, where there
// was none, of the unit as it is loaded.
#pragma once

#include <cstdint>

#include <string>
#include <string_view>
#include <vector>

#include "config/load.h"
#include "supervisor/key_changes.h"
#include "supervisor/lifecycle.h"

namespace husk::supervisor {

enum class Change : uint8_t { kUntouched, kReload, kStart, kRestart, kStop };
const char* ChangeName(Change change);  // "untouched", "reload", …

struct UnitChange {
    std::string name;
    Change change = Change::kUntouched;
    std::vector<KeyChange> keys;
    std::string because;  // what the keys do not say; may be empty
};
// For the unit's history: "new", "Exec= changed (/etc/husk/units/web.container:4) and 2 more".
std::string Reason(const UnitChange& change);

using ChangeSet = std::vector<UnitChange>;  // sorted by name, each unit that is or was

const UnitChange* FindChange(const ChangeSet& changes, std::string_view name);

// A unit before the change.
struct UnitNow {
    std::string name;
    const config::Unit* unit = nullptr;  // nullptr: refused, or without a file
    Life life;
    KeyDigests keys;
    bool other_image = false;  // what it runs from is not what its image's name means now
};

ChangeSet PlanChanges(const std::vector<UnitNow>& now, const config::LoadedFolder& then);

}  // namespace husk::supervisor
