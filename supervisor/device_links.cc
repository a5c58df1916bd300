#include "supervisor/device_links.h"

#include <cerrno>

#include <algorithm>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"

namespace husk::supervisor {

void DeviceLinks::SetUp() {
    Status done = SetUpAll();
    Tell({}, done ? "" : done.error().text());
}

Status DeviceLinks::Open() {
    if (route_) return {};
    auto route = network::NetlinkSocket::Open(NETLINK_ROUTE);
    if (!route) return Fail(std::move(route).error());
    route_ = std::move(*route);
    return {};
}

std::vector<DeviceLinkView> DeviceLinks::View() {
    std::vector<DeviceLinkView> views;
    if (!Open()) return views;
    auto links = network::ListLinks(*route_);
    auto addresses = network::ListAddresses(*route_);
    if (!links || !addresses) return views;
    for (network::Link& link : *links) {
        if (!network::IsOfDevice(link)) continue;
        DeviceLinkView view{.link = {}, .addresses = {}, .wish = WishFor(wishes_, link)};
        for (const network::LinkAddress& address : *addresses)
            if (address.index == link.index) view.addresses.push_back(address);
        view.link = std::move(link);
        views.push_back(std::move(view));
    }
    return views;
}

Status DeviceLinks::SetUpAll() {
    HUSK_TRY(Open());
    auto links = network::ListLinks(*route_);
    if (!links) return Fail(std::move(links).error());
    auto addresses = network::ListAddresses(*route_);
    if (!addresses) return Fail(std::move(addresses).error());
    auto routes = network::ListRoutes(*route_);
    if (!routes) return Fail(std::move(routes).error());
    const auto plan = network::PlanLinks(wishes_, *links, *addresses, *routes, known_);
    known_.clear();
    for (const network::Link& link : *links) known_.push_back(link.index);
    for (const network::LinkSetup& setup : plan) {
        Status done = SetUpOne(setup);
        // It may be gone again; whoever tells of that lets this run once more.
        if (!done && done.error().code() == ENODEV) continue;
        Tell(setup.link.name, done ? "" : done.error().text());
        if (done && setup.wish != nullptr) LogInfo("link ", Quote(setup.link.name), " is set up");
    }
    return {};
}

Status DeviceLinks::SetUpOne(const network::LinkSetup& setup) {
    const network::Link& link = setup.link;
    auto set = [&](const char* folder, const char* name, const char* value) {
        return WriteAttribute(Cat("/proc/sys/net/", folder, "/conf/", link.name, "/", name), value);
    };
    // When an address of several in one network goes, the others stay: as systemd has it, and what
    // DHCP clients, which may not write here, wait for. A link that is gone again is found below.
    if (setup.is_new) (void)set("ipv4", "promote_secondaries", "1");
    if (setup.accept_ra) {
        // 2: also while the device passes IPv6 on.
        HUSK_TRY(set("ipv6", "accept_ra", *setup.accept_ra ? "2" : "0"));
        HUSK_TRY(set("ipv6", "autoconf", *setup.accept_ra ? "1" : "0"));
    }
    if (setup.mtu != 0) HUSK_TRY(network::ChangeLink(*route_, link, {.mtu = setup.mtu}));
    if (setup.bring_up) HUSK_TRY(network::ChangeLink(*route_, link, {.up = true}));
    for (const IpPrefix& address : setup.addresses)
        HUSK_TRY(network::AddAddress(*route_, link, address, true));
    for (const network::Route& route : setup.routes) {
        Status added = network::AddRoute(*route_, route);
        // Another link of the same pattern has it.
        if (!added && added.error().code() != EEXIST) return added;
    }
    return {};
}

void DeviceLinks::Tell(const std::string& link, std::string error) {
    auto known = std::ranges::find(told_, link, &std::pair<std::string, std::string>::first);
    if (known == told_.end()) known = told_.insert(told_.end(), {link, ""});
    if (!error.empty() && error != known->second)
        LogError(link.empty() ? Cat("links of the device: ", error)
                              : Cat("link ", Quote(link), ": ", error));
    known->second = std::move(error);
    if (known->second.empty()) told_.erase(known);
}

}  // namespace husk::supervisor
