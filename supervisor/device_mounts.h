// The file systems of system.conf: [Mounts] and StateDevice=. Each is checked, made, mounted and
// grown when its device is there: at boot, and when it appears later.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "config/unit.h"
#include "supervisor/block_devices.h"

namespace husk::supervisor {

// Pure. What is to be mounted, outer folders before inner ones.
std::vector<config::DeviceMount> MountTable(const config::SystemConfig& system,
                                            const std::string& state_directory);

class DeviceMounts {
  public:
    // What is mounted already is left as it is.
    explicit DeviceMounts(std::vector<config::DeviceMount> table);

    // Mounts what is waiting and has its device. Gives what it could not, each once: it is tried
    // again when a device appears. May take as long as a check of the file systems.
    std::vector<Error> Try(const std::vector<BlockDevice>& devices);
    // The device `node` has gone: what was mounted from it is taken out of the way, and waits.
    void OnGone(std::string_view node);
    // Until when the boot waits for devices that are not there; nothing where all are.
    std::optional<Instant> WaitsUntil(Instant boot) const;
    // One for each that waits still, with what devices there are instead.
    std::vector<Error> SayMissing(const std::vector<BlockDevice>& devices) const;

    bool empty() const { return entries_.empty(); }
    // Of the folders that are to be mounted, the one that `path` is in and that is not: with why.
    // Empty: none.
    std::string Missing(std::string_view path) const;

    struct Shown {
        std::string where, what, type, error;
        bool mounted = false;
    };
    std::vector<Shown> Show() const;

  private:
    struct Entry {
        config::DeviceMount mount;
        std::string node, type;  // once mounted
        bool mounted = false;
        bool absent = false;  // its device is not there
        std::string error;
    };
    Status Mount(Entry& entry, const std::vector<BlockDevice>& devices);
    const Entry* Above(const Entry& entry) const;

    std::vector<Entry> entries_;
};

}  // namespace husk::supervisor
