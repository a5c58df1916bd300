// The device's nodes, modules and file systems, for devices that are there at boot and for those that
// appear later: modules by what a device says it is (modalias), owners and links by [Devices], stable
// names in /dev/disk, mounts by [Mounts].
//
// The kernel makes the nodes (devtmpfs) and loads firmware from /lib/firmware itself.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/event_loop.h"
#include "base/fd.h"
#include "config/unit.h"
#include "supervisor/device_mounts.h"
#include "supervisor/uevents.h"

namespace husk::supervisor {

class DeviceManager {
  public:
    DeviceManager(const config::SystemConfig& system, const std::string& state_directory);

    // For all that is there. The first supervisor of a boot waits for devices that file systems are
    // on, each for its TimeoutSec=. What fails is returned, and the rest is done.
    std::vector<Error> SetUp(bool first);
    // Before the loop: until the device that `what` means is there (block_devices.h), for `limit`
    // at most; its path in /dev.
    Status WaitFor(const std::string& what, Duration limit, std::string& node);
    // From here on from the loop: `damaged` is called for a bad block of an image, `mounted` when a
    // file system has come or gone.
    Status Watch(EventLoop& loop, std::function<void(const BlockDamage&)> damaged,
                 std::function<void()> mounted);

    const DeviceMounts& mounts() const { return mounts_; }

  private:
    void TakeEvents(std::vector<Error>& errors,
                    const std::function<void(const BlockDamage&)>& damaged);
    void SetNode(std::string_view name, std::vector<Error>& errors);
    void LookAtDisks(std::vector<Error>& errors);
    void LinkDisks();
    void WaitForMounts(std::vector<Error>& errors);
    void WaitForEvents(Duration left, std::vector<Error>& errors);

    const config::SystemConfig& system_;
    OwnedFd events_;
    std::vector<BlockDevice> disks_;
    std::vector<DiskLink> links_;
    DeviceMounts mounts_;
    bool disks_changed_ = false;
};

}  // namespace husk::supervisor
