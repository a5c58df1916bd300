// StateDirectory= and its kin (systemd.exec(5)): folders that a unit finds at a place of the
// standard.
//
// Those that last lie in the state folder, each kind in a folder of its own that only the device's
// root can enter, and belong there to ids as the container counts them: mounts map them, so that
// they are the same unit's whatever range of ids it has. Several units may have the same one.
// RuntimeDirectory= lies on a tmpfs of the unit's own, which goes when the unit is over. That one
// belongs to the device's ids, since kernels before 6.3 cannot map those of a tmpfs.
#pragma once

#include <cstdint>

#include <string>
#include <vector>

#include "base/error.h"
#include "config/unit.h"
#include "container/spec.h"
#include "supervisor/lifecycle.h"
#include "supervisor/spec_builder.h"

namespace husk::supervisor {

struct ProgramFolder {
    std::string shelf;        // the device's folder that all of its kind are in
    std::string path;         // below it
    std::string destination;  // in the container
    unsigned mode = 0755;
    bool lasts = true;
    friend bool operator==(const ProgramFolder&, const ProgramFolder&) = default;
};

// In the order of the manual: state, cache, logs, runtime. Pure, as the next two.
std::vector<ProgramFolder> FoldersOf(const config::Unit& unit, const DeviceFacts& device);
// "STATE_DIRECTORY=/var/lib/web:/var/lib/web/data", and so on for what the unit has.
std::vector<std::string> FolderVariables(const config::Unit& unit);
// The folders as mounts of the container.
void AddFolderMounts(const config::Unit& unit, const DeviceFacts& device, bool map,
                     std::vector<rootfs::BindMount>& binds);

// Makes what is missing and gives each to its owner, with all that is in it where it is another's.
Status MakeUnitFolders(const config::Unit& unit, const DeviceFacts& device,
                       const container::ContainerSettings& spec);

// A folder of the device that nobody gives to its owner later: whoever finds one at `path` finds it
// with owner and mode, also behind a power cut. One that is there is left as it is. The error says
// which step failed, and names no path.
Status MakeWholeFolder(const std::string& path, uint32_t uid, uint32_t gid, unsigned mode);

// Where a unit's own tmpfs lies, and what is mounted there while the unit lives.
std::string RuntimeShelf(const std::string& unit, const DeviceFacts& device);

// An id of the container as the device counts it.
uint32_t UserOnDevice(const container::ContainerSettings& spec, uint32_t uid);
uint32_t GroupOnDevice(const container::ContainerSettings& spec, uint32_t gid);

// Whether what is mounted for a unit's run has to be there: up to its end, and with it what
// RemainAfterExit= adds.
inline bool Lives(State state) { return HasProcesses(state) || state == State::kExited; }

// For both kinds of mounts that go with a unit. `type`: "tmpfs" or "ramfs".
Status MountForUnit(const std::string& path, const char* type);
// Nothing there is fine.
void UnmountOfUnit(const std::string& path);

}  // namespace husk::supervisor
