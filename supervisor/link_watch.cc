#include "supervisor/link_watch.h"

#include "base/log.h"
#include "network/links.h"
#include "network/online.h"

namespace husk::supervisor {

Status LinkWatch::Begin() { return monitor_.Begin(); }

Status LinkWatch::Open() {
    if (socket_) return {};
    auto opened = network::NetlinkSocket::Open(NETLINK_ROUTE);
    if (!opened) return Fail(std::move(opened).error());
    socket_ = std::move(*opened);
    return {};
}

bool LinkWatch::Has(const std::string& link) {
    if (Status opened = Open(); !opened) {
        LogError(opened.error().text());
        return false;
    }
    const auto found = network::FindLink(*socket_, link);
    return found && *found;
}

const std::vector<std::string>& LinkWatch::Offline(std::span<const network::LinkWish> wishes) {
    if (offline_) return *offline_;
    auto look = [&]() -> Result<std::vector<std::string>> {
        HUSK_TRY(Open());
        auto links = network::ListLinks(*socket_);
        if (!links) return Fail(std::move(links).error());
        auto addresses = network::ListAddresses(*socket_);
        if (!addresses) return Fail(std::move(addresses).error());
        return network::MissingForOnline(wishes, *links, *addresses);
    };
    auto missing = look();
    offline_ = missing ? std::move(*missing) : std::vector{missing.error().text()};
    was_online_ |= offline_->empty();
    return *offline_;
}

}  // namespace husk::supervisor
