// The device's own links, set up as [Network] of system.conf has them: at boot, and again when one
// appears or comes back.
//
// Crash-only: what a link lacks is asked of the kernel each time, so a new supervisor adds what an
// earlier one did not come to, and nothing twice. Only adds: addresses of clients and of people
// stay.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "network/device_links.h"
#include "network/netlink.h"

namespace husk::supervisor {

// A link of the device's own as it is now.
struct DeviceLinkView {
    network::Link link;
    std::vector<network::LinkAddress> addresses;
    const network::LinkWish* wish = nullptr;  // what system.conf says of it
};

class DeviceLinks {
  public:
    DeviceLinks() = default;
    explicit DeviceLinks(std::vector<network::LinkWish> wishes) : wishes_(std::move(wishes)) {}

    // What is wrong with a link is logged, once.
    void SetUp();
    const std::vector<network::LinkWish>& wishes() const { return wishes_; }
    // Of what the kernel does not tell there is nothing.
    std::vector<DeviceLinkView> View();

  private:
    Status Open();
    Status SetUpAll();
    Status SetUpOne(const network::LinkSetup& setup);
    void Tell(const std::string& link, std::string error);

    std::vector<network::LinkWish> wishes_;
    std::optional<network::NetlinkSocket> route_;
    std::vector<uint32_t> known_;                            // indexes of links that were seen
    std::vector<std::pair<std::string, std::string>> told_;  // by link, what is wrong with it
};

}  // namespace husk::supervisor
