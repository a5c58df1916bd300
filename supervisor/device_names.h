// The device's resolv.conf, and who follows it.
//
// Clients (of DHCP, of router advertisements, of a VPN) write a file each into /run/husk/dns; husk
// makes /run/husk/resolv.conf of them and of DNS= in system.conf, which /etc/resolv.conf may link
// to. A device whose /etc/resolv.conf is somebody else's keeps it, and where husk knows of no name
// server, that is what units get. Both are watched; however often they change, units are told a few
// times a second at most.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "base/fd.h"
#include "network/device_links.h"

namespace husk::supervisor {

// Below the run directory.
inline constexpr const char* kNamesFolder = "/dns";
inline constexpr const char* kResolverFile = "/resolv.conf";

class DeviceNames {
  public:
    // `changed` is called from the loop, with the text of a resolv.conf for units.
    DeviceNames(EventLoop& loop, std::string run_directory, std::vector<network::LinkWish> wishes,
                std::function<void(const std::string& text)> changed);
    ~DeviceNames();
    DeviceNames(const DeviceNames&) = delete;
    DeviceNames& operator=(const DeviceNames&) = delete;

    // Looks for the first time, which `text` has then, and watches.
    Status Begin();
    const std::string& text() const { return text_; }

  private:
    std::string Look();
    void Watch();
    void OnEvent();

    EventLoop& loop_;
    std::string run_directory_;
    std::vector<network::LinkWish> wishes_;
    std::function<void(const std::string&)> changed_;
    std::string text_, written_;
    bool error_told_ = false;
    OwnedFd inotify_;
    EventLoop::TimerId timer_ = 0;
};

}  // namespace husk::supervisor
