// What a unit waits for besides other units: the file systems that its folders are on, the link that
// its network stands on, and that the device is online. Pure.
#pragma once

#include <string>
#include <vector>

#include "base/time.h"
#include "config/unit.h"

namespace husk::supervisor {

struct OutsideFacts {
    std::vector<std::string> missing_links;   // that the unit's networks stand on
    std::vector<std::string> missing_mounts;  // that its folders are on: DeviceMounts::Missing()
    std::vector<std::string> offline;        // why the device is not online; nothing: it is
    bool was_online = false;                 // in this boot
    bool boot_is_over = false;               // kOnlineLimit
};

// As systemd-networkd-wait-online(8) has it, from the beginning of the boot.
inline constexpr Duration kOnlineLimit = std::chrono::minutes(2);

struct OutsideWait {
    std::string text;      // for what: "link 'eth1'"; empty: for nothing
    bool held_up = false;  // nobody can say for how long: others do not wait for it
    std::string note;      // of a unit that goes on: what it has to do without
};

// After=network-online.target waits for the device to be online for the first time, and for no
// longer than a boot may take; with Requires= of the same, each start does, for as long as it
// takes. A link and a mount are always waited for: nothing can start without the one, and without the
// other it would find, and fill, a folder that is not meant.
OutsideWait LookOutside(const config::UnitSection& unit, const OutsideFacts& facts);

}  // namespace husk::supervisor
