// What of the device's own network units ask for, and when it may have changed.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "network/device_links.h"
#include "network/monitor.h"
#include "network/netlink.h"

namespace husk::supervisor {

class LinkWatch {
  public:
    // `changed` is called from the loop, now and then.
    LinkWatch(EventLoop& loop, std::function<void()> changed)
        : monitor_(loop, [this, changed = std::move(changed)] {
              offline_.reset();
              changed();
          }) {}

    Status Begin();
    // False also where the kernel does not say.
    bool Has(const std::string& link);
    // Why the device is not online, with these links in its file; nothing where it is.
    const std::vector<std::string>& Offline(std::span<const network::LinkWish> wishes);
    // It was, when somebody asked.
    bool was_online() const { return was_online_; }

  private:
    Status Open();

    network::Monitor monitor_;
    std::optional<network::NetlinkSocket> socket_;
    std::optional<std::vector<std::string>> offline_;  // until something changes
    bool was_online_ = false;
};

}  // namespace husk::supervisor
